use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use slowburn_augment::{ImageSize, Operation, PatchGrid, Pipeline, Views, presets};
use slowburn_contrastive::{
    ByolConfig, InfoNce, MocoConfig, MocoV3Config, SimSiamConfig, SymmetricReduction, Unfilled,
};
use slowburn_ema::{Decay, Length, RampShape};
use slowburn_models::{HeadVersion, Stem};
use slowburn_train::OptimizerConfig;

use super::defaults::{gray_views, imagenet_views};
use super::{Heads, Method, RecipeError};
use crate::args::{Reading, SharedSettings};
use crate::network::{Arch, BackboneConfig, ContrastConfig, Fixed, Head, Normalization};
use slowburn_train::monitor::Scoring;

/// Which of the papers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Version {
    /// arXiv 1911.05722: linear head, τ 0.07, the learning rate falls in two steps, views are always jittered.
    V1,
    /// arXiv 2003.04297: two-layer head, τ 0.2, the learning rate falls as a cosine, views are jittered less often and
    /// blurred where they have colours.
    V2,
}

impl Version {
    /// Its head.
    pub fn head(self) -> HeadVersion {
        match self {
            Self::V1 => HeadVersion::V1,
            Self::V2 => HeadVersion::V2,
        }
    }
}

/// Encoder and head.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NetworkConfig {
    /// Which encoder.
    pub arch: Arch,
    /// Groups of a batch with batch statistics of their own; 1 without.
    pub splits: usize,
    /// The head, of methods without a predictor.
    pub version: Version,
    /// The length of an embedding.
    pub dim: usize,
    /// The heads of a method with a predictor.
    #[serde(default)]
    pub heads: Option<Heads>,
    /// Whether the first convolution of a network with random weights starts by whitening the patches of the first batch
    /// (ResNet-9 only).
    #[serde(default)]
    pub whiten_patches: bool,
    /// A ResNet's stem, where weights that it starts from have another than the images' size asks for.
    #[serde(default)]
    pub stem: Option<Stem>,
}

impl NetworkConfig {
    /// As the network takes it.
    pub fn contrast(&self) -> ContrastConfig {
        let Self { arch, splits, version, dim, stem, heads, whiten_patches: _ } = self;
        let normalization = Normalization::Batch;
        let backbone =
            BackboneConfig { arch: *arch, normalization, splits: *splits, dropout: 0.0, input_noise: 0.0, stem: *stem };
        let head = match heads {
            Some(heads) => Head::Mlp(heads.projector.clone()),
            None => Head::Moco(version.head(), *dim),
        };
        ContrastConfig { backbone, head }
    }

    /// Sets the groups of a batch to one where the encoder has no others.
    pub fn fit_splits(&mut self) {
        if !self.arch.splits() {
            self.splits = 1;
        }
    }

    /// Sets the length of an embedding, of projector and predictor too.
    pub fn set_dim(&mut self, dim: usize) {
        self.dim = dim;
        if let Some(heads) = &mut self.heads {
            heads.set_dim(dim);
        }
    }
}

/// What of a query's view is masked; its key is of the whole image.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Mask {
    /// The share of the patches that is masked.
    pub share: f32,
    /// The side of a patch in pixels; an eighth of the view's if nothing is said.
    pub patch: Option<u32>,
}

impl Mask {
    /// The side of a patch in pixels: 1 where nothing is said and no images are known to choose it by.
    pub fn side(&self) -> u32 {
        self.patch.unwrap_or(1)
    }
}

/// What recipes of earlier versions meant.
fn yes() -> bool {
    true
}

