use std::path::{Path, PathBuf};

use burn::tensor::Device;
use sha2::{Digest, Sha256};
use slowburn_augment::presets::{self, Preset};
use slowburn_augment::{ImageSize, Pipeline, WhiteningConfig};
use slowburn_models::{HeadVersion, ModelError, Projector, StateDict, state_dict};

use crate::data::Dataset;
use crate::moco;
use crate::network::{Arch, Backbone, BackboneConfig, ContrastConfig, Normalization};
use crate::recipe;
use slowburn_train::data::hex;
use slowburn_train::run::{RunError, RunFolder, WeightsError, load_weights, parse_safetensors};

/// Why a checkpoint cannot be scored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// A run without the network that was asked for.
    #[error("{path} is not there: the run has not ended, or its method has no such network")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A bare file does not say which network it is.
    #[error("{path} does not say which network it is: name it by --arch")]
    NoArch {
        /// The file.
        path: PathBuf,
    },
    /// A bare file does not say how its colour images were normalised.
    #[error(
        "{path} does not say how its images were normalised: name their recipe by --views (imagenet_evaluation, \
         moco_cifar, mean_teacher_cifar, …; `views --list` shows all)"
    )]
    NoViews {
        /// The file.
        path: PathBuf,
    },
    /// Whitened images have gone through more than views.
    #[error("--views cannot be given for {path}: its images were whitened before its own views, `{own}`")]
    WhitenedViews {
        /// The run.
        path: PathBuf,
        /// The run's views.
        own: String,
    },
    /// Whitening is fitted on the training images of a run, which are not at hand.
    #[error(
        "the images of {path} were whitened by what was fitted on its training images: those at {data} are not the \
         ones that it began with"
    )]
    OtherImages {
        /// The run.
        path: PathBuf,
        /// Where the images are.
        data: PathBuf,
    },
    /// No such views, or none of these images.
    #[error(transparent)]
    Views(#[from] slowburn_augment::AugmentError),
    /// The weights are not those that a run began with.
    #[error("{path} has changed since the run began: its SHA-256 is {found}, it was {expected}")]
    Changed {
        /// The file.
        path: PathBuf,
        /// The digest of the file.
        found: String,
        /// The run's.
        expected: String,
    },
    /// Another network than the run's was named.
    #[error("--arch is {asked:?}, but the run in {path} trained {found:?}")]
    OtherArch {
        /// The run.
        path: PathBuf,
        /// The flag.
        asked: Arch,
        /// The run's.
        found: Arch,
    },
    /// An embedding was asked for and there is no head.
    #[error("{path} has no projection head: score its features, without --embedding")]
    NoHead {
        /// The file.
        path: PathBuf,
    },
    /// The run folder.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The weights.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// A network of that kind cannot be.
    #[error(transparent)]
    Model(#[from] ModelError),
}

/// Weights, and what is known of the network they belong to.
#[derive(Debug)]
pub struct Checkpointed {
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
    /// The fingerprint of the run's images.
    data_sha256: Option<String>,
    weights: StateDict,
}

impl Checkpointed {
    /// Reads a run folder of `moco` (its query or key encoder) or of `mean_teacher` (its student or teacher), or a
    /// safetensors file.
    ///
    /// # Errors
    /// [`CheckpointError`], which names the file.
    pub fn read(path: &Path, average: bool, arch: Option<Arch>) -> Result<Self, CheckpointError> {
        if !path.is_dir() {
            let arch = arch.ok_or_else(|| CheckpointError::NoArch { path: path.to_owned() })?;
            return Self::of_file(path.to_owned(), arch, Normalization::Batch);
        }
        let Described { names, arch: found, normalization, evaluation, whitening, data_sha256 } = described(path)?;
        if let Some(asked) = arch.filter(|&asked| asked != found) {
            return Err(CheckpointError::OtherArch { path: path.to_owned(), asked, found });
        }
        let file = path.join(names[usize::from(average)]);
        if !file.exists() {
            return Err(CheckpointError::Missing { path: file });
        }
        let checkpoint = Self::of_file(file, found, normalization)?;
        Ok(Self { evaluation: Some(evaluation), whitening, data_sha256: Some(data_sha256), ..checkpoint })
    }

    fn of_file(file: PathBuf, arch: Arch, normalization: Normalization) -> Result<Self, CheckpointError> {
        // Read once: the digest is that of these weights.
        let bytes = std::fs::read(&file).map_err(|source| WeightsError::Io { path: file.clone(), source })?;
        let sha256 = hex(&Sha256::digest(&bytes));
        let weights = parse_safetensors(&bytes, &file)?;
        let (evaluation, whitening, data_sha256) = (None, None, None);
        Ok(Self { file, arch, normalization, evaluation, whitening, sha256, data_sha256, weights })
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
        if self.whitening.is_none() || self.data_sha256 == data.fingerprint().ok() {
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
}

/// What a run folder says of its networks.
struct Described {
    names: [&'static str; 2],
    arch: Arch,
    normalization: Normalization,
    evaluation: Pipeline,
    whitening: Option<WhiteningConfig>,
    data_sha256: String,
}

fn described(path: &Path) -> Result<Described, RunError> {
    // The two programs' recipes have no common form; which it is shows in the fields.
    if let Ok((folder, recipe)) = RunFolder::open::<moco::Recipe>(path) {
        return Ok(Described {
            names: ["query.safetensors", "key.safetensors"],
            arch: recipe.network.arch,
            normalization: Normalization::Batch,
            evaluation: recipe.evaluation(),
            whitening: None,
            data_sha256: folder.data_sha256()?,
        });
    }
    let (folder, recipe) = RunFolder::open::<recipe::Recipe>(path)?;
    Ok(Described {
        names: ["student.safetensors", "teacher.safetensors"],
        arch: recipe.network.arch,
        normalization: recipe.network.normalization,
        evaluation: recipe.views.evaluation(),
        whitening: recipe.whitening,
        data_sha256: folder.data_sha256()?,
    })
}
