//! The layers that the networks share.

mod convolution;
mod norm;
mod unit;
#[cfg(feature = "whitening")]
mod whitening;

pub use norm::Norm;
pub use slowburn_layers::{
    MeanOnlyBatchNorm, MeanOnlyBatchNormConfig, SplitBatchNorm, SplitBatchNormConfig, WeightNormConv2d,
    WeightNormConv2dConfig,
};
pub use unit::{BatchNormUnit, ConvUnit, ConvUnitConfig, Normalization, WeightNormUnit};
#[cfg(feature = "whitening")]
pub use whitening::whitening_filters;

pub(crate) use convolution::convolution;