/// Everything that decides how a run ends: with the same recipe on the same backend, the same weights come out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// The preset that it started from, if any.
    pub preset: Option<String>,
    /// A folder with IDX files or with `train/<class>/*` and `test/<class>/*`.
    pub data: PathBuf,
    /// Seed of every random choice.
    pub seed: u64,
    /// Where both views of an image come from.
    pub views: Pipeline,
    /// What of the first view is masked, the query's.
    #[serde(default)]
    pub mask: Option<Mask>,
    /// What images pass before an encoder that is scored; the fixed part of the views by default.
    #[serde(default)]
    pub evaluation: Option<Pipeline>,
    /// Encoder and head.
    pub network: NetworkConfig,
    /// The method.
    pub method: Method,
    /// Keys in the queue of MoCo; negatives drawn from a memory bank.
    pub queue: usize,
    /// The weight of the old value in the average: of the encoder, or of a memory bank's slots. For BYOL and MoCo v3 the
    /// first, which rises to 1 by half a cosine. Ignored by methods without an average.
    pub decay: f64,
    /// τ; ignored by methods without negatives.
    pub temperature: f64,
    /// Whether each view is query once and key once, where a method knows both.
    pub symmetric: bool,
    /// Whether keys are encoded in another order than queries, by MoCo and end-to-end training.
    pub shuffle: bool,
    /// Images in a batch.
    pub batch: usize,
    /// How long to train.
    pub length: Length,
    /// How the encoder is trained.
    pub optimizer: OptimizerConfig,
    /// How encoders are scored.
    pub scoring: Scoring,
    /// Whether random weights and raw pixels are scored beside the encoder.
    #[serde(default = "yes")]
    pub baseline: bool,
    /// Epochs from one look of the kNN monitor to the next.
    pub monitor: u64,
    /// The device, as on the command line.
    pub device: String,
    /// Whether convolutions do without Winograd's way.
    #[serde(default)]
    pub exact: bool,
    /// Whether they round to bf16, where the processor has a unit for it.
    #[serde(default)]
    pub bf16: bool,
    /// Side of the images in pixels as the network sees photos; by the images if nothing is said.
    #[serde(default)]
    pub size: Option<u32>,
    /// How image files are read.
    #[serde(default)]
    pub reading: Reading,
    /// A run or weights file whose encoder it starts from, if not from random weights.
    #[serde(default)]
    pub start: Option<PathBuf>,
    /// Which network of that file, where it holds several.
    #[serde(default)]
    pub start_branch: Option<String>,
    /// Epochs without a better score of the monitor after which training stops: accuracy, or without labels effective rank.
    #[serde(default)]
    pub patience: Option<u64>,
    /// About how many seconds to train; the length then says how many steps fitted in.
    #[serde(default)]
    pub time: Option<f64>,
    /// SHA-256 of the weights it starts from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_sha256: Option<String>,
    /// Size of the first training image, and of all where they have one size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageSize>,
    /// What no setting changes; runs of earlier versions do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fixed: Option<Fixed>,
}

/// The views of one version where `views` are those of the other, of the same size.
fn other_views(views: &Pipeline, before: Version, version: Version) -> Option<Pipeline> {
    let side = views.operations().iter().find_map(|operation| match operation {
        Operation::RandomResizedCrop { height, .. } => Some(*height),
        _ => None,
    })?;
    let kinds: [fn(Version, u32) -> Pipeline; 2] = [imagenet_views, gray_views];
    kinds.into_iter().find(|kind| kind(before, side) == *views).map(|kind| kind(version, side))
}

impl Recipe {
    /// MoCo's settings.
    pub fn moco(&self) -> MocoConfig {
        MocoConfig {
            dim: self.network.dim,
            queue: self.queue,
            unfilled: Unfilled::Keep,
            decay: Decay::Constant { decay: self.decay },
            loss: self.loss(),
            symmetric: self.symmetric,
            reduction: SymmetricReduction::Sum,
            shuffle: self.shuffle,
            masked: self.mask.is_some(),
            seed: self.seed,
        }
    }

    /// MoCo v3's settings, for a training of `steps`.
    pub fn moco_v3(&self, steps: u64) -> MocoV3Config {
        MocoV3Config { dim: self.network.dim, decay: self.rising_decay(steps), loss: self.loss() }
    }

