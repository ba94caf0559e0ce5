use std::borrow::Cow;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::{Deserialize, Serialize};
use slowburn_models::StateDict;

use super::views::known_to_the_encoder;
use super::{Accuracies, Summary};
use crate::data::Dataset;
use crate::evaluate::Checkpointed;
use crate::recipe::Method;
use crate::training::{Plan, Session};
use crate::{device, moco, recipe, training};
use slowburn_train::run::{Part, RunFolder, load_weights};

/// Where the pre-trained encoder comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// It is pre-trained first.
    Moco(Box<moco::Recipe>),
    /// From an earlier run, or a file.
    From(PathBuf),
}

/// Everything that decides how a run ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// The pre-trained encoder.
    pub start: Start,
    /// SHA-256 of the weights of [`Start::From`] when the run began; runs of earlier versions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_sha256: Option<String>,
    /// Training with labels, the same from both starts; on images as the pre-trained encoder knows them.
    pub tuning: recipe::Recipe,
}

impl Recipe {
    /// Fits training with labels to the images and the pre-trained encoder: from both starts the network is the
    /// encoder's kind, and sees images of the size, normalisation and whitening that the encoder was trained with.
    /// `views` names the preset of an encoder that does not say it itself.
    ///
    /// # Errors
    /// Those of [`Checkpointed::pipeline`] and [`Checkpointed::check_images`], and what does not fit the images.
    pub fn fit(&mut self, views: Option<&str>, data: &Dataset) -> Result<()> {
        let image = data.image_size();
        let evaluation = match &mut self.start {
            Start::Moco(pretraining) => {
                pretraining.fit_views(image);
                moco::check(pretraining, data)?;
                pretraining.evaluation()
            }
            Start::From(path) => {
                let checkpoint = Checkpointed::read(path, false, Some(self.tuning.network.arch))?;
                checkpoint.check_images(data)?;
                self.tuning.network.normalization = checkpoint.normalization;
                self.tuning.whitening.clone_from(&checkpoint.whitening);
                checkpoint.pipeline(views, image)?
            }
        };
        self.tuning.fit_views(image);
        self.tuning.views = known_to_the_encoder(&self.tuning.views, &evaluation, image)?;
        Ok(self.tuning.views.validate_for(image)?)
    }

    /// Checks that the encoder of [`Start::From`] is the one that the run began with, and fits the network and images.
    /// Nothing is to be checked of one that will be pre-trained.
    ///
    /// # Errors
    /// Those of [`Checkpointed`], and [`WeightsError::Misfit`](slowburn_train::run::WeightsError::Misfit).
    pub fn check(&self, data: &Dataset) -> Result<()> {
        let Start::From(path) = &self.start else {
            return Ok(());
        };
        let checkpoint = self.checkpoint(path)?;
        let device = device::parse(&self.tuning.device)?;
        let image = self.tuning.views.output_size(data.image_size());
        let encoder = self.tuning.network.backbone().init(image, &device)?;
        load_weights(encoder, &checkpoint.encoder(), &checkpoint.file)?;
        Ok(())
    }

    fn checkpoint(&self, path: &Path) -> Result<Checkpointed> {
        let checkpoint = Checkpointed::read(path, false, Some(self.tuning.network.arch))?;
        if let Some(expected) = &self.start_sha256 {
            checkpoint.check_unchanged(expected)?;
        }
        Ok(checkpoint)
    }

    /// Runs the parts that are not finished, each in a folder of its own below `folder`: `pretrain`, `scratch`,
    /// `pretrained`.
    ///
    /// # Errors
    /// Those of training, data and files.
    pub fn run(&self, data: &Dataset, folder: &RunFolder, plain: bool) -> Result<Summary> {
        let fingerprint = data.fingerprint()?;
        let known = (data.path.as_path(), fingerprint.as_str());
        let (checkpoint, pretraining) = match &self.start {
            Start::From(path) => (path.clone(), None),
            Start::Moco(recipe) => {
                let summary: moco::Summary = match Part::find(folder, PRETRAINING, recipe.as_ref(), known)? {
                    Part::Finished(summary) => summary,
                    Part::Open(folder, checkpoint) => {
                        moco::finish(plain, recipe, data, &folder, checkpoint.map(|resume| *resume))?
                    }
                };
                (folder.file(PRETRAINING), Some(summary))
            }
        };
        let encoder = self.checkpoint(&checkpoint)?.encoder();
        let images = match &self.tuning.whitening {
            Some(whitening) => Cow::Owned(data.clone().whitened(whitening)?),
            None => Cow::Borrowed(data),
        };
        let tuning = Tuning { recipe: &self.tuning, known, images: &images, whole: folder, plain };
        let scratch = tuning.run("scratch", None)?;
        let pretrained = tuning.run("pretrained", Some(&encoder))?;
        let of = |start: &training::Summary| Accuracies {
            supervised: start.supervised_accuracy.unwrap_or(start.student_accuracy),
            mean_teacher: (self.tuning.method == Method::MeanTeacher).then_some(start.teacher_accuracy),
        };
        let seconds = pretraining.as_ref().map_or(0.0, |summary| summary.train_seconds);
        Ok(Summary {
            scratch: of(&scratch),
            pretrained: of(&pretrained),
            knn_accuracy: pretraining.as_ref().map(|summary| summary.knn_accuracy),
            linear_accuracy: pretraining.as_ref().map(|summary| summary.linear_accuracy),
            labels: scratch.labels,
            seed: self.tuning.seed,
            steps: scratch.steps,
            pretrain_seconds: seconds,
            train_seconds: scratch.train_seconds + pretrained.train_seconds,
            device: self.tuning.device.clone(),
            test_images: scratch.test_images,
        })
    }
}

/// The part of a run that pre-trains.
const PRETRAINING: &str = "pretrain";

/// Training with labels, from any start.
struct Tuning<'a> {
    recipe: &'a recipe::Recipe,
    /// Where the images are and what they are known by, as they were loaded: which is what a folder remembers.
    known: (&'a Path, &'a str),
    /// As training sees them.
    images: &'a Dataset,
    whole: &'a RunFolder,
    plain: bool,
}

impl Tuning<'_> {
    /// Trains from this encoder, or from scratch, in the folder `name`.
    fn run(&self, name: &str, encoder: Option<&StateDict>) -> Result<training::Summary> {
        let &Self { recipe, known, images, whole, plain } = self;
        let (folder, checkpoint) = match Part::find(whole, name, recipe, known)? {
            Part::Finished(summary) => return Ok(summary),
            Part::Open(folder, checkpoint) => (folder, checkpoint.map(|resume| *resume)),
        };
        println!("\nwith labels, from {}", if encoder.is_some() { "the pre-trained encoder" } else { "scratch" });
        let device = device::for_training(&recipe.device, recipe.exact)?;
        let plan = Plan::new(recipe, images)?;
        Session { recipe, data: images, plan: &plan, encoder, device, folder: &folder }.finish(checkpoint, plain)
    }
}
