use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use burn::optim::decay::WeightDecayConfig;
use burn::optim::{Adam, AdamConfig, AdamState, LearningRate, ModuleOptimizer, Optimizer};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::OptimError;

/// How to step: the settings of [`RampedAdam`].
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `beta_1` | 0.9 | decay of the mean of gradients, until [`Betas::set`] changes it | [0, 1) |
/// | `beta_2` | 0.999 | decay of the mean of squared gradients, likewise | [0, 1) |
/// | `epsilon` | 1e-8 | keeps a step finite where gradients are 0 | > 0 |
/// | `weight_decay` | 0 | weight λ of the L2 penalty, whose gradient λ·θ is added to the loss's | ≥ 0, finite |
///
/// The defaults are those of the paper and of `torch.optim.Adam`. Burn's `AdamConfig` has an ε of 1e-5 by default.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RampedAdamConfig {
    /// Decay of the mean of gradients.
    pub beta_1: f32,
    /// Decay of the mean of squared gradients.
    pub beta_2: f32,
    /// Keeps a step finite.
    pub epsilon: f32,
    /// Weight of the L2 penalty.
    pub weight_decay: f32,
}

impl Default for RampedAdamConfig {
    fn default() -> Self {
        Self { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-8, weight_decay: 0.0 }
    }
}

impl RampedAdamConfig {
    /// Checks every setting.
    ///
    /// # Errors
    /// The variant of [`OptimError`] for the setting.
    pub fn validate(&self) -> Result<(), OptimError> {
        let Self { beta_1, beta_2, epsilon, weight_decay } = *self;
        for (field, beta) in [("beta_1", beta_1), ("beta_2", beta_2)] {
            if !(0.0..1.0).contains(&beta) {
                return Err(OptimError::Beta { field, value: beta.into() });
            }
        }
        if !(epsilon > 0.0 && epsilon.is_finite()) {
            return Err(OptimError::Epsilon { value: epsilon.into() });
        }
        if !(0.0..=f32::MAX).contains(&weight_decay) {
            return Err(OptimError::WeightDecay { value: weight_decay.into() });
        }
        Ok(())
    }

    /// The decays of a new optimizer: a handle that changes them from step to step.
    pub fn betas(&self) -> Betas {
        Betas::new(self.beta_1, self.beta_2)
    }

    /// The bare optimizer, for [`ModuleOptimizer::with_group`], with decays that may be shared with other groups.
    ///
    /// # Errors
    /// Those of [`validate`](Self::validate).
    pub fn build(&self, betas: &Betas) -> Result<RampedAdam, OptimError> {
        self.validate()?;
        let config = AdamConfig::new().with_epsilon(self.epsilon);
        let config = match self.weight_decay > 0.0 {
            true => config.with_weight_decay(Some(WeightDecayConfig::new(self.weight_decay))),
            false => config,
        };
        Ok(RampedAdam { config, betas: betas.clone() })
    }

    /// The optimizer of a whole module, and the handle to its decays.
    ///
    /// # Errors
    /// Those of [`validate`](Self::validate).
    pub fn init(&self) -> Result<(ModuleOptimizer, Betas), OptimError> {
        let betas = self.betas();
        Ok((self.build(&betas)?.into(), betas))
    }
}

/// Adam's two decays, which a schedule may change between steps. Clones share them.
#[derive(Debug, Clone)]
pub struct Betas(Arc<AtomicU64>);

impl Betas {
    /// Decays with these values.
    pub fn new(beta_1: f32, beta_2: f32) -> Self {
        let betas = Self(Arc::default());
        betas.set(beta_1, beta_2);
        betas
    }

    /// Sets the decays of the coming steps, in [0, 1).
    pub fn set(&self, beta_1: f32, beta_2: f32) {
        let both = (u64::from(beta_1.to_bits()) << 32) | u64::from(beta_2.to_bits());
        self.0.store(both, Ordering::Relaxed);
    }

    /// Both decays.
    pub fn get(&self) -> (f32, f32) {
        let both = self.0.load(Ordering::Relaxed);
        (f32::from_bits((both >> 32) as u32), f32::from_bits(both as u32))
    }
}

/// Burn's Adam (Kingma & Ba, arXiv 1412.6980, algorithm 1) with decays that may change from step to step.
///
/// Mean Teacher lowers β₁ with the learning rate and raises β₂ after the ramp-up (arXiv 1703.01780, §B.1). The correction of
/// the bias uses the present decay for all earlier steps, `1 − βᵗ`, as the authors' code does. Its state is Burn's: a training that
/// began with one continues with the other.
#[derive(Debug, Clone)]
pub struct RampedAdam {
    config: AdamConfig,
    betas: Betas,
}

impl Optimizer for RampedAdam {
    type State<const D: usize> = AdamState<D>;

    fn step<const D: usize>(
        &self,
        rate: LearningRate,
        weight: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<AdamState<D>>,
    ) -> (Tensor<D>, Option<AdamState<D>>) {
        let (beta_1, beta_2) = self.betas.get();
        let adam = self.config.clone().with_beta_1(beta_1).with_beta_2(beta_2).build();
        adam.step(rate, weight, gradient, state)
    }

    fn to_device<const D: usize>(state: AdamState<D>, device: &Device) -> AdamState<D> {
        Adam::to_device(state, device)
    }
}
