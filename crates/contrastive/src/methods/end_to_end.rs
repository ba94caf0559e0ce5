use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use slowburn_ema::{StepCount, sync_running_state};

use super::{Contrastive, check_batch};
use crate::{Contrast, Encode, Error, InfoNce, Reduction, Views, Warning, normalize};

/// The settings of [`EndToEnd`].
///
/// | Name | Default | Purpose |
/// |---|---|---|
/// | `loss` | τ = 0.07 | temperature, and whether decoupled |
/// | `reduction` | `Mean` | `Sum` doubles it, for comparison with a symmetric sum |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EndToEndConfig {
    /// Temperature, and whether decoupled.
    pub loss: InfoNce,
    /// Whether the mean over both views is doubled.
    pub reduction: Reduction,
}

impl Default for EndToEndConfig {
    fn default() -> Self {
        Self { loss: InfoNce::default(), reduction: Reduction::Mean }
    }
}

impl EndToEndConfig {
    /// End-to-end training of this encoder.
    ///
    /// # Errors
    /// [`Error::OutOfRange`], which names the setting.
    pub fn init<E: Encode>(&self, query: E, device: &Device) -> Result<EndToEnd<E>, Error> {
        self.loss.validate()?;
        let steps = StepCount::new(&device.clone().without_autodiff());
        Ok(EndToEnd { query, steps, config: self.clone() })
    }
}

/// In-batch keys with gradient to queries and keys: the first baseline of MoCo's paper (arXiv 1911.05722, fig. 2a), in
/// the form of SimCLR ([`InfoNce::nt_xent`]).
///
/// One encoder for both views, each its own forward pass; the other samples of the batch, in both views, are the
/// negatives. Their number is that of the batch: the reason for a queue.
#[derive(Module, Debug)]
pub struct EndToEnd<E: Module> {
    /// The encoder, with its head.
    pub query: E,
    steps: StepCount,
    #[module(skip)]
    config: EndToEndConfig,
}

impl<E: Encode> Contrastive for EndToEnd<E> {
    type Encoder = E;

    fn contrast(mut self, batch: Views<E::Input>) -> Result<(Self, Contrast), Error> {
        check_batch(&self.query, &batch)?;
        let first = normalize(self.query.embed(batch.query)); // [batch, dim]
        let second = normalize(self.query.embed(batch.key)); // [batch, dim]
        let outcome = self.config.loss.nt_xent(first, second).scaled(self.config.reduction.factor());
        self.steps.increment();
        Ok((self, outcome))
    }

    fn optimize(
        mut self,
        optimizer: &mut ModuleOptimizer,
        learning_rate: ModuleLearningRate,
        gradients: GradientsParams,
    ) -> Self {
        self.query = optimizer.step(learning_rate, self.query, gradients);
        sync_running_state(&self.query);
        self
    }

    fn query(&self) -> &E {
        &self.query
    }

    fn steps(&self) -> u64 {
        self.steps.get()
    }

    /// There is nothing to warn of.
    fn diagnose(&self, _samples: usize, _batch: usize) -> Vec<Warning> {
        Vec::new()
    }
}
