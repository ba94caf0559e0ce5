//! Batch normalisation whose batch statistics are those of groups of the batch.

use burn::{
    config::Config,
    module::{Content, ModuleDisplay, ModuleDisplayDefault},
    nn::{BatchNorm, BatchNormConfig},
    tensor::{Device, Tensor},
};

use crate::{
    Activation, LayerError, Maps,
    batch_norm::forward,
    error::{at_least_one, new_value_weight, positive},
    normalise::{batch_norm, check, plain},
    transparent::transparent,
};

/// Configures a [`SplitBatchNorm`].
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `num_features` | required | channels | ≥ 1 |
/// | `splits` | 1 | groups of a batch; 1 is plain batch normalisation | ≥ 1 |
/// | `epsilon` | 1e-5 | added to a variance before its root divides | > 0, finite |
/// | `momentum` | 0.1 | weight of the new batch in running statistics | [0, 1] |
#[derive(Config, Debug, PartialEq)]
pub struct SplitBatchNormConfig {
    /// The number of channels.
    pub num_features: usize,
    /// The number of groups of a batch that have statistics of their own.
    #[config(default = 1)]
    pub splits: usize,
    /// Added to a variance before its root divides.
    #[config(default = 1e-5)]
    pub epsilon: f64,
    /// The weight of the **new** batch in running statistics.
    #[config(default = 0.1)]
    pub momentum: f64,
}

impl SplitBatchNormConfig {
    /// Checks every field.
    ///
    /// # Errors
    ///
    /// [`LayerError::OutOfRange`] names the first field outside its range.
    pub fn validate(&self) -> Result<(), LayerError> {
        at_least_one("num_features", self.num_features)?;
        at_least_one("splits", self.splits)?;
        positive("epsilon", self.epsilon)?;
        new_value_weight("momentum", self.momentum)
    }

    /// Creates the layer: scales 1, shifts 0, running means 0, running variances 1.
    ///
    /// # Errors
    ///
    /// As [`validate`](Self::validate).
    pub fn init(&self, device: &Device) -> Result<SplitBatchNorm, LayerError> {
        self.validate()?;
        let norm = BatchNormConfig::new(self.num_features).with_epsilon(self.epsilon).with_momentum(self.momentum);
        Ok(SplitBatchNorm { norm: norm.init(device), splits: self.splits })
    }
}

/// Batch normalisation over groups of the batch, as several devices would compute it.
///
/// `y = γ·(x − μⱼ)/√(σⱼ² + ε) + β`, with μⱼ and σⱼ² the mean and the (biased) variance over the samples of split j:
/// those whose index in the batch is ≡ j modulo `splits`, as in MoCo's CIFAR-10 notebook. The scale γ and the
/// shift β are shared. Running statistics have the shape of plain batch normalisation and follow the mean of the
/// splits' statistics.
///
/// MoCo needs it on one device: with statistics of the whole batch a query and its key share them, and the network
/// recognises them by these instead of by what the images show (He et al., arXiv 1911.05722, §3.3).
///
/// Evaluation is that of plain batch normalisation. As a module it *is* its `norm`: names, records and checkpoints are
/// those of a plain [`BatchNorm`], so that each loads into the other. The splits belong to the configuration.
///
/// Should be created with [`SplitBatchNormConfig`].
#[derive(Debug, Clone)]
pub struct SplitBatchNorm {
    /// Scale, shift and running statistics.
    pub norm: BatchNorm,
    /// The number of groups of a batch that have statistics of their own.
    pub splits: usize,
}

impl SplitBatchNorm {
    /// Normalises a batch.
    ///
    /// # Shapes
    ///
    /// - `input`: `[N, C, ...]`
    /// - output: the same
    ///
    /// # Panics
    ///
    /// If the second axis is not the number of channels or, in training, if the splits do not divide N.
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        if D >= 2 {
            check(&self.norm, input.dims()[1]);
        }
        let plain = |input| plain(&self.norm, self.splits, input);
        forward(input, plain, |maps| self.forward_maps(maps, Activation::None))
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
    /// As [`forward`](Self::forward).
    pub fn forward_maps(&self, input: Maps, activation: Activation) -> Maps {
        batch_norm(&self.norm, self.splits, input, None, activation)
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
    /// As [`forward`](Self::forward), and if the shapes differ.
    pub fn forward_add(&self, input: Maps, shortcut: Maps, activation: Activation) -> Maps {
        batch_norm(&self.norm, self.splits, input, Some(shortcut), activation)
    }
}

// No path, name or record shows the wrapper.
transparent!(SplitBatchNorm { norm, splits });

impl ModuleDisplayDefault for SplitBatchNorm {
    fn content(&self, content: Content) -> Option<Content> {
        content.add("norm", &self.norm).add("splits", &self.splits).optional()
    }
}

impl ModuleDisplay for SplitBatchNorm {}
