//! Batch normalisation whose batch statistics are those of groups of the batch.

use burn::{
    config::Config,
    module::{Content, Devices, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor},
    nn::{BatchNorm, BatchNormConfig},
    tensor::{Device, Tensor},
};

use crate::{
    ModelError,
    error::{at_least_one, new_value_weight, positive},
};

/// Over which samples of a batch a network's batch normalisation takes its statistics in training.
#[derive(Config, Debug, Copy, PartialEq, Eq)]
pub enum Norm {
    /// The whole batch: batch normalisation (Ioffe & Szegedy, arXiv 1502.03167).
    Plain,
    /// Each of several groups of the batch: [`SplitBatchNorm`].
    Split {
        /// The number of groups; it must divide every batch.
        splits: usize,
    },
}

impl Norm {
    /// The number of groups of a batch that have statistics of their own.
    pub fn splits(self) -> usize {
        match self {
            Self::Plain => 1,
            Self::Split { splits } => splits,
        }
    }

    pub(crate) fn validate(self) -> Result<(), ModelError> {
        at_least_one("splits", self.splits())
    }

    pub(crate) fn init(self, channels: usize, momentum: f64, device: &Device) -> SplitBatchNorm {
        SplitBatchNormConfig::new(channels).with_splits(self.splits()).with_momentum(momentum).init(device)
    }
}

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
    /// [`ModelError::OutOfRange`] names the first field outside its range.
    pub fn validate(&self) -> Result<(), ModelError> {
        at_least_one("num_features", self.num_features)?;
        at_least_one("splits", self.splits)?;
        positive("epsilon", self.epsilon)?;
        new_value_weight("momentum", self.momentum)
    }

    /// Creates the layer: scales 1, shifts 0, running means 0, running variances 1.
    ///
    /// # Panics
    ///
    /// If [`validate`](Self::validate) returns an error.
    pub fn init(&self, device: &Device) -> SplitBatchNorm {
        self.validate().unwrap_or_else(|error| panic!("{error}"));
        let norm = BatchNormConfig::new(self.num_features).with_epsilon(self.epsilon).with_momentum(self.momentum);
        SplitBatchNorm { norm: norm.init(device), splits: self.splits }
    }
}

/// Batch normalisation over groups of the batch, as several devices would compute it.
///
/// `y = γ·(x − μⱼ)/√(σⱼ² + ε) + β`, with μⱼ and σⱼ² the mean and the (biased) variance over the samples of split j:
/// those whose index in the batch is ≡ j modulo `splits`, as in MoCo's CIFAR-10 demonstration. The scale γ and the
/// shift β are shared. Running statistics have the shape of plain batch normalisation and follow the mean of the
/// splits' statistics.
///
/// MoCo needs it on one device: with statistics of the whole batch a query and its key share them, and the network
/// tells them apart by these instead of by what the images show (He et al., arXiv 1911.05722, §3.3).
///
/// Evaluation is that of plain batch normalisation. As a module it *is* its `norm`: names, records and checkpoints are
/// those of a plain [`BatchNorm`] and load into one, and the other way round. The splits belong to the configuration.
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
        let norm = &self.norm;
        if self.splits == 1 || !(input.device().is_autodiff() && norm.training.is_enabled()) {
            return norm.forward(input);
        }
        let shape: [usize; D] = input.dims();
        let (batch, channels) = (shape[0], shape[1]);
        let [features] = norm.gamma.lazy_shape().dims();
        assert_eq!(channels, features, "the input has {channels} channels, but the layer {features}");
        assert!(
            batch.is_multiple_of(self.splits),
            "a batch of {batch} cannot be split into {} groups of one size",
            self.splits
        );

        // Row g of the new shape holds the samples g·S to g·S + S − 1, one of each split: its channels are the
        // channels of split 0, then those of split 1, and so on.
        let mut grouped = shape;
        grouped[0] = batch / self.splits;
        grouped[1] = channels * self.splits;
        let input: Tensor<D> = input.reshape(grouped); // [N/S, S·C, ...]
        let result = burn::tensor::module::batch_norm_train(
            input,
            norm.gamma.val().repeat_dim(0, self.splits),
            norm.beta.val().repeat_dim(0, self.splits),
            norm.epsilon,
        );
        self.follow(result.mean.detach(), result.variance.detach());
        result.output.reshape(shape)
    }

    /// Moves the running statistics towards the mean of those of the splits, `[S·C]`.
    fn follow(&self, mean: Tensor<1>, variance: Tensor<1>) {
        let [features] = self.norm.gamma.lazy_shape().dims();
        for (state, new) in [(&self.norm.running_mean, mean), (&self.norm.running_var, variance)] {
            let new = new.reshape([self.splits, features]).mean_dim(0).squeeze_dim::<1>(0); // [C]
            let old = state.value_sync().to_device(&new.device());
            let moved = old.mul_scalar(1.0 - self.norm.momentum) + new.mul_scalar(self.norm.momentum);
            state.update(moved.detach());
        }
    }
}

// Written by hand so that no path, name or record shows the wrapper.
impl Module for SplitBatchNorm {
    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        self.norm.visit(visitor);
    }

    fn map<M: ModuleMapper>(self, mapper: &mut M) -> Self {
        Self { norm: self.norm.map(mapper), splits: self.splits }
    }

    fn collect_devices(&self, devices: Devices) -> Devices {
        self.norm.collect_devices(devices)
    }

    fn fork(self, device: &Device) -> Self {
        Self { norm: self.norm.fork(device), splits: self.splits }
    }

    fn to_device(self, device: &Device) -> Self {
        Self { norm: self.norm.to_device(device), splits: self.splits }
    }

    fn train(self) -> Self {
        Self { norm: self.norm.train(), splits: self.splits }
    }

    fn valid(&self) -> Self {
        Self { norm: self.norm.valid(), splits: self.splits }
    }

    fn materialize(self) -> Self {
        Self { norm: self.norm.materialize(), splits: self.splits }
    }
}

impl ModuleDisplayDefault for SplitBatchNorm {
    fn content(&self, content: Content) -> Option<Content> {
        content.add("norm", &self.norm).add("splits", &self.splits).optional()
    }
}

impl ModuleDisplay for SplitBatchNorm {}
