//! The layers that the networks share.

mod convolution;
mod norm;
mod unit;

pub use norm::Norm;
pub use slowburn_layers::{
    MeanOnlyBatchNorm, MeanOnlyBatchNormConfig, SplitBatchNorm, SplitBatchNormConfig, WeightNormConv2d,
    WeightNormConv2dConfig,
};
pub use unit::{BatchNormUnit, ConvUnit, ConvUnitConfig, Normalization, WeightNormUnit};

pub(crate) use convolution::convolution;
