use burn::optim::{LearningRate, ModuleOptimizer, Optimizer, RecordState};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::OptimError;
use crate::kernel::{self, Rule, Slot};

/// How to descend: the settings of [`FusedSgd`].
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `momentum` | 0 | weight μ of the old velocity; 0 for no velocity | [0, 1) |
/// | `dampening` | 0 | τ: the gradient enters the velocity with weight 1−τ, from the second step on | [0, 1] |
/// | `weight_decay` | 0 | weight λ of the L2 penalty, whose gradient λ·θ is added to the loss's | ≥ 0, finite in f32 |
/// | `nesterov` | false | step along `g + μ·v` instead of `v` | needs μ > 0 and τ = 0 |
///
/// The defaults are those of `torch.optim.SGD`. Burn's `MomentumConfig` has a dampening of 0.1 by default. The learning
/// rate is an argument of each step; gradients are clipped by
/// [`ModuleOptimizer::with_grad_clipping`](burn::optim::ModuleOptimizer::with_grad_clipping).
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct FusedSgdConfig {
    /// Weight of the old velocity.
    pub momentum: f64,
    /// 1 minus the weight of the gradient in the velocity.
    pub dampening: f64,
    /// Weight of the L2 penalty.
    pub weight_decay: f64,
    /// Nesterov's form.
    pub nesterov: bool,
}

impl FusedSgdConfig {
    /// Plain gradient descent.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the weight of the old velocity.
    pub fn with_momentum(mut self, momentum: f64) -> Self {
        self.momentum = momentum;
        self
    }

    /// Sets 1 minus the weight of the gradient in the velocity.
    pub fn with_dampening(mut self, dampening: f64) -> Self {
        self.dampening = dampening;
        self
    }

    /// Sets the weight of the L2 penalty.
    pub fn with_weight_decay(mut self, weight_decay: f64) -> Self {
        self.weight_decay = weight_decay;
        self
    }

    /// Sets whether steps take Nesterov's form.
    pub fn with_nesterov(mut self, nesterov: bool) -> Self {
        self.nesterov = nesterov;
        self
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// The variant of [`OptimError`] for the setting.
    pub fn validate(&self) -> Result<(), OptimError> {
        let Self { momentum, dampening, weight_decay, nesterov } = *self;
        if !(0.0..1.0).contains(&momentum) {
            return Err(OptimError::Momentum { value: momentum });
        }
        if !(0.0..=1.0).contains(&dampening) {
            return Err(OptimError::Dampening { value: dampening });
        }
        if !(0.0..=f64::from(f32::MAX)).contains(&weight_decay) {
            return Err(OptimError::WeightDecay { value: weight_decay });
        }
        if nesterov && !(momentum > 0.0 && dampening == 0.0) {
            return Err(OptimError::Nesterov { momentum, dampening });
        }
        Ok(())
    }

    /// The bare optimizer, for [`ModuleOptimizer::with_group`](burn::optim::ModuleOptimizer::with_group).
    ///
    /// # Errors
    /// Those of [`validate`](Self::validate).
    pub fn build(&self) -> Result<FusedSgd, OptimError> {
        self.validate()?;
        Ok(FusedSgd { config: *self })
    }

    /// The optimizer of a whole module.
    ///
    /// # Errors
    /// Those of [`validate`](Self::validate).
    pub fn init(&self) -> Result<ModuleOptimizer, OptimError> {
        Ok(self.build()?.into())
    }
}

/// Stochastic gradient descent, with PyTorch's semantics (`torch.optim.SGD`):
///
/// ```text
/// g ← g + λ·θ
/// v ← g                     at a weight's first step
/// v ← μ·v + (1−τ)·g         from then on
/// θ ← θ − η·v               or θ ← θ − η·(g + μ·v), Nesterov's
/// ```
///
/// θ is a weight, g the gradient of the loss with respect to it, v its velocity, η the learning rate of the step, and μ, τ, λ are
/// momentum, dampening and weight decay of [`FusedSgdConfig`]. Without momentum `θ ← θ − η·g`, and no velocity is kept.
///
/// The form with momentum is Sutskever et al.'s (ICML 2013, eq. 1 to 4) in PyTorch's variant, where η multiplies the
/// whole velocity: a change of η acts on the old part of v too.
///
/// Everything is computed in the weight's type, even if the gradient has another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FusedSgd {
    config: FusedSgdConfig,
}

impl FusedSgd {
    /// The settings.
    pub fn config(&self) -> &FusedSgdConfig {
        &self.config
    }
}

/// What [`FusedSgd`] keeps of a weight from step to step.
///
/// Its record has the names of Burn's SGD: a training that began with one continues with the other.
#[derive(RecordState, Debug, Clone)]
pub struct FusedSgdState<const D: usize> {
    /// None without momentum.
    pub momentum: Option<Velocity<D>>,
}

/// `v`, in the shape of its weight.
#[derive(RecordState, Debug, Clone)]
pub struct Velocity<const D: usize> {
    /// The tensor.
    pub velocity: Tensor<D>,
}

impl Optimizer for FusedSgd {
    type State<const D: usize> = FusedSgdState<D>;

    /// One step of one weight.
    ///
    /// # Shapes
    /// Weight, gradient and velocity have the same shape.
    ///
    /// # Panics
    /// If they do not.
    fn step<const D: usize>(
        &self,
        rate: LearningRate,
        weight: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<FusedSgdState<D>>,
    ) -> (Tensor<D>, Option<FusedSgdState<D>>) {
        let velocity = state.and_then(|state| state.momentum).map(|momentum| momentum.velocity);
        assert_eq!(gradient.dims(), weight.dims(), "a gradient has the shape of its weight");
        if let Some(velocity) = &velocity {
            assert_eq!(velocity.dims(), weight.dims(), "a velocity has the shape of its weight");
        }
        let (weight, velocity) = kernel::step(Rule::new(&self.config, rate), Slot { weight, gradient, velocity });
        (weight, Some(FusedSgdState { momentum: velocity.map(|velocity| Velocity { velocity }) }))
    }

    fn to_device<const D: usize>(state: FusedSgdState<D>, device: &Device) -> FusedSgdState<D> {
        let to_device = |Velocity { velocity }: Velocity<D>| Velocity { velocity: velocity.to_device(device) };
        FusedSgdState { momentum: state.momentum.map(to_device) }
    }
}
