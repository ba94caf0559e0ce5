//! Batch normalisation of a head's layer, with and without scale and shift.

use burn::{
    module::{Flag, Module, Param, ParamId, RunningState},
    tensor::{Device, Tensor},
};
use slowburn_layers::{BatchNorm, BatchNormConfig};

/// Batch normalisation in an [`MlpHead`](super::MlpHead).
#[derive(Module, Debug)]
pub enum HeadNorm {
    /// `γ·(x − μ)/√(σ² + ε) + β`.
    Affine(BatchNorm),
    /// `(x − μ)/√(σ² + ε)`.
    Plain(PlainNorm),
}

impl HeadNorm {
    pub(super) fn new(affine: bool, features: usize, device: &Device) -> Self {
        match affine {
            true => Self::Affine(BatchNormConfig::new(features).init(device)),
            false => Self::Plain(PlainNorm::new(features, device)),
        }
    }

    /// Normalises `[N, features]`.
    pub(super) fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Affine(norm) => norm.forward(input),
            Self::Plain(norm) => norm.forward(input),
        }
    }
}

/// Batch normalisation without scale and shift: `(x − μ)/√(σ² + ε)`.
///
/// PyTorch's `BatchNorm1d(affine=False)`. Its record holds the running statistics; nothing of it is learned. ε is
/// 1e-5, the weight of the new batch in the statistics 0.1.
#[derive(Module, Debug)]
pub struct PlainNorm {
    running_mean: RunningState<Tensor<1>>,
    running_var: RunningState<Tensor<1>>,
    training: Param<Flag>,
    epsilon: f64,
    momentum: f64,
}

impl PlainNorm {
    fn new(features: usize, device: &Device) -> Self {
        let norm = burn::nn::BatchNormConfig::new(features).init(device);
        Self {
            running_mean: norm.running_mean,
            running_var: norm.running_var,
            training: norm.training,
            epsilon: norm.epsilon,
            momentum: norm.momentum,
        }
    }

    /// Normalises `[N, features]`.
    fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        let [_, features] = input.dims();
        // Made here, where the input is: as parameters they would be seen by visitors, files and optimizers.
        let constant = |value: f64| {
            let tensor = Tensor::<1>::full([features], value, &input.device()).cast(input.dtype());
            Param::initialized(ParamId::new(), tensor.set_require_grad(false))
        };
        let norm = burn::nn::BatchNorm {
            gamma: constant(1.0),
            beta: constant(0.0),
            training: self.training.clone(),
            // Clones share the state: the pass updates this layer's.
            running_mean: self.running_mean.clone(),
            running_var: self.running_var.clone(),
            momentum: self.momentum,
            epsilon: self.epsilon,
        };
        BatchNorm::from(norm).forward(input)
    }
}
