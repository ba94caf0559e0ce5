//! Weights of an earlier run or of a file, and what is known of the network they belong to.

mod error;

pub use error::CheckpointError;

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use sha2::{Digest, Sha256};
use slowburn_augment::presets::{self, Preset};
use slowburn_augment::{ImageSize, Pipeline, WhiteningConfig};
use slowburn_models::{Classifier, HeadVersion, Projector, StateDict, state_dict};

use slowburn_train::data::hex;
use slowburn_train::run::{RunError, RunFolder, WeightsError, load_weights, parse_safetensors};

use crate::args::Reading;
use crate::data::Dataset;
use crate::network::{Arch, Backbone, BackboneConfig, ContrastConfig, NetworkConfig, Normalization};
use crate::{pretrain, train};

/// Weights, and what is known of the network they belong to.
#[derive(Debug)]
pub struct Weights {
    /// The file.
    pub file: PathBuf,
    /// The encoder.
    pub arch: Arch,
    /// How it normalises, where it has a choice.
    pub normalization: Normalization,
    /// What images pass before the encoder where it is scored, if the run says so.
    pub evaluation: Option<Pipeline>,
    /// How the run's images were whitened before, if they were.
    pub whitening: Option<WhiteningConfig>,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// What the run says beside.
    pub run: Option<RunFacts>,
    weights: StateDict,
}

/// What only a run knows of its network and images.
#[derive(Debug, Clone)]
pub struct RunFacts {
    /// The names of the classes, by number, which runs of earlier versions leave out; none after pre-training.
    pub classes: Option<Vec<String>>,
    /// Size of its first image, and of all where they have one size; runs of earlier versions do not say it.
    pub image: Option<ImageSize>,
    /// How its files were read.
    pub reading: Reading,
    /// Where its images were.
    pub data: PathBuf,
    /// The fingerprint of its images.
    pub data_sha256: String,
    /// Whether the network has two classification heads.
    two_heads: bool,
}

impl Weights {
    /// Reads a run folder of `pretrain` (its query or, as the average, key encoder) or of `train` (its student or teacher), or
    /// a safetensors file.
    ///
    /// # Errors
    /// [`CheckpointError`], which names the file.
    pub fn read(path: &Path, average: bool, arch: Option<Arch>) -> Result<Self, CheckpointError> {
        if !path.exists() {
            return Err(CheckpointError::NotThere { path: path.to_owned() });
        }
        if !path.is_dir() {
            let arch = arch.ok_or_else(|| CheckpointError::NoArch { path: path.to_owned() })?;
            return Self::of_file(path.to_owned(), arch, Normalization::Batch);
        }
        let Described { names, arch: found, normalization, evaluation, whitening, facts } = described(path)?;
        if let Some(asked) = arch.filter(|&asked| asked != found) {
            return Err(CheckpointError::OtherArch { path: path.to_owned(), asked, found });
        }
        let file = path.join(names[usize::from(average)]);
        if !file.exists() {
            return Err(CheckpointError::Missing { path: file });
        }
        let checkpoint = Self::of_file(file, found, normalization)?;
        Ok(Self { evaluation: Some(evaluation), whitening, run: Some(facts), ..checkpoint })
    }

