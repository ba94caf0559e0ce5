use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use slowburn_ema::{Decay, Ema, EmaConfig, Refused, StepCount, detached_copy, sync_running_state};

use super::{
    Contrasted, Contrastive, EncoderRole, check_batch, counted, diagnose_decay, diagnose_negatives,
    diagnose_whole_batch, finite_on_host, online_accessors,
};
use crate::predict::require_gradients_of;
use crate::{Contrast, ContrastiveError, Encode, InfoNce, Online, Predictor, ViewPair, Warning, normalize};

/// The settings of [`MocoV3`].
///
/// | Name | [`resnet`](Self::resnet) | Purpose | Range |
/// |---|---|---|---|
/// | `dim` | 256 | length of an embedding | ≥ 1 |
/// | `decay` | half a cosine from 0.99 to 1 | weight of the old key encoder in its average, the paper's m | [0, 1] |
/// | `loss` | τ = 1 | temperature, and whether decoupled | |
///
/// The heads belong to encoder and predictor (`MlpHeadConfig::moco_v3_projector` and `moco_v3_predictor` of
/// `slowburn-models`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MocoV3Config {
    /// The length of an embedding.
    pub dim: usize,
    /// The weight of the old key encoder in its average, by step.
    pub decay: Decay,
    /// Temperature, and whether decoupled.
    pub loss: InfoNce,
}

impl MocoV3Config {
    /// MoCo v3 on ResNet-50 over 100 or 300 epochs (arXiv 2104.02057, and the authors' code): 256, τ 1, decay by half a
    /// cosine from 0.99 to 1 over `steps`, those of the whole training.
    ///
    /// For 1,000 epochs it begins with 0.996. On CIFAR-10 a temperature of 0.2 is usual (solo-learn).
    pub fn resnet(steps: u64) -> Self {
        Self { dim: 256, decay: Decay::Cosine { base: 0.99, end: 1.0, steps }, loss: InfoNce::new(1.0) }
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// [`ContrastiveError::OutOfRange`] or [`ContrastiveError::Average`], which name the setting.
    pub fn validate(&self) -> Result<(), ContrastiveError> {
        ContrastiveError::at_least_one("dim", self.dim)?;
        self.loss.validate()?;
        Ok(self.decay.validate()?)
    }

    /// The key encoder starts as a copy of `query`, projector included.
    ///
    /// # Errors
    /// Those of [`validate`](Self::validate), and [`ContrastiveError::Predictor`].
    pub fn init<E: Encode, P: Predictor>(
        &self,
        query: E,
        predictor: P,
        device: &Device,
    ) -> Result<MocoV3<E, P>, ContrastiveError> {
        self.validate()?;
        Ok(MocoV3 {
            key: EmaConfig::new(self.decay).init(&query)?,
            online: Online::new(query, predictor, self.dim)?,
            steps: StepCount::new(&device.clone().without_autodiff()),
            config: self.clone(),
        })
    }
}

/// MoCo v3 (Chen et al., arXiv 2104.02057), as its authors train residual networks: in-batch keys instead of a queue, and a
/// predictor.
///
/// ```text
/// qᵢ = normalize(g(f(xᵢ, θ)))         of both views i, f with its projector, g the predictor
/// θ̄ ← m·θ̄ + (1 − m)·θ                 of encoder and projector, between query and key forward
/// kᵢ = normalize(f(xᵢ, θ̄))            without gradient, in training mode
/// ctr(q, k) = 2τ·CE(q·Kᵀ/τ)           the positive is the key of the same sample, the negatives the batch's other keys
/// L = ctr(q₁, k₂) + ctr(q₂, k₁)                                        (eq. 1, algorithm 1)
/// m = 1 − (1 − m₀)·(cos(πt/T) + 1)/2   at step t of T
/// ```
///
/// The negatives of a query are the other keys of one view: the batch less 1. The paper trains with batches of
/// 4,096. The factor 2τ makes the gradient's size independent of the temperature; with it the learning rate is the
/// paper's.
///
/// Keys are not shuffled: statistics of the paper are those of the whole batch, of all devices together. Give the encoder
/// plain batch normalisation.
///
/// Where ours differs: the decay's cosine counts steps from 1, theirs from 0. Any optimizer takes the gradients; the
/// paper's is LARS, which is in `slowburn-optim`. On vision transformers the paper uses other heads and freezes the patch projection; this crate has no
/// transformer.
#[derive(Module, Debug)]
pub struct MocoV3<E: Module, P: Module> {
    /// What the optimizer trains: query encoder with projector, and predictor.
    pub online: Online<E, P>,
    /// The average of encoder and projector.
    pub key: Ema<E>,
    steps: StepCount,
    #[module(skip)]
    config: MocoV3Config,
}

impl<E: Encode, P: Predictor> MocoV3<E, P> {
    /// The settings.
    pub fn config(&self) -> &MocoV3Config {
        &self.config
    }

