use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use slowburn_ema::{Decay, Ema, EmaConfig, StepCount, detached_copy, sync_running_state};

use super::{
    Contrasted, Contrastive, EncoderRole, check_batch, counted, diagnose_batch, diagnose_decay, diagnose_whole_batch,
    finite_on_host, online_accessors,
};
use crate::predict::require_gradients_of;
use crate::{Contrast, ContrastiveError, Encode, Online, Predictor, ViewPair, Warning, negative_cosine};

/// The settings of [`Byol`].
///
/// | Name | [`paper`](Self::paper) | Purpose | Range |
/// |---|---|---|---|
/// | `dim` | 256 | length of an embedding | ≥ 1 |
/// | `decay` | half a cosine from 0.996 to 1 | weight of the old target network in its average, the paper's τ | [0, 1] |
///
/// The heads belong to encoder and predictor (`MlpHeadConfig::byol` of `slowburn-models`), the learning rate to the
/// optimizer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ByolConfig {
    /// The length of an embedding.
    pub dim: usize,
    /// The weight of the old target network in its average, by step.
    pub decay: Decay,
}

impl ByolConfig {
    /// BYOL on ImageNet over 1,000 epochs (arXiv 2006.07733, §3.2): 256, decay by half a cosine from 0.996 to 1 over
    /// `steps`, those of the whole training.
    ///
    /// For 100 and 300 epochs the authors' code begins with 0.99.
    pub fn paper(steps: u64) -> Self {
        Self { dim: 256, decay: Decay::Cosine { base: 0.996, end: 1.0, steps } }
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// [`ContrastiveError::OutOfRange`] or [`ContrastiveError::Average`], which name the setting.
    pub fn validate(&self) -> Result<(), ContrastiveError> {
        ContrastiveError::at_least_one("dim", self.dim)?;
        Ok(self.decay.validate()?)
    }

    /// The target network starts as a copy of `online`, projector included.
    ///
    /// In the authors' code it starts with weights of its own: [`init_apart`](Self::init_apart).
    ///
    /// # Errors
    /// Those of [`validate`](Self::validate), and [`ContrastiveError::Predictor`].
    pub fn init<E: Encode, P: Predictor>(
        &self,
        online: E,
        predictor: P,
        device: &Device,
    ) -> Result<Byol<E, P>, ContrastiveError> {
        let target = detached_copy(&online);
        self.init_apart(online, predictor, &target, device)
    }

    /// The target network starts as a copy of `target`: the same network from other random numbers, as in the authors'
    /// code.
    ///
    /// # Errors
    /// Those of [`init`](Self::init), and [`ContrastiveError::Average`] where the two are not of one shape.
    pub fn init_apart<E: Encode, P: Predictor>(
        &self,
        online: E,
        predictor: P,
        target: &E,
        device: &Device,
    ) -> Result<Byol<E, P>, ContrastiveError> {
        self.validate()?;
        let target = EmaConfig::new(self.decay).init(target)?;
        target.fits(&online)?;
        Ok(Byol {
            online: Online::new(online, predictor, self.dim)?,
            target,
            steps: StepCount::new(&device.clone().without_autodiff()),
            config: self.clone(),
        })
    }
}

/// Bootstrap your own latent (Grill et al., arXiv 2006.07733): no negatives.
///
/// ```text
/// p = g(f(x, θ))           prediction of a view x by the online network f, projector included, and the predictor g
/// z′ = f(x′, ξ)            target of the other view by the target network, without gradient
/// ℓ(x, x′) = ‖p/‖p‖ − z′/‖z′‖‖² = 2 − 2·cos(p, z′)                    (eq. 2), mean over the batch
/// L = ℓ(x, x′) + ℓ(x′, x)                                             §3.1
/// θ ← optimizer(θ, ∇L)     encoder, projector and predictor           (eq. 3)
/// ξ ← τ·ξ + (1 − τ)·θ      of encoder and projector, **after** the optimizer's step (eq. 4)
/// τ = 1 − (1 − τ₀)·(cos(πk/K) + 1)/2                                  §3.2, at step k of K
/// ```
///
/// L is the **sum** of both directions: a mean wants twice the learning rate. The predictor belongs to the online network
/// alone. The target is in training mode, with running statistics of its own. What is scored is the online network below its
/// projector.
///
/// Nothing in the loss forbids that all features are one; the predictor and the average keep them apart. Watch
/// [`spread`](crate::evaluation::spread) and [`Contrast::accuracy`], see [`negative_cosine`].
///
/// Where ours differs: steps are counted from 1 in the cosine, so that τ at step k is theirs at k + 1. By default the target
/// starts as a copy ([`ByolConfig::init`]), which the authors' does not. Any optimizer takes the gradients; the
/// paper's is LARS, which is in `slowburn-optim`.
#[derive(Module, Debug)]
pub struct Byol<E: Module, P: Module> {
    /// What the optimizer trains: encoder with projector, and predictor.
    pub online: Online<E, P>,
    /// The average of encoder and projector.
    pub target: Ema<E>,
    steps: StepCount,
    #[module(skip)]
    config: ByolConfig,
}

impl<E: Encode, P: Predictor> Byol<E, P> {
    /// The settings.
    pub fn config(&self) -> &ByolConfig {
        &self.config
    }

