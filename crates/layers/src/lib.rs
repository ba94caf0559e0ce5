#![doc = include_str!("../README.md")]
// On docs.rs, items say which feature they need.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod activation;
mod arithmetic;
mod batch_norm;
mod conv2d;
mod convolve;
mod dropout;
mod error;
#[cfg(feature = "flex")]
mod flex;
mod in_pool;
#[cfg(feature = "flex")]
pub mod kernel;
mod maps;
mod mean_only_batch_norm;
mod normalise;
mod padding;
mod path;
mod pooling;
mod split_batch_norm;
mod transparent;
mod weight_norm;

pub use activation::Activation;
pub use arithmetic::{Arithmetic, arithmetic, has_bf16, set_arithmetic};
pub use batch_norm::{BatchNorm, BatchNormConfig};
pub use conv2d::{Conv2d, Conv2dConfig};
pub use dropout::dropout;
pub use error::LayerError;
pub use in_pool::in_pool;
#[cfg(feature = "flex")]
pub use kernel::isa::{InstructionSet, instruction_set, limit_instruction_set};
pub use maps::Maps;
pub use mean_only_batch_norm::{MeanOnlyBatchNorm, MeanOnlyBatchNormConfig};
pub use path::{ComputePath, fast_path};
pub use pooling::{global_average_pool, max_pool};
pub use split_batch_norm::{SplitBatchNorm, SplitBatchNormConfig};
pub use weight_norm::{WeightNormConv2d, WeightNormConv2dConfig};
