//! Weights of an earlier run or of a file, and what is known of the network they belong to.

mod error;
mod facts;
mod networks;
mod queue;
mod recognise;

pub use error::CheckpointError;
pub use facts::{Described, Facts};
pub use queue::{read_queue, save_queue};
pub use recognise::{Candidate, fitting};

use std::fs::File;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use sha2::{Digest, Sha256};
use slowburn_augment::presets::{self, Preset};
use slowburn_augment::{ImageSize, Pipeline, WhiteningConfig};
use slowburn_models::Stem;
use slowburn_models::weights::{Fit, Metadata, WeightsError, WeightsFile};
use slowburn_train::data::hex;
use slowburn_train::run::{RunFolder, metadata};

use crate::data::Dataset;
use crate::network::{Arch, Normalization};

/// Which network of a run or file.
#[derive(Debug, Clone, Copy, Default)]
pub struct Choice<'a> {
    /// Of a run: the average instead of the network that was trained.
    pub average: bool,
    /// Of a file of several networks: what stands before its names.
    pub branch: Option<&'a str>,
    /// Which network it is, where the file does not say it.
    pub arch: Option<Arch>,
}

/// Weights, and what is known of the network they belong to.
#[derive(Debug)]
pub struct Weights {
    /// The file.
    pub file: PathBuf,
    /// The encoder.
    pub arch: Arch,
    /// How it normalises, where it has a choice.
    pub normalization: Normalization,
    /// A ResNet's stem.
    pub stem: Option<Stem>,
    /// What images pass before the encoder where it is scored, if the file says so.
    pub evaluation: Option<Pipeline>,
    /// How the images were whitened before, if they were.
    pub whitening: Option<WhiteningConfig>,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// What the file says beside.
    pub facts: Option<Facts>,
    /// Where the images were that it was trained on, if it is a run's.
    pub data: Option<PathBuf>,
    /// The branch that was asked for.
    branch: Option<String>,
    fit: Fit,
    source: WeightsFile,
}

impl Weights {
    /// Reads a run folder of `pretrain` (its query or, as the average, key encoder) or of `train` (its student or teacher), or
    /// a weights file of any format.
    ///
    /// # Errors
    /// [`CheckpointError`], which names the file.
    pub fn read(path: &Path, choice: Choice<'_>) -> Result<Self, CheckpointError> {
        if !path.exists() {
            return Err(CheckpointError::NotThere { path: path.to_owned() });
        }
        if !path.is_dir() {
            return Self::of_file(path.to_owned(), choice);
        }
        if choice.branch.is_some() {
            return Err(CheckpointError::BranchOfRun { path: path.to_owned() });
        }
        let (_, recipe) = RunFolder::open::<serde_json::Value>(path)?;
        let names = if choice.average { ["teacher", "key"] } else { ["student", "query"] };
        let files = names.map(|name| path.join(format!("{name}.safetensors")));
        let file = files.iter().find(|file| file.exists()).cloned();
        let file =
            file.ok_or_else(|| CheckpointError::Missing { path: files[usize::from(is_pretraining(&recipe))].clone() })?;
        let weights = Self::of_file(file, choice)?;
        let data = recipe.get("data").and_then(|data| data.as_str()).map(PathBuf::from);
        Ok(Self { data, ..weights })
    }

    fn of_file(file: PathBuf, choice: Choice<'_>) -> Result<Self, CheckpointError> {
        let source = WeightsFile::open(&file)?;
        let metadata = source.metadata();
        let said = metadata.network.as_deref().and_then(|name| Arch::from_str(name, false).ok());
        if let (Some(asked), Some(found)) = (choice.arch, said)
            && asked != found
        {
            return Err(CheckpointError::OtherArch { path: file, asked, found });
        }
        let candidates = fitting(&source, choice.branch, choice.arch.or(said))?;
        if choice.arch.or(said).is_none() {
            return Err(CheckpointError::NoArch { path: file, fitting: in_brackets(&candidates) });
        }
        let Some((candidate, fit)) = candidates.into_iter().next() else {
            return Err(not_recognised(&source, choice).into());
        };
        let facts = Facts::of(metadata, &file)?;
        let evaluation = facts.as_ref().map(|facts| facts.evaluation.clone()).or_else(|| facts::evaluation(metadata));
        Ok(Self {
            arch: candidate.arch,
            normalization: facts.as_ref().map_or(candidate.normalization, |facts| facts.normalization),
            stem: candidate.stem,
            evaluation,
            whitening: facts.as_ref().and_then(|facts| facts.whitening.clone()),
            sha256: digest(&file).map_err(|source| WeightsError::Io { path: file.clone(), source })?,
            facts,
            data: None,
            branch: choice.branch.map(str::to_owned),
            fit,
            source,
            file,
        })
    }