    /// BYOL's settings, for a training of `steps`.
    pub fn byol(&self, steps: u64) -> ByolConfig {
        ByolConfig { dim: self.network.dim, decay: self.rising_decay(steps) }
    }

    /// SimSiam's settings: its predictor keeps the learning rate that the rest begins with.
    pub fn sim_siam(&self) -> SimSiamConfig {
        let config = SimSiamConfig { dim: self.network.dim, ..SimSiamConfig::default() };
        config.with_constant_predictor(self.optimizer.schedule.learning_rate)
    }

    fn rising_decay(&self, steps: u64) -> Decay {
        Decay::Cosine { base: self.decay, end: 1.0, steps }
    }

    /// The two views of an image; parts of the first are masked where that is wanted.
    ///
    /// # Errors
    /// For a mask out of range.
    pub fn pair(&self) -> anyhow::Result<Views> {
        let Some(mask) = self.mask else {
            return Ok(Views::two(self.views.clone()));
        };
        let masked = presets::masked(self.views.clone(), mask.share, mask.side())?;
        Ok(Views::groups(vec![(masked, 1), (self.views.clone(), 1)])?)
    }

    /// Temperature of every method's loss.
    pub fn loss(&self) -> InfoNce {
        InfoNce::new(self.temperature)
    }

    /// What images pass before an encoder that is scored.
    pub fn evaluation(&self) -> Pipeline {
        self.evaluation.clone().unwrap_or_else(|| self.views.evaluation())
    }

