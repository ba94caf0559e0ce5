//! What makes a step: the kernel of a backend where there is one, otherwise plain operations.

#[cfg(feature = "flex")]
mod flex;
#[cfg(feature = "flex")]
mod gradient;
mod plain;

#[cfg(feature = "flex")]
pub(crate) use flex::step;
#[cfg(not(feature = "flex"))]
pub(crate) use plain::step;

use burn::tensor::Tensor;

use crate::FusedSgdConfig;

/// The numbers of one step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule {
    /// μ, the weight of the old velocity.
    momentum: f64,
    /// 1 − τ, the weight of the gradient in the velocity from the second step on.
    fresh: f64,
    /// λ, the weight of the penalty's gradient.
    weight_decay: f64,
    nesterov: bool,
    /// η, the learning rate.
    rate: f64,
}

impl Rule {
    pub(crate) fn new(config: &FusedSgdConfig, rate: f64) -> Self {
        let FusedSgdConfig { momentum, dampening, weight_decay, nesterov } = *config;
        Self { momentum, fresh: 1.0 - dampening, weight_decay, nesterov, rate }
    }
}

/// What a step reads and changes.
pub(crate) struct Slot<const D: usize> {
    pub(crate) weight: Tensor<D>,
    pub(crate) gradient: Tensor<D>,
    /// None at the first step.
    pub(crate) velocity: Option<Tensor<D>>,
}

/// What a step leaves: the weight, and the velocity where there is momentum.
pub(crate) type Stepped<const D: usize> = (Tensor<D>, Option<Tensor<D>>);
