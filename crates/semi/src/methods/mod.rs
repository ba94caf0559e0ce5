//! One training step, four sources of targets.

mod learner;
mod mean_teacher;
mod pi_model;
mod supervised;
mod temporal;

pub use learner::{SemiSupervised, Teacher};
pub use mean_teacher::{MeanTeacher, MeanTeacherConfig};
pub use pi_model::{PiModel, PiModelConfig, SelfTeacher};
pub use supervised::{NoTeacher, Supervised, SupervisedConfig};
pub use temporal::{PredictionBank, TemporalConfig, TemporalEnsemble};

#[cfg(feature = "train")]
pub use learner::train::{SemiOutput, TestBatch};