    /// What a file that says nothing of itself is taken for: which tensors, and what is left out. Nothing for files of this program.
    pub fn taken(&self) -> Option<String> {
        if !self.source.metadata().is_empty() {
            return None;
        }
        let Self { file, fit, .. } = self;
        let mut text = format!("{}: {} tensors, {}", file.display(), fit.taken.len(), fit.branch);
        if !fit.others.is_empty() {
            let others: Vec<&str> = fit.others.iter().map(|other| other.prefix()).collect();
            text += &format!("; take another by --branch: {}", others.join(", "));
        }
        if !fit.head.unexpected.is_empty() {
            text += &format!("; its head: {}", fit.head.unexpected.join(", "));
        }
        Some(text)
    }

    /// What is to be known of the network by who uses it elsewhere: what the file says; of a bare one, what the preset `views` and
    /// the `image` that is named say.
    ///
    /// # Errors
    /// Views that do not exist, and those that were not named where they are needed.
    pub fn about(&self, views: Option<&str>, image: Option<ImageSize>) -> Result<Metadata, CheckpointError> {
        let said = self.source.metadata();
        if !said.is_empty() {
            return Ok(said.clone());
        }
        let channels = self.channels();
        let pipeline = match views {
            Some(name) => Some(name.parse::<Preset>()?.pipeline(None)?),
            None => (channels == 1).then(presets::fashion),
        };
        // Views that cut to one size say it.
        let [small, large] = [64, 512].map(|side| ImageSize { height: side, width: side, channels });
        let said =
            pipeline.as_ref().map(|pipeline| [small, large].map(|image| pipeline.evaluation().output_size(image)));
        let image = image.or_else(|| said.filter(|[a, b]| a == b).map(|[a, _]| a));
        let mut plain = pipeline.map_or_else(Metadata::default, |pipeline| metadata(&pipeline, small, &[]));
        plain.image = image.map(|ImageSize { channels, height, width }| [channels, height, width]);
        let classes = if self.classes().is_some() { self.class_names() } else { Vec::new() };
        Ok(Metadata { network: Some(self.arch.name()), classes, ..plain })
    }

    /// The shape of a tensor of the network.
    fn shape(&self, name: &str) -> Option<&[usize]> {
        let name = self.fit.branch.name(name)?;
        self.source.tensors().get(&name).map(|info| &info.shape[..])
    }

    /// Whether it was trained without labels: its head, if any, projects.
    fn is_contrastive(&self) -> bool {
        let role = self.source.metadata().role.as_deref();
        let prefix = self.fit.branch.prefix();
        matches!(role, Some("query" | "key"))
            || ["encoder_q", "encoder_k", "base_encoder", "momentum_encoder"].iter().any(|end| prefix.ends_with(end))
    }

    /// What images pass before the encoder where it is scored: the fixed part of the preset `views`, else of the run's
    /// own views.
    ///
    /// # Errors
    /// [`CheckpointError::NoViews`], [`CheckpointError::WhitenedViews`] or [`CheckpointError::Views`].
    pub fn pipeline(&self, views: Option<&str>, image: ImageSize) -> Result<Pipeline, CheckpointError> {
        let path = || self.file.clone();
        let pipeline = match (views, &self.evaluation) {
            (Some(_), Some(own)) if self.whitening.is_some() => {
                return Err(CheckpointError::WhitenedViews { path: path(), own: own.name().to_owned() });
            }
            (Some(name), _) => name.parse::<Preset>()?.pipeline(None)?,
            (None, Some(own)) => own.clone(),
            (None, None) if image.channels == 1 => presets::fashion(),
            // Five normalisations of CIFAR-10 alone are in use: a guess would cost points and not be noticed.
            (None, None) => return Err(CheckpointError::NoViews { path: path() }),
        };
        pipeline.validate_for(image)?;
        Ok(pipeline)
    }

