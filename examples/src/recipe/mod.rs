//! A recipe: everything that decides how a run ends.

mod defaults;
mod diff;
mod labels;
mod optimizer;
mod presets;
mod seeds;

pub use defaults::fashion;
pub use diff::differences;
pub use labels::Labels;
pub use optimizer::{Algorithm, OptimizerConfig, OptimizerState};
pub use presets::{PRESETS, Preset, preset};
pub use seeds::{SeedError, seeds};

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use slowburn_augment::{ImageSize, Pipeline, WhiteningConfig, presets as view_presets};
use slowburn_ema::Decay;
use slowburn_semi::{Consistency, CostReduction, Mix, Objective, Ramp};

use crate::data::Dataset;
use crate::network::NetworkConfig;

/// Which method trains the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Targets from an average of the student's weights.
    MeanTeacher,
    /// The student is its own teacher, under other noise (the Π-model).
    Pi,
    /// Targets from an average of the student's earlier predictions.
    Temporal,
    /// Labels alone.
    Supervised,
}

impl std::fmt::Display for Method {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::MeanTeacher => "mean-teacher",
            Self::Pi => "pi",
            Self::Temporal => "temporal",
            Self::Supervised => "supervised",
        })
    }
}

/// A length of training: some recipes count steps, others passes over the unlabelled images.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Length {
    /// Optimizer steps.
    Steps(u64),
    /// Epochs, which need not be whole.
    Epochs(f64),
}

impl Length {
    /// The length in steps.
    pub fn steps(self, steps_per_epoch: usize) -> u64 {
        match self {
            Self::Steps(steps) => steps,
            Self::Epochs(epochs) => (epochs * steps_per_epoch as f64).round() as u64,
        }
    }
}

/// The shape of a ramp, whose length in steps is known only once the data are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RampShape {
    /// No ramp.
    None,
    /// [`Ramp::SigmoidUp`].
    SigmoidUp(Length),
    /// [`Ramp::LinearUp`].
    LinearUp(Length),
    /// [`Ramp::SigmoidDown`] at the end of training.
    SigmoidDown(Length),
    /// [`Ramp::CosineDown`].
    CosineDown(Length),
    /// [`Ramp::CosineFraction`] with 7/16.
    CosineSevenSixteenths(Length),
    /// [`Ramp::CosineStairs`] by epoch, to the end of training: `(cos(πe/E)+1)/2`, epochs e of E counted from 1, as in
    /// MoCo's notebook.
    CosineByEpoch,
    /// The same with epochs counted from 0, as in MoCo's ImageNet runs: [`Ramp::CosineDown`] at each epoch's first
    /// step, see [`stair`](Self::stair).
    CosineByEpochFromZero,
    /// [`Ramp::Milestones`] at these fractions of training.
    Milestones(f64, f64),
}

impl RampShape {
    /// Steps for which the ramp stays at its value on the first of them: 1 but for
    /// [`CosineByEpochFromZero`](Self::CosineByEpochFromZero).
    pub fn stair(self, steps_per_epoch: usize) -> u64 {
        match self {
            Self::CosineByEpochFromZero => steps_per_epoch.max(1) as u64,
            _ => 1,
        }
    }

    /// The ramp in steps, of a training of `total` steps.
    pub fn in_steps(self, steps_per_epoch: usize, total: u64) -> Ramp {
        let steps = |length: Length| length.steps(steps_per_epoch);
        match self {
            Self::None => Ramp::Constant,
            Self::SigmoidUp(length) => Ramp::SigmoidUp { length: steps(length) },
            Self::LinearUp(length) => Ramp::LinearUp { length: steps(length) },
            Self::SigmoidDown(length) => Ramp::SigmoidDown { total, length: steps(length) },
            Self::CosineDown(length) => Ramp::CosineDown { length: steps(length).max(1) },
            Self::CosineSevenSixteenths(length) => {
                Ramp::CosineFraction { length: steps(length).max(1), fraction: 7.0 / 16.0 }
            }
            Self::CosineByEpochFromZero => Ramp::CosineDown { length: total.max(1) },
            Self::CosineByEpoch => Ramp::CosineStairs { stair: steps_per_epoch.max(1) as u64, length: total.max(1) },
            Self::Milestones(first, second) => {
                let at = |fraction: f64| (fraction * total as f64).round() as u64;
                Ramp::Milestones { first: at(first), second: at(second) }
            }
        }
    }
}

/// The consistency cost's part of a recipe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConsistencyConfig {
    /// The cost between predictions.
    pub cost: Consistency,
    /// Its weight at full strength.
    pub weight: f64,
    /// How the weight rises.
    pub ramp_up: RampShape,
    /// How the weight falls.
    pub ramp_down: RampShape,
    /// Whether labelled images have the cost too.
    pub on_labeled: bool,
    /// What the class cost and the consistency cost are divided by.
    pub reduction: CostReduction,
    /// Weight of the distance between two heads; the network has one head without.
    pub logit_distance: Option<f64>,
}

