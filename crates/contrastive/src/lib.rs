#![doc = include_str!("../README.md")]
// On docs.rs, items say which feature they need.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod encode;
mod error;
pub mod evaluation;
mod loss;
mod methods;
#[cfg(feature = "models")]
mod models;
mod predict;
mod queue;
mod random;
mod warning;

pub use encode::{Batch, Encode, ViewPair};
pub use error::ContrastiveError;
pub use loss::{Contrast, InfoNce, SymmetricReduction, chance_loss, negative_cosine, normalize};
pub use methods::{
    Byol, ByolConfig, Contrasted, Contrastive, EncoderRole, EndToEnd, EndToEndConfig, MemoryBank, MemoryBankConfig,
    Moco, MocoConfig, MocoV3, MocoV3Config, SimSiam, SimSiamConfig,
};
pub use predict::{Online, Predictor};
pub use queue::{KeyQueue, KeyQueueConfig, Unfilled};
pub use random::{Stream, negatives, permutation};
pub use slowburn_ema::Refused;
pub use warning::Warning;

#[cfg(feature = "train")]
pub use methods::train::{ContrastiveLearning, KnnOutput, LabeledBatch, LearningOutput, RateInput, RateMetric};