    /// Checks that the images are the run's, where its whitening can be fitted on no others.
    ///
    /// # Errors
    /// [`CheckpointError::OtherImages`].
    pub fn check_images(&self, data: &Dataset) -> Result<(), CheckpointError> {
        let own = self.facts.as_ref().map(|facts| &facts.data_sha256);
        if self.whitening.is_none() || own == data.fingerprint().ok().as_ref() {
            return Ok(());
        }
        Err(CheckpointError::OtherImages { path: self.file.clone(), data: data.path.clone() })
    }

    /// The images as the run saw them before its views: whitened, where they were.
    ///
    /// # Errors
    /// [`CheckpointError::OtherImages`], and those of [`Dataset::whitened`].
    pub fn prepare(&self, data: Dataset) -> anyhow::Result<Dataset> {
        self.check_images(&data)?;
        match &self.whitening {
            Some(whitening) => Ok(data.whitened(whitening)?),
            None => Ok(data),
        }
    }

    /// Checks that the file is the one that a run began with.
    ///
    /// # Errors
    /// [`CheckpointError::Changed`].
    pub fn check_unchanged(&self, expected: &str) -> Result<(), CheckpointError> {
        match self.sha256 == expected {
            true => Ok(()),
            false => Err(CheckpointError::Changed {
                path: self.file.clone(),
                found: self.sha256.clone(),
                expected: expected.to_owned(),
            }),
        }
    }

    /// Channels of the images: 1 for grey, 3 for RGB. Those of the run's images, else of the first convolution.
    pub fn channels(&self) -> usize {
        let own = self.facts.as_ref().and_then(|facts| facts.image).map(|image| image.channels);
        let names = self.fit.taken.values().filter_map(|name| self.source.tensors().get(name));
        let convolutions = names.filter(|info| info.shape.len() == 4).map(|info| info.shape[1]);
        own.or_else(|| convolutions.min()).unwrap_or(3)
    }

    /// The names of the classes: their numbers where nobody says them.
    pub fn class_names(&self) -> Vec<String> {
        match &self.source.metadata().classes[..] {
            [] => (0..self.classes().unwrap_or(0)).map(|class| class.to_string()).collect(),
            named => named.to_vec(),
        }
    }
}

/// Only `pretrain`'s recipes have a queue.
fn is_pretraining(recipe: &serde_json::Value) -> bool {
    recipe.get("queue").is_some()
}

fn not_recognised(source: &WeightsFile, choice: Choice<'_>) -> WeightsError {
    let resnet18 = Candidate::resnet18();
    let candidate = Candidate { arch: choice.arch.unwrap_or(resnet18.arch), ..resnet18 };
    let wanted = candidate.parameters().unwrap_or_default();
    match source.fit(&wanted, choice.branch) {
        Err(error) => error,
        // Not reached: a network of which some tensors fit is a candidate.
        Ok(_) => WeightsError::Empty { path: source.path().to_owned() },
    }
}

fn in_brackets(candidates: &[(Candidate, Fit)]) -> String {
    let mut names: Vec<String> =
        candidates.iter().filter(|(_, fit)| fit.is_whole()).map(|(candidate, _)| candidate.arch.name()).collect();
    names.dedup();
    match names.is_empty() {
        true => String::new(),
        false => format!(" (its tensors are those of {})", names.join(" or ")),
    }
}

/// SHA-256 of a file, in hexadecimal.
fn digest(file: &Path) -> std::io::Result<String> {
    let mut hasher = Sha256::new();
    std::io::copy(&mut File::open(file)?, &mut hasher)?;
    Ok(hex(&hasher.finalize()))
}
