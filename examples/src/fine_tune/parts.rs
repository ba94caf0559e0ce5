use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::{Deserialize, Serialize};
use slowburn_models::StateDict;

use super::{Accuracies, Summary};
use crate::data::Dataset;
use crate::evaluate::Checkpointed;
use crate::network::load_weights;
use crate::recipe::Method;
use crate::run::{Part, RunFolder};
use crate::training::{Plan, Session};
use crate::{device, moco, recipe, run};

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
    /// Training with labels, the same from both starts.
    pub tuning: recipe::Recipe,
}

impl Recipe {
    /// Checks that the encoder of [`Start::From`] is the one that the run began with, and fits the network and images.
    /// Nothing is to be checked of one that will be pre-trained.
    ///
    /// # Errors
    /// Those of [`Checkpointed`], and [`WeightsError::Misfit`](crate::network::WeightsError::Misfit).
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
        let (checkpoint, pretraining) = match &self.start {
            Start::From(path) => (path.clone(), None),
            Start::Moco(recipe) => {
                let path = folder.file("pretrain");
                let summary: moco::Summary = match Part::find(&path, recipe.as_ref(), data)? {
                    Part::Finished(summary) => summary,
                    Part::Open(folder, checkpoint) => moco::finish(plain, recipe, data, &folder, checkpoint)?,
                };
                (path, Some(summary))
            }
        };
        let encoder = self.checkpoint(&checkpoint)?.encoder();
        let scratch = self.tune(None, &folder.file("scratch"), data, plain)?;
        let pretrained = self.tune(Some(&encoder), &folder.file("pretrained"), data, plain)?;
        let of = |start: &run::Summary| Accuracies {
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

    /// Trains with labels from one start.
    fn tune(&self, encoder: Option<&StateDict>, path: &Path, data: &Dataset, plain: bool) -> Result<run::Summary> {
        let recipe = &self.tuning;
        let (folder, checkpoint) = match Part::find(path, recipe, data)? {
            Part::Finished(summary) => return Ok(summary),
            Part::Open(folder, checkpoint) => (folder, checkpoint),
        };
        println!("\nwith labels, from {}", if encoder.is_some() { "the pre-trained encoder" } else { "scratch" });
        let device = device::parse(&recipe.device)?.autodiff();
        let plan = Plan::new(recipe, data)?;
        Session { recipe, data, plan: &plan, encoder, device, folder: &folder }.finish(checkpoint, plain)
    }
}
