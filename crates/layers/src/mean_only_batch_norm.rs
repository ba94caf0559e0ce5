//! Batch normalisation of the mean alone.

use burn::{
    config::Config,
    module::{Flag, Module, ModuleVisitor, Param, ParamId, RunningState},
    nn::Initializer,
    tensor::{Device, Tensor, assert_shape},
};

use crate::{
    Activation, LayerError, Maps,
    error::{at_least_one, new_value_weight},
    normalise::{by_group, follow},
    path::is_fast,
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
    /// Tarvainen & Valpola's code has 0.001.
    #[config(default = 0.1)]
    pub momentum: f64,
}

/// Subtracts each channel's mean over the batch and adds a learned bias:
///
/// `y = t − mean(t) + b`.
///
/// For use with normalised weights, which take care of the variance. On a plain device, or frozen,
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
    /// [`LayerError::OutOfRange`] names the first field outside its range.
    pub fn validate(&self) -> Result<(), LayerError> {
        at_least_one("num_features", self.num_features)?;
        new_value_weight("momentum", self.momentum)
    }

    /// Creates the layer.
    ///
    /// # Errors
    ///
    /// As [`validate`](Self::validate).
    pub fn init(&self, device: &Device) -> Result<MeanOnlyBatchNorm, LayerError> {
        self.validate()?;
        Ok(MeanOnlyBatchNorm {
            bias: Initializer::Zeros.init([self.num_features], device),
            running_mean: RunningState::new(Tensor::zeros([self.num_features], device)),
            training: Param::from_bool(true),
            momentum: self.momentum,
        })
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

        match is_fast(&input) {
            true => self.forward_maps(Maps::new(input), Activation::None).into_tensor(),
            false => self.plain(input),
        }
    }

    /// Normalises the mean of maps and applies what follows.
    ///
    /// # Shapes
    ///
    /// - `input`: `[N, num_features, H, W]`
    /// - output: the same
    ///
    /// # Panics
    ///
    /// If the maps have other channels than `num_features`.
    pub fn forward_maps(&self, input: Maps, activation: Activation) -> Maps {
        let ([_, channels, ..], [features]) = (input.dims(), self.bias.lazy_shape().dims());
        assert_eq!(channels, features, "the input has {channels} channels, but the layer {features}");
        #[cfg(feature = "flex")]
        if let Some(maps) = self.fused(&input, activation) {
            return maps;
        }
        let group = input.group();
        let training = self.is_training(&input.device());
        let normal = by_group(input.into_tensor(), group.filter(|_| training), |input| self.plain(input));
        Maps::new(activation.apply(normal)).grouped(group)
    }

    /// Whether the mean of the batch is used. The rule of Burn's BatchNorm: the device says that a backward pass is
    /// possible, the flag that this layer takes part in it.
    fn is_training(&self, device: &Device) -> bool {
        device.is_autodiff() && self.training.is_enabled()
    }

    /// The normalisation alone by Burn's operations.
    fn plain(&self, input: Tensor<4>) -> Tensor<4> {
        let [num_features] = self.bias.lazy_shape().dims();
        let shape = [1, num_features, 1, 1];
        let device = input.device();
        let mean = if self.is_training(&device) {
            let mean = input.clone().mean_dims(&[0, 2, 3]); // [1, C, 1, 1]
            follow(&self.running_mean, [1, 1], self.momentum, mean.clone().detach().reshape([num_features]));
            mean
        } else {
            let mean = self.running_mean.value().to_device(&device);
            mean.reshape(shape)
        };
        input - mean + self.bias.val().reshape(shape)
    }

    /// The same with what follows, by the kernels; `None` if these cannot read a tensor.
    #[cfg(feature = "flex")]
    fn fused(&self, input: &Maps, activation: Activation) -> Option<Maps> {
        use crate::flex::{Affine, normalise, statistics};
        use crate::kernel::norm::{NormShape, Statistics};
        use crate::normalise::fused::{parts, shape};

        let bias = self.bias.val();
        if !(input.is_channels_last() && is_fast(&bias)) {
            return None;
        }
        let (device, group) = (input.device(), input.group());
        let (mean, kind, shape) = if self.is_training(&device) {
            let shape = shape(input, 1);
            let [mean, _] = statistics(input.clone().into_channels_last(), shape);
            // An empty batch has no mean to follow.
            if !input.dims().contains(&0) {
                follow(&self.running_mean, [shape.groups, 1], self.momentum, mean.clone());
            }
            (mean, Statistics::MeanOnly, shape)
        } else {
            let mean = self.running_mean.value().to_device(&device);
            (mean, Statistics::Fixed, NormShape { groups: 1, ..shape(input, 1) })
        };
        if !is_fast(&mean) {
            return None;
        }
        let (fused, rest) = parts(activation);
        let affine = Affine { shape, statistics: kind, epsilon: 0.0, activation: fused };
        let gamma = bias.ones_like().without_autodiff();
        let input = input.clone().into_channels_last();
        let output = normalise(input, [gamma, bias], mean, None, None, affine);
        Some(Maps::channels_last(rest.apply(output)).grouped(group))
    }

    /// Replaces the running mean, which keeps its identity but is no longer shared with clones of
    /// this layer.
    #[must_use]
    pub fn with_running_mean(mut self, mean: Tensor<1>) -> Self {
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