/// Everything that decides how a run ends: with the same recipe on the same backend, the same weights come out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// The preset that it started from, if any.
    pub preset: Option<String>,
    /// A folder with IDX files or with `train/<class>/*` and `test/<class>/*`.
    pub data: PathBuf,
    /// Which labels are used.
    pub labels: Labels,
    /// Seed of every random choice.
    pub seed: u64,
    /// How the images are whitened before any view of them is drawn, if they are.
    #[serde(default)]
    pub whitening: Option<WhiteningConfig>,
    /// Where the views of the training images come from.
    pub views: Pipeline,
    /// The network.
    pub network: NetworkConfig,
    /// The method.
    pub method: Method,
    /// The consistency cost.
    pub consistency: ConsistencyConfig,
    /// The decay of the average: of the teacher's weights, or of the predictions in temporal ensembling.
    pub decay: Decay,
    /// Images in a batch.
    pub batch: usize,
    /// How many of them have labels.
    pub mix: Mix,
    /// Whether the labelled images are in the unlabelled stream too.
    pub labeled_in_unlabeled: bool,
    /// How long to train.
    pub length: Length,
    /// How the student is trained.
    pub optimizer: OptimizerConfig,
    /// Whether to train the supervised baseline first.
    pub baseline: bool,
    /// The device, as on the command line.
    pub device: String,
    /// Whether convolutions do without Winograd's way.
    #[serde(default)]
    pub exact: bool,
    /// Test images that the curves are drawn from; the final table uses all.
    pub monitor: usize,
}

impl Recipe {
    /// The cost in steps, of a training of `total` steps.
    pub fn objective(&self, steps_per_epoch: usize, total: u64) -> Objective {
        let consistency = &self.consistency;
        Objective {
            consistency: consistency.cost,
            weight: consistency.weight,
            ramp_up: consistency.ramp_up.in_steps(steps_per_epoch, total),
            ramp_down: consistency.ramp_down.in_steps(steps_per_epoch, total),
            threshold: None,
            consistency_on_labeled: consistency.on_labeled,
            logit_distance: consistency.logit_distance.unwrap_or(0.0),
            class_reduction: consistency.reduction,
            consistency_reduction: consistency.reduction,
        }
    }

    /// Takes the CIFAR-10 views for colour images where no preset has chosen views: the default ones are for grey images.
    pub fn fit_views(&mut self, image: ImageSize) {
        if self.preset.is_none() && self.views == view_presets::fashion() && image.channels == 3 {
            self.views = view_presets::mean_teacher_cifar();
        }
    }

    /// The images as training sees them.
    ///
    /// # Errors
    /// If the whitening does not fit the images.
    pub fn prepare(&self, data: Dataset) -> anyhow::Result<Dataset> {
        match &self.whitening {
            Some(whitening) => data.whitened(whitening),
            None => Ok(data),
        }
    }

    /// Checks what can be checked before any data are read.
    ///
    /// # Errors
    /// An error that names the setting, its value and its range.
    pub fn validate(&self) -> anyhow::Result<()> {
        use anyhow::ensure;
        if let Some(whitening) = &self.whitening {
            whitening.validate()?;
        }
        self.decay.validate()?;
        self.objective(1, 1).validate()?;
        self.optimizer.validate()?;
        let ramps = [self.consistency.ramp_up, self.consistency.ramp_down, self.optimizer.ramp_up];
        ensure!(
            !ramps.contains(&RampShape::CosineByEpochFromZero),
            "cosine_by_epoch_from_zero is for ramp_down of the optimizer alone"
        );
        ensure!(self.batch > 0, "--batch is 0: it must be at least 1");
        if let Mix::Fixed { labeled } = self.mix {
            ensure!(
                (1..=self.batch).contains(&labeled),
                "--labeled-batch is {labeled}: it must be between 1 and --batch, {}",
                self.batch
            );
        }
        match self.length {
            Length::Steps(steps) => ensure!(steps > 0, "the length is 0 steps: it must be at least 1"),
            Length::Epochs(epochs) => {
                ensure!(epochs > 0.0 && epochs.is_finite(), "--epochs is {epochs}: it must be positive and finite");
            }
        }
        if let (Method::Temporal, Decay::Constant { decay }) = (self.method, self.decay) {
            ensure!((0.0..1.0).contains(&decay), "--decay is {decay}: temporal ensembling needs one in [0, 1)");
        }
        Ok(())
    }
}
