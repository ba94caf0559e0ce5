use burn::module::ParamGroup;
use burn::optim::ModuleOptimizer;
use serde::{Deserialize, Serialize};
use slowburn_ema::{Length, Ramp, Schedule, Timeline};
use slowburn_optim::{Betas, FusedSgdConfig, LarsConfig, OptimError, RampedAdamConfig};

use super::TrainError;

/// The update rule.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Algorithm {
    /// Adam (arXiv 1412.6980).
    Adam {
        /// Decay of the first moment, in [0, 1).
        beta_1: f32,
        /// Its value after the fall of the learning rate, which it follows; equal to `beta_1` for no change.
        beta_1_end: f32,
        /// Decay of the second moment, in [0, 1).
        beta_2: f32,
        /// Keeps a step finite: 1e-8 by default.
        #[serde(default = "epsilon")]
        epsilon: f32,
    },
    /// Stochastic gradient descent with momentum, without dampening.
    Sgd {
        /// Weight of the old velocity, in [0, 1).
        momentum: f64,
        /// Nesterov's form.
        nesterov: bool,
    },
    /// Layer-wise adaptive rate scaling (LARS, arXiv 1708.03888), which spares normalisation parameters and biases.
    Lars {
        /// Weight of the old velocity, in [0, 1).
        momentum: f64,
        /// How long a step is beside its weight, at a learning rate of 1; > 0.
        trust: f64,
        /// Whether a layer's own rate may only lower the learning rate.
        #[serde(default)]
        clip: bool,
    },
}

/// Burn's default is 1e-5; both originals use 1e-8.
fn epsilon() -> f32 {
    1e-8
}

/// How weights are moved: rule, learning rate, penalty.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OptimizerConfig {
    /// The update rule.
    pub algorithm: Algorithm,
    /// The learning rate by step.
    #[serde(flatten)]
    pub schedule: Schedule,
    /// The weight of the L2 penalty, added to the gradient.
    pub weight_decay: f32,
    /// Whether the penalty applies to normalisation parameters and biases too.
    pub decay_norm_and_bias: bool,
}

impl OptimizerConfig {
    /// Stochastic gradient descent with momentum 0.9 and a learning rate that falls as half a cosine.
    pub fn sgd(learning_rate: f64) -> Self {
        Self {
            algorithm: Algorithm::Sgd { momentum: 0.9, nesterov: false },
            schedule: Schedule::cosine(learning_rate),
            weight_decay: 0.0,
            decay_norm_and_bias: true,
        }
    }

    /// Adam with the paper's decays and a learning rate that falls as half a cosine.
    pub fn adam(learning_rate: f64) -> Self {
        let algorithm = Algorithm::Adam { beta_1: 0.9, beta_1_end: 0.9, beta_2: 0.999, epsilon: epsilon() };
        Self { algorithm, ..Self::sgd(learning_rate) }
    }

    /// LARS with the paper's momentum and trust and a learning rate that falls as half a cosine.
    pub fn lars(learning_rate: f64) -> Self {
        let LarsConfig { momentum, trust, clip, .. } = LarsConfig::default();
        let algorithm = Algorithm::Lars { momentum, trust, clip };
        Self { algorithm, decay_norm_and_bias: false, ..Self::sgd(learning_rate) }
    }

    /// Sets the weight of the L2 penalty.
    pub fn with_weight_decay(self, weight_decay: f32) -> Self {
        Self { weight_decay, ..self }
    }

    /// Sets the learning rate by step.
    pub fn with_schedule(self, schedule: Schedule) -> Self {
        Self { schedule, ..self }
    }

