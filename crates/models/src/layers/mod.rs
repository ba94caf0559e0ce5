//! The layers that the networks share.

mod mean_only_batch_norm;
mod ops;
mod split_batch_norm;
mod unit;
mod weight_norm;

pub use mean_only_batch_norm::{MeanOnlyBatchNorm, MeanOnlyBatchNormConfig};
pub use split_batch_norm::{Norm, SplitBatchNorm, SplitBatchNormConfig};
pub use unit::{BatchNormUnit, ConvUnit, ConvUnitConfig, Normalization, WeightNormUnit};
pub use weight_norm::{WeightNormConv2d, WeightNormConv2dConfig};

pub(crate) use ops::{convolution, global_average_pool};
