//! What follows a normalisation.

use burn::tensor::{
    Tensor,
    activation::{leaky_relu, relu},
};

use crate::path::is_recorded;

/// A rectifier, or none, that a normalisation applies in the same pass. NaN passes through all of them.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Activation {
    /// `y`.
    None,
    /// `max(y, 0)`.
    Relu,
    /// `max(y, 0) + slope·min(y, 0)`.
    ///
    /// One pass with the normalisation for slopes in (0, 1]; others take a second.
    LeakyRelu(f64),
}

impl Activation {
    /// The leaky rectifier of this slope below zero; 0 is [`Relu`](Self::Relu).
    pub fn leaky(negative_slope: f64) -> Self {
        if negative_slope == 0.0 { Self::Relu } else { Self::LeakyRelu(negative_slope) }
    }

    /// Applies it by Burn's operations.
    pub fn apply<const D: usize>(self, tensor: Tensor<D>) -> Tensor<D> {
        match self {
            Self::None => tensor,
            Self::Relu => relu(tensor),
            Self::LeakyRelu(slope) if is_recorded(&tensor.device()) => {
                relu(tensor.clone()) - relu(tensor.neg()).mul_scalar(slope)
            }
            Self::LeakyRelu(slope) => leaky_relu(tensor, slope),
        }
    }

    /// The kernels' name for it; `None` if they have no such activation, as they read the sign of `y` from the result.
    #[cfg(feature = "flex")]
    pub(crate) fn fused(self) -> Option<crate::kernel::Rectifier> {
        use crate::kernel::Rectifier as Fused;
        match self {
            Self::None => Some(Fused::None),
            Self::Relu => Some(Fused::Relu),
            Self::LeakyRelu(slope) => {
                let slope = slope as f32;
                (slope > 0.0 && slope <= 1.0).then_some(Fused::LeakyRelu(slope))
            }
        }
    }
}
