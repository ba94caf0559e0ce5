use burn::module::{Module, ParamGroup};
use burn::optim::lr_scheduler::module_lr_scheduler::{ModuleLearningRate, ModuleLrScheduler};
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use slowburn_ema::{StepCount, detached_copy, sync_running_state};

use super::{
    Contrasted, Contrastive, check_batch, counted, diagnose_batch, diagnose_whole_batch, finite_on_host,
    online_accessors,
};
use crate::predict::require_gradients_of;
use crate::{Contrast, ContrastiveError, Encode, Online, Predictor, ViewPair, Warning, negative_cosine};

/// The settings of [`SimSiam`].
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `dim` | 2,048 | length of an embedding | ≥ 1 |
/// | `predictor_learning_rate` | none | a constant learning rate of the predictor; none: that of the rest | > 0, finite |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SimSiamConfig {
    /// The length of an embedding.
    pub dim: usize,
    /// A learning rate of the predictor that does not fall; `None`: that of the rest.
    pub predictor_learning_rate: Option<f64>,
}

impl Default for SimSiamConfig {
    fn default() -> Self {
        Self { dim: 2048, predictor_learning_rate: None }
    }
}

impl SimSiamConfig {
    /// The predictor's learning rate stays at `learning_rate`, as in the authors' code with `--fix-pred-lr`: the rate that
    /// the schedule of the rest begins with, 0.05·batch/256 on ImageNet.
    pub fn with_constant_predictor(self, learning_rate: f64) -> Self {
        Self { predictor_learning_rate: Some(learning_rate), ..self }
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// [`ContrastiveError::OutOfRange`], which names the setting.
    pub fn validate(&self) -> Result<(), ContrastiveError> {
        ContrastiveError::at_least_one("dim", self.dim)?;
        self.predictor_learning_rate.map_or(Ok(()), |rate| ContrastiveError::positive("predictor_learning_rate", rate))
    }

    /// SimSiam of this encoder, projector included, and predictor.
    ///
    /// # Errors
    /// Those of [`validate`](Self::validate), and [`ContrastiveError::Predictor`].
    pub fn init<E: Encode, P: Predictor>(
        &self,
        encoder: E,
        predictor: P,
        device: &Device,
    ) -> Result<SimSiam<E, P>, ContrastiveError> {
        self.validate()?;
        Ok(SimSiam {
            online: Online::new(encoder, predictor, self.dim)?,
            steps: StepCount::new(&device.clone().without_autodiff()),
            config: self.clone(),
        })
    }
}

/// Simple siamese learning (Chen & He, arXiv 2011.10566): no negatives and no average.
///
/// ```text
/// z = f(x)                          embedding of a view x by the encoder f, projector included
/// p = h(z)                          its prediction, h the predictor
/// D(p, z) = −(p/‖p‖)·(z/‖z‖)                                          (eq. 1), mean over the batch
/// L = ½·D(p₁, stopgrad(z₂)) + ½·D(p₂, stopgrad(z₁))                   (eq. 4)
/// ```
///
/// One forward pass of each view gives both its prediction and the other's target. L lies in [−1, 1]. Without the
/// stop-gradient, or without a predictor, all features become one within the first epochs: the loss is −1 then, and no
/// NaN tells. Watch [`spread`](crate::evaluation::spread) and [`Contrast::accuracy`], see [`negative_cosine`].
///
/// The paper's predictor keeps its learning rate while that of the rest falls:
/// [`SimSiamConfig::with_constant_predictor`]. Where ours differs: that is off unless it is asked for, because the rate to
/// keep is the optimizer's to know.
#[derive(Module, Debug)]
pub struct SimSiam<E: Module, P: Module> {
    /// What the optimizer trains: encoder with projector, and predictor.
    pub online: Online<E, P>,
    steps: StepCount,
    #[module(skip)]
    config: SimSiamConfig,
}

impl<E: Encode, P: Predictor> SimSiam<E, P> {
    /// The settings.
    pub fn config(&self) -> &SimSiamConfig {
        &self.config
    }

    /// An independent copy of the encoder, projector included and without gradients: for evaluation or for a file.
    pub fn export(&self) -> E {
        detached_copy(&self.online.encoder)
    }

    fn outcome(&self, batch: ViewPair<E::Input>) -> Result<Contrast, ContrastiveError> {
        check_batch(&self.online.encoder, &batch)?;
        let dim = self.config.dim;
        let (z1, z2) = (self.online.embed(batch.query, dim)?, self.online.embed(batch.key, dim)?); // [batch, dim]
        let predict = |z| self.online.predictor.predict(z); // [batch, dim]
        let (p1, p2) = (predict(z1.clone()), predict(z2.clone()));
        // `negative_cosine` takes its second argument as a constant: the stop-gradient.
        finite_on_host(negative_cosine(p1, z2)?.mean(negative_cosine(p2, z1)?))
    }

    /// `rate`, and the predictor's own where it has one.
    fn rates(&self, rate: ModuleLearningRate) -> ModuleLearningRate {
        match self.config.predictor_learning_rate {
            Some(own) => {
                let predictor = ParamGroup::ids_from_module(self.online.predictor.clone());
                ModuleLrScheduler::new(rate.base()).with_group(predictor, own).step()
            }
            None => rate,
        }
    }
}

impl<E: Encode, P: Predictor> Contrastive for SimSiam<E, P> {
    type Encoder = E;
    type Trained = Online<E, P>;
    type Settings = SimSiamConfig;

    fn contrast(self, batch: ViewPair<E::Input>) -> Contrasted<Self> {
        let outcome = self.outcome(batch);
        counted(self, outcome, |method| &mut method.steps)
    }

    online_accessors!();

    fn diagnose(&self, _samples: usize, batch: usize) -> Vec<Warning> {
        let splits = diagnose_whole_batch("SimSiam", self.online.encoder.splits());
        splits.into_iter().chain(diagnose_batch("SimSiam", batch, 256)).collect()
    }

    /// Steps encoder and projector with the learning rate, and the predictor with its own where it has one; of several
    /// rates that are given the first, of all parameters, then counts.
    ///
    /// # Panics
    /// As the trait's.
    fn optimize(
        self,
        optimizer: &mut ModuleOptimizer,
        learning_rate: impl Into<ModuleLearningRate>,
        gradients: GradientsParams,
    ) -> Self {
        require_gradients_of(&self.online.predictor, &gradients);
        let rates = self.rates(learning_rate.into());
        let method = self.map_trained(|online| optimizer.step(rates, online, gradients));
        sync_running_state(&method);
        method
    }
}
