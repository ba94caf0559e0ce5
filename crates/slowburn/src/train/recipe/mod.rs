//! A recipe: everything that decides how a run ends.

mod defaults;
mod labels;
mod methods;
mod presets;
mod seeds;
mod targets;

pub use defaults::fashion;
pub use labels::Labels;
pub use methods::{
    DEFAULT, change_method, change_to_photos, check_flag, default_recipe, default_strong_teacher, labeled_share,
    passes_of_strong_views, set_batch, set_strong_views, strong,
};
pub use presets::{PRESETS, Preset, preset};
pub use seeds::{SeedError, seeds};
pub use targets::{TargetConfig, set_alignment, set_form, set_source, set_threshold};

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use slowburn_augment::{ImageSize, Pipeline, WhiteningConfig};
use slowburn_ema::{Decay, Length, RampShape, Timeline};
use slowburn_semi::{Consistency, CostReduction, LabelSource, Mix, Objective};

use slowburn_train::OptimizerConfig;

use crate::args::{Reading, SharedSettings};
use crate::data::Dataset;
use crate::network::{Fixed, NetworkConfig, Normalization};

/// Which method trains the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Targets from an average of the student's weights.
    MeanTeacher,
    /// The student's own confident predictions on weak views are the targets of strong ones (FixMatch).
    #[value(name = "fixmatch")]
    #[serde(rename = "fixmatch")]
    FixMatch,
    /// FixMatch with a threshold for each class, by how much of it was learned (FlexMatch).
    #[value(name = "flexmatch")]
    #[serde(rename = "flexmatch")]
    FlexMatch,
    /// FixMatch with thresholds that rise with the network's confidence (FreeMatch).
    #[value(name = "freematch")]
    #[serde(rename = "freematch")]
    FreeMatch,
    /// Mean Teacher on mixed images (interpolation consistency).
    Ict,
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
            Self::FixMatch => "fixmatch",
            Self::FlexMatch => "flexmatch",
            Self::FreeMatch => "freematch",
            Self::Ict => "ict",
            Self::Pi => "pi",
            Self::Temporal => "temporal",
            Self::Supervised => "supervised",
        })
    }
}

impl Method {
    /// Whether images without a label must have strong views beside weak ones.
    pub fn has_strong_views(self) -> bool {
        matches!(self, Self::FixMatch | Self::FlexMatch | Self::FreeMatch)
    }

    /// Whether form and alignment of its targets can be chosen.
    pub fn has_targets(self) -> bool {
        self.has_strong_views() || self == Self::MeanTeacher
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
    /// Where the student's views of images without a label come from, if not from the same place.
    #[serde(default)]
    pub strong_views: Option<Pipeline>,
    /// Whether images without a label have strong views although the method can do without.
    #[serde(default)]
    pub strong_unlabeled: bool,
    /// Whether the student sees strong views of images with a label too, and so of all.
    #[serde(default)]
    pub strong_labels: bool,
    /// The network.
    pub network: NetworkConfig,
    /// The method.
    pub method: Method,
    /// The consistency cost.
    pub consistency: ConsistencyConfig,
    /// What targets are and which of them count; all, and soft ones, if nothing is said.
    #[serde(default)]
    pub targets: Option<TargetConfig>,
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
    /// Whether they round to bf16, where the processor has a unit for it.
    #[serde(default)]
    pub bf16: bool,
    /// Test images that the curves are drawn from, spread evenly; the final table uses all.
    #[serde(alias = "monitor")]
    pub curve_images: usize,
    /// Side of the images in pixels as the network sees photos; by the images if nothing is said.
    #[serde(default)]
    pub size: Option<u32>,
    /// How image files are read.
    #[serde(default)]
    pub reading: Reading,
    /// The pre-training that it begins with, if any: without labels, on the same images.
    #[serde(default)]
    pub pretrain: Option<Box<crate::pretrain::Recipe>>,
    /// A run or weights file whose encoder it starts from, if not from random weights.
    #[serde(default)]
    pub start: Option<PathBuf>,
    /// The preset of views whose fixed part that encoder knows, where the file does not say it.
    #[serde(default)]
    pub start_views: Option<String>,
    /// Which network of that file, where it holds several.
    #[serde(default)]
    pub start_branch: Option<String>,
    /// Whether the head starts from random weights although the file has one.
    #[serde(default)]
    pub fresh_head: bool,
    /// Whether to train from random weights too, with the same labels, batches and steps.
    #[serde(default)]
    pub compare_scratch: bool,
    /// The share of the labels of each class by which the best epoch is chosen, in [0, 1).
    #[serde(default)]
    pub validation: f64,
    /// Epochs without a better score after which training stops.
    #[serde(default)]
    pub patience: Option<u64>,
    /// About how many seconds to train; the length then says how many steps fitted in.
    #[serde(default)]
    pub time: Option<f64>,
    /// SHA-256 of the weights it starts from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_sha256: Option<String>,
    /// SHA-256 over image and class of the labels of a label file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels_sha256: Option<String>,
    /// The names of the classes, by number.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
    /// Size of the first training image, and of all where they have one size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageSize>,
    /// What no setting changes; runs of earlier versions do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fixed: Option<Fixed>,
}

impl Recipe {
    /// The cost in steps, of a training of `total` steps.
    pub fn objective(&self, timeline: Timeline) -> Objective {
        let consistency = &self.consistency;
        Objective {
            consistency: consistency.cost,
            weight: consistency.weight,
            ramp_up: consistency.ramp_up.on(timeline),
            ramp_down: consistency.ramp_down.on(timeline),
            threshold: None,
            consistency_on_labeled: consistency.on_labeled,
            logit_distance: consistency.logit_distance.unwrap_or(0.0),
            class_reduction: consistency.reduction,
            consistency_reduction: consistency.reduction,
        }
    }