    /// Makes both ramps shares of a training that has the length `whole`, so that they stretch with it.
    pub fn stretch(&mut self, whole: Length) {
        let Schedule { ramp_up, ramp_down, .. } = &mut self.schedule;
        for ramp in [ramp_up, ramp_down] {
            *ramp = ramp.share_of(whole);
        }
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// [`TrainError::Schedule`], [`TrainError::Optimizer`] or [`TrainError::Setting`], which name the setting.
    pub fn validate(&self) -> Result<(), TrainError> {
        self.schedule.validate()?;
        match self.algorithm {
            Algorithm::Sgd { momentum, nesterov } => self.sgd_rule(momentum, nesterov, self.weight_decay).validate()?,
            Algorithm::Adam { beta_1, beta_1_end, beta_2, epsilon } => {
                for beta_1 in [beta_1, beta_1_end] {
                    let weight_decay = self.weight_decay;
                    RampedAdamConfig { beta_1, beta_2, epsilon, weight_decay }.validate()?;
                }
            }
            Algorithm::Lars { momentum, trust, clip } => {
                lars(momentum, trust, clip, self.weight_decay).validate()?;
                if self.decay_norm_and_bias {
                    let range = "false with LARS, which spares them".to_owned();
                    let (field, value) = ("decay_norm_and_bias", true.to_string());
                    return Err(TrainError::Setting { field, value, range });
                }
            }
        }
        Ok(())
    }

    /// The optimizer at its first step.
    ///
    /// # Errors
    /// Those of [`validate`](Self::validate).
    pub fn init(&self, timeline: Timeline) -> Result<OptimizerState, TrainError> {
        self.validate()?;
        let betas = Betas::new(0.0, 0.0);
        let mut optimizer = self.rule(&betas, self.weight_decay)?;
        if self.weight_decay > 0.0 && !self.decay_norm_and_bias {
            let plain = ParamGroup::from_any_predicates(vec!["gamma", "beta", "bias"]);
            optimizer = match self.algorithm {
                Algorithm::Adam { beta_1, beta_2, epsilon, .. } => {
                    let config = RampedAdamConfig { beta_1, beta_2, epsilon, weight_decay: 0.0 };
                    optimizer.with_group(plain, config.build(&betas)?, None)
                }
                Algorithm::Sgd { momentum, nesterov } => {
                    optimizer.with_group(plain, self.sgd_rule(momentum, nesterov, 0.0).build()?, None)
                }
                // Its rule spares them itself.
                Algorithm::Lars { .. } => optimizer,
            };
        }
        Ok(OptimizerState { optimizer, config: self.clone(), timeline, betas })
    }

    /// The learning rate of a training, in words.
    pub fn describe(&self, timeline: Timeline) -> String {
        let Schedule { learning_rate: rate, ramp_up, ramp_down } = self.schedule;
        let stairs = match ramp_down.stair(timeline) {
            1 => String::new(),
            stair => format!(", in stairs of {stair} steps"),
        };
        match (ramp_up.on(timeline), ramp_down.on(timeline)) {
            (Ramp::Constant, Ramp::Constant) => format!("{rate}, constant"),
            (Ramp::Constant, ramp) | (ramp, Ramp::Constant) => format!("{rate}, {ramp}{stairs}"),
            (up, down) => format!("{rate}, {up}, {down}{stairs}"),
        }
    }

    fn rule(&self, betas: &Betas, weight_decay: f32) -> Result<ModuleOptimizer, OptimError> {
        match self.algorithm {
            Algorithm::Adam { beta_1, beta_2, epsilon, .. } => {
                Ok(RampedAdamConfig { beta_1, beta_2, epsilon, weight_decay }.build(betas)?.into())
            }
            Algorithm::Sgd { momentum, nesterov } => self.sgd_rule(momentum, nesterov, weight_decay).init(),
            Algorithm::Lars { momentum, trust, clip } => lars(momentum, trust, clip, weight_decay).init(),
        }
    }

    fn sgd_rule(&self, momentum: f64, nesterov: bool, weight_decay: f32) -> FusedSgdConfig {
        FusedSgdConfig::new().with_momentum(momentum).with_nesterov(nesterov).with_weight_decay(weight_decay.into())
    }
}

fn lars(momentum: f64, trust: f64, clip: bool, weight_decay: f32) -> LarsConfig {
    LarsConfig { momentum, weight_decay: weight_decay.into(), trust, clip }
}

/// An optimizer and its schedules, which are pure functions of the step.
pub struct OptimizerState {
    /// Burn's optimizer with its moments.
    pub optimizer: ModuleOptimizer,
    config: OptimizerConfig,
    timeline: Timeline,
    betas: Betas,
}

impl std::fmt::Debug for OptimizerState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OptimizerState").field("config", &self.config).finish_non_exhaustive()
    }
}

impl OptimizerState {
    /// Sets the schedules to `step`, counted from 0, and returns its learning rate.
    pub fn prepare(&mut self, step: u64) -> f64 {
        let schedule = &self.config.schedule;
        if let Algorithm::Adam { beta_1, beta_1_end, beta_2, .. } = self.config.algorithm {
            let down = schedule.fall(step, self.timeline);
            let now = down * f64::from(beta_1) + (1.0 - down) * f64::from(beta_1_end);
            self.betas.set(now as f32, beta_2);
        }
        schedule.at(step, self.timeline)
    }
}