    /// An independent copy of one encoder, projector included and without gradients: for evaluation or for a file.
    pub fn export(&self, which: EncoderRole) -> E {
        match which {
            EncoderRole::Query => detached_copy(&self.online.encoder),
            EncoderRole::Key => self.key.export(),
        }
    }

    /// The queries of both views, each `[batch, dim]`, of a batch that fits.
    fn queries(&self, batch: &ViewPair<E::Input>) -> Result<[Tensor<2>; 2], ContrastiveError> {
        check_batch(&self.online.encoder, batch)?;
        let predict = |view: &E::Input| self.online.predict(view.clone(), self.config.dim);
        Ok([normalize(predict(&batch.query)?), normalize(predict(&batch.key)?)])
    }

    /// The keys of a view, `[batch, dim]`, without gradient.
    fn keys(&self, view: E::Input) -> Tensor<2> {
        normalize(self.key.with_module(|key| key.embed(view)).detach())
    }

    fn outcome(&self, queries: [Tensor<2>; 2], batch: ViewPair<E::Input>) -> Result<Contrast, ContrastiveError> {
        let loss = self.config.loss;
        let [q1, q2] = queries;
        let (k1, k2) = (self.keys(batch.query), self.keys(batch.key));
        let both = loss.in_batch(q1, k2)?.mean(loss.in_batch(q2, k1)?);
        // The sum of two, each times 2τ.
        finite_on_host(both.scaled(2.0 * 2.0 * loss.temperature))
    }
}

impl<E: Encode, P: Predictor> Contrastive for MocoV3<E, P> {
    type Encoder = E;
    type Trained = Online<E, P>;
    type Settings = MocoV3Config;

    fn contrast(mut self, batch: ViewPair<E::Input>) -> Contrasted<Self> {
        let queries = match self.queries(&batch) {
            Ok(queries) => queries,
            Err(error) => return Err(Refused::new(self, error)),
        };
        // Once a step, and before the keys: they are those of the average of the weights just used.
        self.key = match self.key.update(&self.online.encoder) {
            Ok(key) => key,
            Err(refused) => return Err(refused.map(|key| Self { key, ..self }, Into::into)),
        };
        let outcome = self.outcome(queries, batch);
        counted(self, outcome, |method| &mut method.steps)
    }

    online_accessors!(key);

    fn diagnose(&self, _samples: usize, batch: usize) -> Vec<Warning> {
        let splits = diagnose_whole_batch("MoCo v3", self.online.encoder.splits());
        splits.into_iter().chain(diagnose_negatives("MoCo v3", batch)).collect()
    }

    fn diagnose_length(&self, steps: u64) -> Option<Warning> {
        diagnose_decay(self.config.decay, steps)
    }

    /// Steps encoder, projector and predictor.
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
        let method = self.map_trained(|online| optimizer.step(learning_rate, online, gradients));
        sync_running_state(&method);
        method
    }
}
