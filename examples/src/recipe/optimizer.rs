use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use burn::module::ParamGroup;
use burn::optim::decay::WeightDecayConfig;
use burn::optim::{Adam, AdamConfig, AdamState};
use burn::optim::{LearningRate, ModuleOptimizer, Optimizer};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use slowburn_optim::FusedSgdConfig;
use slowburn_semi::Ramp;

use super::RampShape;

/// The update rule.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Algorithm {
    /// Adam (arXiv 1412.6980) with ε 1e-8.
    Adam {
        /// Decay of the first moment, in [0, 1).
        beta_1: f32,
        /// Its value after the learning rate has fallen, between which it goes with the ramp; the same for none.
        beta_1_end: f32,
        /// Decay of the second moment, in [0, 1).
        beta_2: f32,
    },
    /// Stochastic gradient descent with momentum, without dampening.
    Sgd {
        /// Weight of the old velocity, in [0, 1).
        momentum: f64,
        /// Nesterov's form.
        nesterov: bool,
    },
}

/// How the student is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OptimizerConfig {
    /// The update rule.
    pub algorithm: Algorithm,
    /// The learning rate at full strength.
    pub learning_rate: f64,
    /// How it rises.
    pub ramp_up: RampShape,
    /// How it falls.
    pub ramp_down: RampShape,
    /// The weight of the L2 penalty, added to the gradient.
    pub weight_decay: f32,
    /// Whether normalisation parameters and biases have the penalty too.
    pub decay_norm_and_bias: bool,
}

impl OptimizerConfig {
    /// Checks every setting.
    ///
    /// # Errors
    /// An error that names the setting, its value and its range.
    pub fn validate(&self) -> anyhow::Result<()> {
        let Self { learning_rate, weight_decay, .. } = *self;
        anyhow::ensure!(
            learning_rate > 0.0 && learning_rate.is_finite(),
            "--lr is {learning_rate}: it must be positive and finite"
        );
        anyhow::ensure!(
            (0.0..f32::INFINITY).contains(&weight_decay),
            "the weight decay is {weight_decay}: it must be finite and at least 0"
        );
        if let Algorithm::Sgd { momentum, nesterov } = self.algorithm {
            sgd(momentum, nesterov, weight_decay).validate()?;
        }
        Ok(())
    }

    /// The optimizer at its first step, of a training of `total` steps.
    ///
    /// # Errors
    /// Those of the algorithm's settings, which [`validate`](Self::validate) finds too.
    pub fn init(&self, steps_per_epoch: usize, total: u64) -> anyhow::Result<OptimizerState> {
        let beta_1 = SharedBeta(Arc::new(AtomicU32::new(0)));
        let mut optimizer = self.build(&beta_1, self.weight_decay)?;
        if self.weight_decay > 0.0 && !self.decay_norm_and_bias {
            let plain = ParamGroup::from_any_predicates(vec!["gamma", "beta", "bias"]);
            optimizer = match self.algorithm {
                Algorithm::Adam { beta_2, .. } => {
                    optimizer.with_group(plain, RampedAdam { config: adam(beta_2, 0.0), beta_1: beta_1.clone() }, None)
                }
                Algorithm::Sgd { momentum, nesterov } => {
                    optimizer.with_group(plain, sgd(momentum, nesterov, 0.0).build()?, None)
                }
            };
        }
        let (ramp_up, ramp_down) = self.ramps(steps_per_epoch, total);
        let stair = self.ramp_down.stair(steps_per_epoch);
        Ok(OptimizerState { optimizer, config: self.clone(), ramp_up, ramp_down, stair, beta_1 })
    }

    /// The schedules of a training of `total` steps, in words.
    pub fn describe(&self, steps_per_epoch: usize, total: u64) -> String {
        let rate = self.learning_rate;
        let stairs = match self.ramp_down.stair(steps_per_epoch) {
            1 => String::new(),
            stair => format!(", in stairs of {stair} steps"),
        };
        match self.ramps(steps_per_epoch, total) {
            (Ramp::Constant, Ramp::Constant) => format!("{rate}, constant"),
            (Ramp::Constant, ramp) | (ramp, Ramp::Constant) => format!("{rate}, {ramp}{stairs}"),
            (up, down) => format!("{rate}, {up}, {down}{stairs}"),
        }
    }

    fn ramps(&self, steps_per_epoch: usize, total: u64) -> (Ramp, Ramp) {
        let in_steps = |ramp: RampShape| ramp.in_steps(steps_per_epoch, total);
        (in_steps(self.ramp_up), in_steps(self.ramp_down))
    }

    fn build(&self, beta_1: &SharedBeta, penalty: f32) -> anyhow::Result<ModuleOptimizer> {
        Ok(match self.algorithm {
            Algorithm::Adam { beta_2, .. } => {
                RampedAdam { config: adam(beta_2, penalty), beta_1: beta_1.clone() }.into()
            }
            Algorithm::Sgd { momentum, nesterov } => sgd(momentum, nesterov, penalty).init()?,
        })
    }
}

fn adam(beta_2: f32, penalty: f32) -> AdamConfig {
    // Burn's default ε is 1e-5; both originals use 1e-8.
    let config = AdamConfig::new().with_beta_2(beta_2).with_epsilon(1e-8);
    match penalty > 0.0 {
        true => config.with_weight_decay(Some(WeightDecayConfig::new(penalty))),
        false => config,
    }
}

fn sgd(momentum: f64, nesterov: bool, penalty: f32) -> FusedSgdConfig {
    FusedSgdConfig::new().with_momentum(momentum).with_nesterov(nesterov).with_weight_decay(penalty.into())
}

/// An optimizer and its schedules, which are pure functions of the step.
pub struct OptimizerState {
    /// Burn's optimizer with its moments.
    pub optimizer: ModuleOptimizer,
    config: OptimizerConfig,
    ramp_up: Ramp,
    ramp_down: Ramp,
    /// Steps for which the fall stays where it is.
    stair: u64,
    beta_1: SharedBeta,
}

impl std::fmt::Debug for OptimizerState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OptimizerState").field("config", &self.config).finish_non_exhaustive()
    }
}

impl OptimizerState {
    /// Sets the schedules to `step`, counted from 0, and returns its learning rate.
    pub fn prepare(&mut self, step: u64) -> f64 {
        let down = self.ramp_down.at(step / self.stair * self.stair);
        if let Algorithm::Adam { beta_1, beta_1_end, .. } = self.config.algorithm {
            let now = down * f64::from(beta_1) + (1.0 - down) * f64::from(beta_1_end);
            self.beta_1.0.store((now as f32).to_bits(), Ordering::Relaxed);
        }
        self.config.learning_rate * self.ramp_up.at(step) * down
    }
}

/// Adam's β₁, which the Mean Teacher paper lowers together with the learning rate (arXiv 1703.01780, §B.1).
#[derive(Debug, Clone)]
struct SharedBeta(Arc<AtomicU32>);

/// Burn's Adam with a β₁ that may change from step to step.
#[derive(Clone)]
struct RampedAdam {
    config: AdamConfig,
    beta_1: SharedBeta,
}

impl Optimizer for RampedAdam {
    type State<const D: usize> = AdamState<D>;

    fn step<const D: usize>(
        &self,
        rate: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        let beta_1 = f32::from_bits(self.beta_1.0.load(Ordering::Relaxed));
        self.config.clone().with_beta_1(beta_1).build().step(rate, tensor, grad, state)
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        Adam::to_device(state, device)
    }
}