    /// Takes over what a version says: head, temperature, the learning rate's fall, and the views where the papers'
    /// differ (the notebook has one kind of views).
    pub fn set_version(&mut self, version: Version) {
        if self.network.version == version {
            return;
        }
        let before = std::mem::replace(&mut self.network.version, version);
        if let Some(views) = other_views(&self.views, before, version) {
            self.views = views;
        }
        (self.temperature, self.optimizer.schedule.ramp_down) = match (version, &self.preset) {
            // The original's 120 and 160 of 200 epochs.
            (Version::V1, _) => (0.07, RampShape::Milestones(0.6, 0.8)),
            (Version::V2, Some(_)) => (0.2, RampShape::CosineByEpochFromZero),
            (Version::V2, None) => (0.2, RampShape::CosineDown(self.length)),
        };
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

    /// Changes the length of training, and the ramp that goes with it.
    pub fn set_length(&mut self, length: Length) {
        if self.length != length {
            self.optimizer.stretch(self.length);
            self.length = length;
        }
    }

    /// Checks what can be checked before any data are read.
    ///
    /// # Errors
    /// An error that names the setting, its value and its range.
    pub fn validate(&self) -> anyhow::Result<()> {
        let unless = RecipeError::unless;
        let positive = |value: f64| value > 0.0 && value.is_finite();
        unless(positive(self.temperature), "--temperature", self.temperature, "positive and finite")?;
        unless((0.0..=1.0).contains(&self.decay), "--decay", self.decay, "in [0, 1]")?;
        self.optimizer.validate().map_err(crate::advice::in_flags)?;
        for (flag, value) in [
            ("--batch", self.batch),
            ("--queue", self.queue),
            ("--dim", self.network.dim),
            ("--splits", self.network.splits),
            ("--monitor", self.monitor as usize),
        ] {
            unless(value >= 1, flag, value as f64, "at least 1")?;
        }
        match self.length {
            Length::Steps(steps) => unless(steps > 0, "the number of steps", steps as f64, "at least 1")?,
            Length::Epochs(epochs) => unless(positive(epochs), "--epochs", epochs, "positive and finite")?,
            length => anyhow::bail!("the length is {length:?}: it must be in steps or epochs"),
        }
        let (batch, splits, arch) = (self.batch, self.network.splits, self.network.arch);
        if splits > 1 && !arch.splits() {
            return Err(RecipeError::Unsplit { splits, arch }.into());
        }
        if !batch.is_multiple_of(splits) {
            return Err(RecipeError::Splits { batch, splits }.into());
        }
        if let Some(patience) = self.patience.filter(|&patience| patience < self.monitor) {
            anyhow::bail!(
                "--patience is {patience}: it must be at least --monitor, {}, by whose looks it waits",
                self.monitor
            );
        }
        if self.symmetric && self.method != Method::Moco {
            return Err(RecipeError::Symmetric { method: self.method }.into());
        }
        self.validate_parts()
    }

    /// Checks heads and mask.
    fn validate_parts(&self) -> anyhow::Result<()> {
        let (method, dim) = (self.method, self.network.dim);
        self.network.arch.validate_whitening(self.network.whiten_patches)?;
        match (&self.network.heads, method.heads(1, 1)) {
            (None, Some(_)) => anyhow::bail!("{method} needs network.heads, a projector and a predictor"),
            (Some(_), None) => anyhow::bail!("network.heads say nothing to {method}, which has no predictor"),
            (Some(Heads { projector, predictor }), Some(_)) => {
                projector.validate()?;
                predictor.validate()?;
                anyhow::ensure!(
                    [projector.dim, predictor.dim] == [dim, dim],
                    "network.dim is {dim}: projector and predictor give {} and {} numbers, and it must be the same",
                    projector.dim,
                    predictor.dim
                );
            }
            (None, None) => {}
        }
        if let Some(Mask { share, patch }) = self.mask {
            anyhow::ensure!((0.0..1.0).contains(&share), "--mask is {share}: it must be in [0, 1)");
            anyhow::ensure!(patch != Some(0), "--mask-patch is 0: it must be at least 1");
            method.check_flag("--mask")?;
            anyhow::ensure!(!self.symmetric, "--mask is for one direction: with --symmetric masked images become keys");
        }
        Ok(())
    }

    /// Checks that the mask fits views of images of this size, and hides a part of each.
    ///
    /// # Errors
    /// An error that names the flags.
    pub fn validate_mask(&self, image: ImageSize) -> anyhow::Result<()> {
        let Some(mask) = self.mask else { return Ok(()) };
        let view = self.views.output_size(image);
        let ImageSize { height, width, .. } = view;
        let (share, side) = (mask.share, mask.side());
        anyhow::ensure!(
            side as usize <= height.min(width),
            "--mask-patch is {side}: it must be at most the side of a view, and views are {height}×{width}"
        );
        let grid = PatchGrid::new(side, view);
        let (patches, masked) = (grid.count(), grid.masked(share));
        anyhow::ensure!(
            share == 0.0 || (1..patches).contains(&masked),
            "--mask is {share}, which is {masked} of the {patches} patches of a view: take smaller ones by --mask-patch"
        );
        Ok(())
    }

    /// Checks the recipe against data of `images` training images, `labelled` of which have a label.
    ///
    /// # Errors
    /// An error that names the setting, its value and its range.
    pub fn validate_for(&self, images: usize, labelled: usize) -> Result<(), RecipeError> {
        let (batch, queue) = (self.batch, self.queue);
        if batch > images {
            return Err(RecipeError::FewImages { batch, images });
        }
        let directions = if self.symmetric { 2 } else { 1 };
        let (keys, allowed) = (directions * batch, directions * (images - batch));
        match self.method {
            Method::Moco if queue < keys => return Err(RecipeError::SmallQueue { queue, keys }),
            Method::Moco if queue > allowed => {
                return Err(RecipeError::LargeQueue { queue, images, batch, allowed });
            }
            Method::MemoryBank if queue > allowed => {
                return Err(RecipeError::ManyNegatives { negatives: queue, images, batch, allowed });
            }
            _ => {}
        }
        if labelled == 0 {
            return Ok(());
        }
        let k = self.scoring.knn.k;
        // The monitor's bank is what is left of them behind every fifth.
        let needed = k.saturating_add(k.div_ceil(4));
        if labelled < needed {
            return Err(RecipeError::FewLabels { images: labelled, k, needed });
        }
        Ok(())
    }
}
