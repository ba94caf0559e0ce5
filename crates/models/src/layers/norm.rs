//! Which batch normalisation a network has.

use burn::{config::Config, tensor::Device};
use slowburn_layers::{SplitBatchNorm, SplitBatchNormConfig};

use crate::{ModelError, error::at_least_one};

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

    pub(crate) fn init(self, channels: usize, momentum: f64, device: &Device) -> Result<SplitBatchNorm, ModelError> {
        Ok(SplitBatchNormConfig::new(channels).with_splits(self.splits()).with_momentum(momentum).init(device)?)
    }
}
