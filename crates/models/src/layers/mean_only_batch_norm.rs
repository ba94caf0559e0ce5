//! Batch normalisation of the mean alone.

use burn::{
    config::Config,
    module::{Flag, Module, ModuleVisitor, Param, ParamId, RunningState},
    nn::Initializer,
    tensor::{Device, Tensor, assert_shape},
};

use crate::{
    ModelError,
    error::{at_least_one, new_value_weight},
};

/// Configures a [`MeanOnlyBatchNorm`].
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `num_features` | required | channels | ≥ 1 |
/// | `momentum` | 0.1 | weight of the new batch in the running mean | [0, 1] |
#[derive(Config, Debug, PartialEq)]
pub struct MeanOnlyBatchNormConfig {
    /// The number of channels.
    pub num_features: usize,
    /// The weight of the **new** batch's mean in the running mean, as in Burn's `BatchNorm`.
    /// Tarvainen & Valpola's program has 0.001.
    #[config(default = 0.1)]
    pub momentum: f64,
}

/// Subtracts each channel's mean over the batch and adds a learned bias:
///
/// `y = t − mean(t) + b`.
///
/// It goes with normalised weights, which take care of the variance. On a plain device, or frozen,
/// it subtracts the running mean. Salimans & Kingma, *Weight normalization*, arXiv 1602.07868,
/// section 4.
///
/// Should be created with [`MeanOnlyBatchNormConfig`].
#[derive(Module, Debug)]
pub struct MeanOnlyBatchNorm {
    /// The learned bias: `[num_features]`, 0 at the start.
    pub bias: Param<Tensor<1>>,
    /// The running mean: `[num_features]`, 0 at the start.
    pub running_mean: RunningState<Tensor<1>>,
    /// Whether training behaviour is enabled for this layer.
    pub training: Param<Flag>,
    /// The weight of the new batch's mean in the running mean.
    pub momentum: f64,
}

impl MeanOnlyBatchNormConfig {
    /// Checks every field.
    ///
    /// # Errors
    ///
    /// [`ModelError::OutOfRange`] names the first field outside its range.
    pub fn validate(&self) -> Result<(), ModelError> {
        at_least_one("num_features", self.num_features)?;
        new_value_weight("momentum", self.momentum)
    }

    /// Creates the layer.
    ///
    /// # Panics
    ///
    /// If [`validate`](Self::validate) returns an error.
    pub fn init(&self, device: &Device) -> MeanOnlyBatchNorm {
        self.validate().unwrap_or_else(|error| panic!("{error}"));
        MeanOnlyBatchNorm {
            bias: Initializer::Zeros.init([self.num_features], device),
            running_mean: RunningState::new(Tensor::zeros([self.num_features], device)),
            training: Param::from_bool(true),
            momentum: self.momentum,
        }
    }
}

impl MeanOnlyBatchNorm {
    /// Normalises the mean.
    ///
    /// # Shapes
    ///
    /// - `input`: `[N, num_features, H, W]`
    /// - output: the same
    ///
    /// # Panics
    ///
    /// If the second axis is not `num_features`.
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let [num_features] = self.bias.lazy_shape().dims();
        assert_shape!(input, [_, num_features, _, _]);

        let shape = [1, num_features, 1, 1];
        let device = input.device();
        // The rule of Burn's BatchNorm: the device says that a backward pass is possible, the flag
        // that this layer takes part in it.
        let mean = if device.is_autodiff() && self.training.is_enabled() {
            let mean = input.clone().mean_dims(&[0, 2, 3]); // [1, C, 1, 1]
            self.track(mean.clone().detach().reshape([num_features]));
            mean
        } else {
            let mean = self.running_mean.value().to_device(&device);
            mean.reshape(shape)
        };
        input - mean + self.bias.val().reshape(shape)
    }

    /// Moves the running mean towards the mean of this batch.
    fn track(&self, mean: Tensor<1>) {
        let running = self.running_mean.value_sync().to_device(&mean.device());
        let running = running * (1.0 - self.momentum) + mean * self.momentum;
        self.running_mean.update(running.detach());
    }

    /// Replaces the running mean, which keeps its identity but is no longer shared with clones of
    /// this layer.
    pub(crate) fn with_running_mean(mut self, mean: Tensor<1>) -> Self {
        let mut identity = Identity(None);
        self.running_mean.visit(&mut identity);
        self.running_mean = match identity.0 {
            Some(id) => RunningState::with_id(id, mean.detach()),
            None => RunningState::new(mean.detach()),
        };
        self
    }
}

/// Reads the identity of a running state, which Burn shows to visitors only.
struct Identity(Option<ParamId>);

impl ModuleVisitor for Identity {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0 = Some(param.id);
    }
}
