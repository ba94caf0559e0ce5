#![doc = include_str!("../README.md")]
// On docs.rs, items say which feature they need.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod costs;
mod error;
mod input;
mod methods;
mod model;
#[cfg(feature = "models")]
mod models;
mod objective;
mod sampling;
mod warning;

pub use error::SemiError;
pub use input::InputRows;
pub use methods::{
    Alignment, FixMatch, FlexThresholds, FreeThresholds, Ict, IctConfig, Interpolation, LabelForm, LabelSource,
    MeanTeacher, MeanTeacherConfig, MixDraw, MixDraws, Mixing, NoTeacher, Passes, PiModel, PiModelConfig,
    PredictionBank, PseudoLabelConfig, PseudoLabelSettings, PseudoLabels, Selected, Selection, SelectionReport,
    Selector, SelfTeacher, SemiSupervised, StepContext, Supervised, SupervisedConfig, Teacher, TemporalConfig,
    TemporalEnsemble, ThresholdMapping,
};
#[cfg(feature = "train")]
pub use methods::{SemiOutput, TestBatch};
pub use model::{Logits, Predict, SemiBatch};
pub use objective::{Consistency, CostReduction, Losses, Objective, Targets};
pub use sampling::{Mix, TwoStream, TwoStreamBatch, choose_balanced};
pub use slowburn_ema::{Ramp, Refused};
pub use warning::SemiWarning;