    fn of_file(file: PathBuf, arch: Arch, normalization: Normalization) -> Result<Self, CheckpointError> {
        // Read once: the digest is that of these weights.
        let bytes = std::fs::read(&file).map_err(|source| WeightsError::Io { path: file.clone(), source })?;
        let sha256 = hex(&Sha256::digest(&bytes));
        let weights = parse_safetensors(&bytes, &file)?;
        Ok(Self { file, arch, normalization, evaluation: None, whitening: None, sha256, run: None, weights })
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
        let own = self.run.as_ref().map(|run| &run.data_sha256);
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

    /// The encoder's weights, without any head.
    pub fn encoder(&self) -> StateDict {
        let mut weights = self.weights.clone();
        weights.retain(|name, _| !name.starts_with("fc.") && !name.starts_with("fc_consistency."));
        weights
    }

    /// Whether there is a projection head, or a classifier's.
    fn head(&self) -> Option<(HeadVersion, usize)> {
        let rows = |name: &str| self.weights.get(name).map(|data| data.shape()[0]);
        let v2 = rows("fc.2.weight").map(|dim| (HeadVersion::V2, dim));
        v2.or_else(|| rows("fc.weight").map(|dim| (HeadVersion::V1, dim)))
    }

    /// The network with these weights.
    ///
    /// # Errors
    /// [`CheckpointError::NoHead`] if an `embedding` is wanted and cannot be had; [`WeightsError::Misfit`] with every
    /// name and shape that does not fit.
    pub fn network(
        &self,
        image: ImageSize,
        embedding: bool,
        device: &Device,
    ) -> Result<Projector<Backbone>, CheckpointError> {
        let path = self.file.clone();
        let head = self.head();
        if embedding && head.is_none() {
            return Err(CheckpointError::NoHead { path });
        }
        let backbone = BackboneConfig {
            arch: self.arch,
            normalization: self.normalization,
            splits: 1,
            dropout: 0.0,
            input_noise: 0.0,
        };
        let (version, dim) = head.unwrap_or((HeadVersion::V1, 1));
        let network = ContrastConfig { backbone, head: version, dim }.init(image, device)?;
        let mut weights = self.weights.clone();
        // Mean Teacher's second head is not part of the encoder.
        weights.retain(|name, _| !name.starts_with("fc_consistency."));
        if head.is_none() {
            // Features do not pass the head: whatever it starts with will do.
            weights.extend(state_dict(&network.fc).into_iter().map(|(name, data)| (format!("fc.{name}"), data)));
        }
        Ok(load_weights(network, &weights, &path)?)
    }

    /// Channels of the images: 1 for grey, 3 for RGB. Those of the run's images, else of the first convolution.
    pub fn channels(&self) -> usize {
        let own = self.run.as_ref().and_then(|run| run.image).map(|image| image.channels);
        let convolutions = || self.weights.values().filter(|data| data.shape().len() == 4).map(|data| data.shape()[1]);
        own.or_else(|| convolutions().min()).unwrap_or(3)
    }

    /// How many classes the head tells apart: none where there is no classifier's head.
    pub fn classes(&self) -> Option<usize> {
        let rows = self.weights.get("fc.weight").map(|data| data.shape()[0]);
        rows.filter(|_| self.run.as_ref().is_none_or(|run| run.classes.is_some()))
    }

    /// The names of the classes: their numbers where nobody says them.
    pub fn class_names(&self) -> Vec<String> {
        let named = self.run.as_ref().and_then(|run| run.classes.clone()).filter(|classes| !classes.is_empty());
        named.unwrap_or_else(|| (0..self.classes().unwrap_or(0)).map(|class| class.to_string()).collect())
    }

    /// The classifier with these weights, in evaluation mode, for images of the size that its views give.
    ///
    /// # Errors
    /// [`CheckpointError::NoClassifier`] where there is no such head; [`WeightsError::Misfit`] with every name and shape that
    /// does not fit.
    pub fn classifier(&self, image: ImageSize, device: &Device) -> Result<Classifier<Backbone>, CheckpointError> {
        let none = || CheckpointError::NoClassifier { path: self.file.clone() };
        let classes = self.classes().ok_or_else(none)?;
        let config = NetworkConfig {
            arch: self.arch,
            normalization: self.normalization,
            two_heads: self.run.as_ref().is_some_and(|run| run.two_heads),
            dropout: 0.0,
            input_noise: 0.0,
            group: None,
        };
        Ok(load_weights(config.init(image, classes, device)?, &self.weights, &self.file)?)
    }
}

/// What a run folder says of its networks.
struct Described {
    names: [&'static str; 2],
    arch: Arch,
    normalization: Normalization,
    evaluation: Pipeline,
    whitening: Option<WhiteningConfig>,
    facts: RunFacts,
}

fn described(path: &Path) -> Result<Described, RunError> {
    // The two programs' recipes have no common form; which it is shows in the fields.
    if let Ok((folder, recipe)) = RunFolder::open::<pretrain::Recipe>(path) {
        return Ok(Described {
            names: ["query.safetensors", "key.safetensors"],
            arch: recipe.network.arch,
            normalization: Normalization::Batch,
            evaluation: recipe.evaluation(),
            whitening: None,
            facts: RunFacts {
                classes: None,
                image: recipe.image,
                reading: recipe.reading,
                data: recipe.data,
                data_sha256: folder.data_sha256()?,
                two_heads: false,
            },
        });
    }
    let (folder, recipe) = RunFolder::open::<train::recipe::Recipe>(path)?;
    Ok(Described {
        names: ["student.safetensors", "teacher.safetensors"],
        arch: recipe.network.arch,
        normalization: recipe.network.normalization,
        evaluation: recipe.views.evaluation(),
        whitening: recipe.whitening,
        facts: RunFacts {
            classes: Some(recipe.classes),
            image: recipe.image,
            reading: recipe.reading,
            data: recipe.data,
            data_sha256: folder.data_sha256()?,
            two_heads: recipe.network.two_heads,
        },
    })
}
