//! Burn's batch normalisation, computed by the kernels where they can.

use burn::{
    config::Config,
    tensor::{Device, Tensor, assert_shape},
};

use crate::{Activation, Maps, normalise::batch_norm, path::is_fast, transparent::drop_in};

/// Configures a [`BatchNorm`]: Burn's configuration of the same name, field by field.
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `num_features` | required | channels | ≥ 1 |
/// | `epsilon` | 1e-5 | added to a variance before its root divides | > 0, finite |
/// | `momentum` | 0.1 | weight of the new batch in running statistics | [0, 1] |
#[derive(Config, Debug)]
pub struct BatchNormConfig {
    /// The number of channels.
    pub num_features: usize,
    /// Added to a variance before its root divides.
    #[config(default = 1e-5)]
    pub epsilon: f64,
    /// The weight of the **new** batch in running statistics.
    #[config(default = 0.1)]
    pub momentum: f64,
}

/// Batch normalisation: [`burn::nn::BatchNorm`], faster on a CPU, and in one pass with what follows it.
///
/// `y = γ·(x − μ)/√(σ² + ε) + β` with the statistics of the batch in training and running ones otherwise (Ioffe &
/// Szegedy, arXiv 1502.03167). As a module it *is* Burn's: names, records, checkpoints and what it prints are the
/// same, and its fields are reached through it. An empty batch leaves the running statistics alone on the kernels'
/// path.
///
/// Should be created with [`BatchNormConfig`], or from Burn's.
#[derive(Debug, Clone)]
pub struct BatchNorm {
    inner: burn::nn::BatchNorm,
}

drop_in!(BatchNorm for burn::nn::BatchNorm);

impl BatchNormConfig {
    /// Creates the layer: scales 1, shifts 0, running means 0, running variances 1.
    ///
    /// # Panics
    ///
    /// If a field is outside its range.
    pub fn init(&self, device: &Device) -> BatchNorm {
        burn::nn::BatchNormConfig::from(self.clone()).init(device).into()
    }
}

impl BatchNorm {
    /// Normalises a batch.
    ///
    /// # Shapes
    ///
    /// - `input`: `[N, C, ...]`
    /// - output: the same, its values in this order in memory
    ///
    /// # Panics
    ///
    /// If there is no second axis or it is not the number of channels.
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        let [num_features] = self.inner.gamma.lazy_shape().dims();
        assert_shape!(input, [_, num_features, ..]);
        forward(input, |input| self.inner.forward(input), |maps| self.forward_maps(maps, Activation::None))
    }

    /// Normalises maps and applies what follows.
    ///
    /// # Shapes
    ///
    /// - `input`: `[N, C, H, W]`
    /// - output: the same
    ///
    /// # Panics
    ///
    /// If C is not the number of channels.
    pub fn forward_maps(&self, input: Maps, activation: Activation) -> Maps {
        batch_norm(&self.inner, 1, input, None, activation)
    }

    /// `act(norm(x) + shortcut)`, the end of a residual block.
    ///
    /// # Shapes
    ///
    /// - `input`, `shortcut`: `[N, C, H, W]`
    /// - output: the same
    ///
    /// # Panics
    ///
    /// If C is not the number of channels or the shapes differ.
    pub fn forward_add(&self, input: Maps, shortcut: Maps, activation: Activation) -> Maps {
        batch_norm(&self.inner, 1, input, Some(shortcut), activation)
    }
}

/// Normalises a tensor of any rank, by the kernels as maps of one column where they can.
pub(crate) fn forward<const D: usize>(
    input: Tensor<D>,
    plain: impl FnOnce(Tensor<D>) -> Tensor<D>,
    maps: impl FnOnce(Maps) -> Maps,
) -> Tensor<D> {
    let shape: [usize; D] = input.dims();
    if D < 2 || !is_fast(&input) {
        return plain(input);
    }
    let pixels = shape[2..].iter().product();
    let input = input.reshape([shape[0], shape[1], pixels, 1]);
    maps(Maps::new(input)).into_tensor().reshape(shape)
}

impl From<burn::nn::BatchNormConfig> for BatchNormConfig {
    fn from(config: burn::nn::BatchNormConfig) -> Self {
        let burn::nn::BatchNormConfig { num_features, epsilon, momentum } = config;
        Self { num_features, epsilon, momentum }
    }
}

impl From<BatchNormConfig> for burn::nn::BatchNormConfig {
    fn from(config: BatchNormConfig) -> Self {
        let BatchNormConfig { num_features, epsilon, momentum } = config;
        Self { num_features, epsilon, momentum }
    }
}