    /// An independent copy of the online encoder ([`EncoderRole::Query`]) or of the target, projector included and
    /// without gradients: for evaluation or for a file.
    pub fn export(&self, which: EncoderRole) -> E {
        match which {
            EncoderRole::Query => detached_copy(&self.online.encoder),
            EncoderRole::Key => self.target.export(),
        }
    }

    /// The targets of a view, `[batch, dim]`, without gradient.
    fn targets(&self, view: E::Input) -> Tensor<2> {
        self.target.with_module(|target| target.embed(view)).detach()
    }

    fn outcome(&self, batch: ViewPair<E::Input>) -> Result<Contrast, ContrastiveError> {
        check_batch(&self.online.encoder, &batch)?;
        self.target.fits(&self.online.encoder)?;
        let dim = self.config.dim;
        let predictions = self.online.predict(batch.query.clone(), dim)?; // [batch, dim]
        let others = self.online.predict(batch.key.clone(), dim)?;
        let first = negative_cosine(predictions, self.targets(batch.key))?;
        let second = negative_cosine(others, self.targets(batch.query))?;
        // The sum of two (2 + 2·D).
        finite_on_host(first.mean(second).scaled(4.0).raised(4.0))
    }
}

impl<E: Encode, P: Predictor> Contrastive for Byol<E, P> {
    type Encoder = E;
    type Trained = Online<E, P>;
    type Settings = ByolConfig;

    fn contrast(self, batch: ViewPair<E::Input>) -> Contrasted<Self> {
        let outcome = self.outcome(batch);
        counted(self, outcome, |method| &mut method.steps)
    }

    online_accessors!(target);

    fn diagnose(&self, _samples: usize, batch: usize) -> Vec<Warning> {
        let splits = diagnose_whole_batch("BYOL", self.online.encoder.splits());
        splits.into_iter().chain(diagnose_batch("BYOL", batch, 256)).collect()
    }

    fn diagnose_length(&self, steps: u64) -> Option<Warning> {
        diagnose_decay(self.config.decay, steps)
    }

    /// Steps encoder, projector and predictor, then moves the target.
    ///
    /// # Panics
    /// As the trait's, and if the encoder is another model than in [`contrast`](Contrastive::contrast).
    fn optimize(
        self,
        optimizer: &mut ModuleOptimizer,
        learning_rate: impl Into<ModuleLearningRate>,
        gradients: GradientsParams,
    ) -> Self {
        require_gradients_of(&self.online.predictor, &gradients);
        let method = self.map_trained(|online| optimizer.step(learning_rate, online, gradients));
        // After the optimizer: the targets of the next step are those of the weights that this one made.
        let target = method.target.update(&method.online.encoder);
        let target = target.unwrap_or_else(|error| panic!("the encoder was exchanged during a step: {error}"));
        let method = Self { target, ..method };
        sync_running_state(&method);
        method
    }
}