    /// The settings that every command that trains has flags for.
    pub fn shared(&mut self) -> SharedSettings<'_> {
        SharedSettings {
            data: &mut self.data,
            size: &mut self.size,
            reading: &mut self.reading,
            start: &mut self.start,
            start_branch: &mut self.start_branch,
            seed: &mut self.seed,
            batch: &mut self.batch,
            device: &mut self.device,
            learning_rate: &mut self.optimizer.schedule.learning_rate,
            time: &mut self.time,
            patience: &mut self.patience,
            exact: &mut self.exact,
            bf16: &mut self.bf16,
        }
    }

    /// Sets how long to train; every ramp keeps its share of the training.
    pub fn set_length(&mut self, length: Length) {
        if self.length != length {
            self.optimizer.stretch(self.length);
            let ConsistencyConfig { ramp_up, ramp_down, .. } = &mut self.consistency;
            for ramp in [ramp_up, ramp_down] {
                *ramp = ramp.share_of(self.length);
            }
            self.length = length;
        }
    }

    /// Whether images without a label have strong views beside weak ones.
    pub fn has_strong_views(&self) -> bool {
        self.method.has_strong_views() || self.strong_unlabeled
    }

    /// The images as training sees them.
    ///
    /// # Errors
    /// If the whitening does not fit the images.
    pub fn prepare(&self, data: Dataset) -> anyhow::Result<Dataset> {
        match &self.whitening {
            Some(whitening) => Ok(data.whitened(whitening)?),
            None => Ok(data),
        }
    }

    /// Whether targets come from passes whose batch statistics the student never trains with: the average passes weak views
    /// alone, the student weak and strong ones under one set of statistics. See docs/fixmatch.md, "In the program".
    pub fn has_statistics_apart(&self) -> bool {
        let from_average = self.targets.as_ref().is_some_and(|it| it.source_of(self.method) == LabelSource::Average);
        let one_set = self.network.group.is_none() && self.network.normalization != Normalization::Weight;
        from_average && one_set && self.strong_views.is_some() && !self.strong_labels
    }

    /// Checks what can be checked before any data are read.
    ///
    /// # Errors
    /// An error that names the setting, its value and its range.
    pub fn validate(&self) -> anyhow::Result<()> {
        use anyhow::{Context, ensure};
        if let Some(whitening) = &self.whitening {
            whitening.validate()?;
        }
        self.decay.validate()?;
        self.consistency.ramp_up.validate().context("--ramp-up")?;
        self.consistency.ramp_down.validate().context("consistency.ramp_down")?;
        self.objective(Timeline { per_epoch: 1, total: 1 }).validate()?;
        self.optimizer.validate().map_err(crate::advice::in_flags)?;
        let ramps = [self.consistency.ramp_up, self.consistency.ramp_down, self.optimizer.schedule.ramp_up];
        ensure!(
            !ramps.contains(&RampShape::CosineByEpochFromZero),
            "cosine_by_epoch_from_zero is for ramp_down of the optimizer alone"
        );
        self.network.arch.validate_whitening(self.network.whiten_patches)?;
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
            length => anyhow::bail!("the length is {length:?}: it must be in steps or epochs"),
        }
        ensure!(self.curve_images > 0, "curve_images is 0: it must be at least 1");
        let validation = self.validation;
        ensure!((0.0..1.0).contains(&validation), "--validation is {validation}: it must be in [0, 1)");
        ensure!(self.patience.is_none() || validation > 0.0, "--patience needs --validation, by which it waits");
        ensure!(
            !self.compare_scratch || self.start.is_some() || self.pretrain.is_some(),
            "--compare-scratch needs --from or --pretrain: without it the network starts from random weights anyway"
        );
        self.validate_method()
    }

    /// What is said and the method knows nothing of, or cannot do.
    fn validate_method(&self) -> anyhow::Result<()> {
        use anyhow::ensure;
        if let Mix::Fixed { labeled } = self.mix {
            let needless = self.method == Method::Supervised || self.consistency.on_labeled;
            ensure!(
                labeled < self.batch || needless,
                "--labeled-batch is {labeled}, which is all of --batch: {} learns from images without a label",
                self.method
            );
        }
        let ignored = !self.method.has_targets() && self.method != Method::Supervised;
        ensure!(self.targets.is_none() || !ignored, "targets says nothing to {}: leave it out", self.method);
        for (setting, said) in [("strong_views", self.strong_views.is_some()), ("strong_labels", self.strong_labels)] {
            ensure!(
                !said || !matches!(self.method, Method::Ict | Method::Temporal),
                "{setting} says nothing to {}, which sees one view of an image: leave it out",
                self.method
            );
        }
        ensure!(
            !self.strong_unlabeled || self.method == Method::MeanTeacher,
            "strong_unlabeled is for mean-teacher, not for {}: leave it out",
            self.method
        );
        ensure!(
            self.method != Method::Ict || !self.consistency.on_labeled,
            "consistency.on_labeled is true: ict mixes images without a label alone, say false"
        );
        if let Some(targets) = &self.targets {
            targets.validate_for(self.method)?;
        }
        if self.method == Method::Temporal {
            let of_predictions = matches!(self.decay, Decay::Constant { decay } if (0.0..1.0).contains(&decay));
            ensure!(of_predictions, "--decay is {}: temporal ensembling needs a constant one in [0, 1)", self.decay);
        }
        Ok(())
    }
}
