#![doc = include_str!("../README.md")]

mod encode;
mod error;
pub mod evaluation;
mod loss;
mod methods;
#[cfg(feature = "models")]
mod models;
mod queue;
mod random;
mod rows;
mod warning;

pub use encode::{Batch, Encode, Views};
pub use error::Error;
pub use loss::{Contrast, InfoNce, Reduction, chance_loss, normalize};
pub use methods::*;
pub use queue::{KeyQueue, KeyQueueConfig, Unfilled};
pub use random::{Stream, negatives, permutation};
pub use warning::Warning;

#[cfg(feature = "train")]
pub use methods::train::{KnnOutput, LabeledBatch, Learning, LearningOutput, RateInput, RateMetric};
