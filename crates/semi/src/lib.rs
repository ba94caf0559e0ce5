#![doc = include_str!("../README.md")]
// On docs.rs, items say which feature they need.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod costs;
mod error;
mod methods;
mod model;
#[cfg(feature = "models")]
mod models;
mod objective;
mod sampling;

pub use error::SemiError;
pub use methods::{
    MeanTeacher, MeanTeacherConfig, NoTeacher, PiModel, PiModelConfig, PredictionBank, SelfTeacher, SemiSupervised,
    Supervised, SupervisedConfig, Teacher, TemporalConfig, TemporalEnsemble,
};
#[cfg(feature = "train")]
pub use methods::{SemiOutput, TestBatch};
pub use model::{Logits, Predict, SemiBatch};
pub use objective::{Consistency, CostReduction, Losses, Objective, Targets};
pub use sampling::{Mix, TwoStream, TwoStreamBatch, choose_balanced};
pub use slowburn_ema::{Ramp, Refused};
