use burn::optim::{LearningRate, ModuleOptimizer, Optimizer};
use burn::tensor::{Device, FloatDType, Tensor};
use serde::{Deserialize, Serialize};

use crate::{FusedSgd, FusedSgdConfig, FusedSgdState, OptimError};

/// How to step: the settings of [`Lars`].
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `momentum` | 0.9 | weight μ of the old velocity; 0 for no velocity | [0, 1) |
/// | `weight_decay` | 0 | weight λ of the L2 penalty, whose gradient λ·θ is added to the loss's | ≥ 0, finite in f32 |
/// | `trust` | 0.001 | ψ: how long a step is beside its weight, at a learning rate of 1 | > 0, finite |
/// | `clip` | false | whether a layer's own rate may raise the learning rate (false) or only lower it (true) | |
///
/// Momentum and trust are those of the paper, BYOL and MoCo v3.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LarsConfig {
    /// Weight of the old velocity.
    pub momentum: f64,
    /// Weight of the L2 penalty.
    pub weight_decay: f64,
    /// How long a step is beside its weight.
    pub trust: f64,
    /// Whether a layer's own rate only lowers the learning rate.
    pub clip: bool,
}

impl Default for LarsConfig {
    fn default() -> Self {
        Self { momentum: 0.9, weight_decay: 0.0, trust: 0.001, clip: false }
    }
}

impl LarsConfig {
    /// Sets the weight of the old velocity.
    pub fn with_momentum(self, momentum: f64) -> Self {
        Self { momentum, ..self }
    }

    /// Sets the weight of the L2 penalty.
    pub fn with_weight_decay(self, weight_decay: f64) -> Self {
        Self { weight_decay, ..self }
    }

    /// Sets how long a step is beside its weight.
    pub fn with_trust(self, trust: f64) -> Self {
        Self { trust, ..self }
    }

    /// Sets whether a layer's own rate only lowers the learning rate.
    pub fn with_clip(self, clip: bool) -> Self {
        Self { clip, ..self }
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// The variant of [`OptimError`] for the setting.
    pub fn validate(&self) -> Result<(), OptimError> {
        self.descent().with_weight_decay(self.weight_decay).validate()?;
        match self.trust > 0.0 && self.trust.is_finite() {
            true => Ok(()),
            false => Err(OptimError::Trust { value: self.trust }),
        }
    }

    /// The bare optimizer, for [`ModuleOptimizer::with_group`].
    ///
    /// # Errors
    /// Those of [`validate`](Self::validate).
    pub fn build(&self) -> Result<Lars, OptimError> {
        self.validate()?;
        Ok(Lars { config: *self, descent: self.descent().build()? })
    }

    /// The optimizer of a whole module.
    ///
    /// # Errors
    /// Those of [`validate`](Self::validate).
    pub fn init(&self) -> Result<ModuleOptimizer, OptimError> {
        Ok(self.build()?.into())
    }

    /// The descent along the scaled gradient, which holds the penalty already.
    fn descent(&self) -> FusedSgdConfig {
        FusedSgdConfig::new().with_momentum(self.momentum)
    }
}

/// Layer-wise adaptive rate scaling (LARS: You et al., arXiv 1708.03888, eq. 6), by which BYOL and MoCo v3 train: every weight
/// has a learning rate of its own, so that large batches and rates do not tear small weights apart.
///
/// ```text
/// r ← ψ·‖θ‖ / (‖g‖ + λ·‖θ‖)     1 where ‖θ‖ or ‖g‖ is 0; with `clip`, min(r/η, 1)
/// v ← μ·v + r·(g + λ·θ)          r·(g + λ·θ) at a weight's first step
/// θ ← θ − η·v
/// ```
///
/// θ is a weight, g the gradient of the loss with respect to it, ‖·‖ the Euclidean norm over all of it, in f32, v its velocity, η the
/// learning rate of the step, and μ, λ, ψ are momentum, weight decay and trust of [`LarsConfig`].
///
/// A weight of one axis has neither a rate of its own nor the penalty: biases and the scales and offsets of normalisations are spared
/// both by BYOL (arXiv 2006.07733, §3.3), SimCLR and MoCo v3.
///
/// Where ours differs: as in PyTorch, η multiplies the whole velocity, where the paper's η is in its new part only. BYOL's and MoCo v3's code
/// divides by ‖g + λ·θ‖.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lars {
    config: LarsConfig,
    descent: FusedSgd,
}

impl Lars {
    /// The settings.
    pub fn config(&self) -> &LarsConfig {
        &self.config
    }

    /// `r·(g + λ·θ)`, in the weight's type.
    fn scaled<const D: usize>(&self, rate: f64, weight: &Tensor<D>, gradient: Tensor<D>) -> Tensor<D> {
        let LarsConfig { weight_decay, trust, clip, .. } = self.config;
        let [long, steep] = [norm(weight.clone()), norm(gradient.clone())];
        let neither = long.clone().equal_elem(0.0).bool_or(steep.clone().equal_elem(0.0));
        let own = long.clone().mul_scalar(trust) / (steep + long.mul_scalar(weight_decay));
        let own = match clip {
            true => own.div_scalar(rate).clamp_max(1.0),
            false => own,
        };
        let own = own.mask_fill(neither, 1.0).cast(weight.dtype()); // [1]
        let mut gradient = gradient.cast(weight.dtype());
        if weight_decay != 0.0 {
            gradient = gradient + weight.clone().mul_scalar(weight_decay);
        }
        gradient * own.unsqueeze()
    }
}

/// The Euclidean norm `[1]`, in f32. Rows are summed first: the order of additions is then the same for any number of threads.
fn norm<const D: usize>(tensor: Tensor<D>) -> Tensor<1> {
    let dims = tensor.dims();
    let (rows, all) = (dims[0], dims.iter().product::<usize>());
    let squares = tensor.cast(FloatDType::F32).square().reshape([rows, all / rows.max(1)]);
    squares.sum_dim(1).sum().sqrt()
}

impl Optimizer for Lars {
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
        // Before it is scaled; the descent checks the velocity.
        assert_eq!(gradient.dims(), weight.dims(), "a gradient has the shape of its weight");
        let gradient = match D {
            0 | 1 => gradient,
            _ => self.scaled(rate, &weight, gradient),
        };
        self.descent.step(rate, weight, gradient, state)
    }

    fn to_device<const D: usize>(state: FusedSgdState<D>, device: &Device) -> FusedSgdState<D> {
        FusedSgd::to_device(state, device)
    }
}
