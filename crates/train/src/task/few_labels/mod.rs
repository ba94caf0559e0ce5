//! Learning from few labels and many images: two streams, one of the semi-supervised methods.

mod metrics;
mod run;
mod validation;

pub use metrics::SemiMetrics;
pub use run::{FewLabelsTask, HostBatch};
pub use validation::hold_out;

use std::sync::Arc;

use burn::tensor::Tensor;
use serde_json::{Value, json};
use slowburn_augment::loader::{OnCorrupt, ViewLoaderConfig};
use slowburn_augment::{Pipeline, Views};
use slowburn_ema::{Length, Ramp, RampShape};
use slowburn_semi::{Mix, Predict, SemiSupervised, Teacher, TwoStream};

use super::{Fit, TaskError, device_of, shapes};
use crate::data::{Labeled, fingerprint, labeled, labels_digest};
use crate::monitor::ImageSet;
use crate::trainer::initialized;

/// The share of a training over which the consistency weight rises.
const RISE: f64 = 0.6;

/// A semi-supervised method with the images that it is to learn from: what [`Trainer::fit`](crate::Trainer::fit) takes.
#[derive(Debug)]
pub struct FewLabels<M: Predict, T: Teacher<M>> {
    method: SemiSupervised<M, T>,
    name: String,
    images: Labeled,
    pipeline: Pipeline,
    strong: Option<Pipeline>,
    strong_labels: bool,
    evaluation: Pipeline,
    mix: Option<Mix>,
    labeled_in_unlabeled: bool,
    ramp_up: Option<RampShape>,
    validation: f64,
    test: Option<Labeled>,
    on_corrupt: OnCorrupt,
    workers: usize,
}

impl<M: Predict<Input = Tensor<4>>, T: Teacher<M>> FewLabels<M, T> {
    /// A method that learns from images of which some have labels; the views of student and teacher are made by `pipeline`.
    pub fn new(method: SemiSupervised<M, T>, images: Labeled, pipeline: Pipeline) -> Self {
        let name = std::any::type_name::<T>();
        let name = name.split('<').next().unwrap_or_default().rsplit("::").next().unwrap_or_default();
        let name = match name {
            "Ema" => "mean-teacher",
            "SelfTeacher" => "pi",
            "PredictionBank" => "temporal",
            "NoTeacher" => "supervised",
            "PseudoLabels" => "fixmatch",
            "Interpolation" => "ict",
            other => other,
        };
        // An untrained teacher teaches nothing: with a weight from the first step on, the student would agree with noise.
        let constant = method.objective().ramp_up == Ramp::Constant;
        let ramp_up = (method.teacher.needs_ramp_up() && constant).then_some(RampShape::SigmoidUp(Length::Share(RISE)));
        Self {
            method: initialized(method),
            name: name.to_owned(),
            images,
            evaluation: pipeline.evaluation(),
            pipeline,
            strong: None,
            strong_labels: false,
            mix: None,
            labeled_in_unlabeled: false,
            ramp_up,
            validation: 0.0,
            test: None,
            on_corrupt: OnCorrupt::Stop,
            workers: 0,
        }
    }

    /// Another pipeline for what the student sees of images without a label, as FixMatch wants it: images with a label, and what
    /// gives the targets, have the weak views that the task was made with. A [`Pair`](slowburn_augment::presets::Pair) has both.
    /// ICT and temporal ensembling see one view of an image and refuse it.
    pub fn with_strong_views(self, strong: Pipeline) -> Self {
        Self { strong: Some(strong), ..self }
    }

    /// Whether the student sees strong views of images with a label too, and so of all, which no paper of FixMatch's kin has;
    /// what gives the targets sees weak ones still. Nothing without [`with_strong_views`](Self::with_strong_views).
    pub fn with_strong_labels(self, strong_labels: bool) -> Self {
        Self { strong_labels, ..self }
    }

    /// How a batch is put together; a quarter with labels by default.
    pub fn with_mix(self, mix: Mix) -> Self {
        Self { mix: Some(mix), ..self }
    }

    /// How the consistency weight rises. By default as in the method's objective; if that has no rise, as half a
    /// bell over 0.6 of the training, since an untrained teacher teaches nothing.
    pub fn with_ramp_up(self, ramp_up: RampShape) -> Self {
        Self { ramp_up: Some(ramp_up), ..self }
    }

    /// Whether images with labels are seen without them too, in the other stream.
    pub fn with_labeled_in_unlabeled(self, both: bool) -> Self {
        Self { labeled_in_unlabeled: both, ..self }
    }

    /// Holds this share of the labelled images of each class back, in [0, 1): by them the best epoch is kept, and training may
    /// stop early. They are then in neither stream.
    ///
    /// FlexMatch divides by the number of unlabelled images, which is that of all images unless `FlexThresholds::unlabeled` of
    /// `slowburn-semi` says another: those that are held back would count as never confident.
    pub fn with_validation(self, share: f64) -> Self {
        Self { validation: share, ..self }
    }

    /// Labelled images that are scored after every epoch; nothing is chosen by them.
    pub fn with_test(self, test: Labeled) -> Self {
        Self { test: Some(test), ..self }
    }

    /// What images pass before a network that is looked at; the fixed part of the views by default.
    pub fn with_evaluation(self, evaluation: Pipeline) -> Self {
        Self { evaluation, ..self }
    }

    /// What happens to an image that cannot be decoded.
    pub fn with_on_corrupt(self, on_corrupt: OnCorrupt) -> Self {
        Self { on_corrupt, ..self }
    }

    /// Threads that read and prepare images; 0: as many as rayon's pool has.
    pub fn with_workers(self, workers: usize) -> Self {
        Self { workers, ..self }
    }

    /// The method's name in files and progress.
    pub fn with_name(self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self }
    }

    fn settings(&self, mix: Mix) -> Value {
        let mut settings = json!({
            "method": self.name,
            "objective": self.method.objective(),
            "teacher": self.method.teacher.settings(),
            "network": shapes(&self.method.student),
            "classes": self.images.classes(),
            "labels": self.images.labels().iter().flatten().count(),
            // Which image has which: a file that was changed meanwhile makes another run.
            "labels_sha256": labels_digest(self.images.labels()),
            "images": self.images.labels().len(),
            "exif": self.images.source().exif(),
            "views": self.pipeline,
            "evaluation": self.evaluation,
            "ramp_up": self.ramp_up,
            "mix": mix,
            "labeled_in_unlabeled": self.labeled_in_unlabeled,
            "validation": self.validation,
            "on_corrupt": self.on_corrupt,
        });
        if let Some(strong) = &self.strong {
            settings["strong_views"] = json!(strong);
        }
        if self.strong_labels {
            settings["strong_labels"] = json!(true);
        }
        settings
    }

    fn set(&self, images: &Labeled, labels: &[Option<usize>]) -> Result<Option<ImageSet>, TaskError> {
        let chosen = labeled(labels);
        match chosen.is_empty() {
            true => Ok(None),
            false => {
                let source = Arc::clone(images.source());
                ImageSet::with_on_corrupt(source, chosen, &self.evaluation, self.on_corrupt).map(Some)
            }
        }
    }
}

impl<M: Predict<Input = Tensor<4>>, T: Teacher<M>> Fit for FewLabels<M, T> {
    type Task = FewLabelsTask<M, T>;

    fn name(&self) -> String {
        self.name.clone()
    }

    fn images(&self) -> usize {
        self.images.labels().len()
    }

    fn prepare(self, batch: usize, seed: u64) -> Result<(SemiSupervised<M, T>, Self::Task), TaskError> {
        if self.strong.is_some() && T::UNLABELED && !T::OWN_VIEW {
            return Err(TaskError::other(format!(
                "with_strong_views says nothing to {}, which sees one view of an image: give those views to the task instead",
                self.name
            )));
        }
        if let Some(ramp_up) = self.ramp_up {
            ramp_up.validate().map_err(|error| TaskError::other(format!("with_ramp_up: {error}")))?;
        }
        let mix = self.mix.unwrap_or(Mix::Fixed { labeled: batch.div_ceil(4) });
        self.images.warn();
        let settings = self.settings(mix);
        let (labels, held_out) = hold_out(self.images.labels(), self.validation, seed)?;
        let labeled: Vec<usize> = (0..labels.len()).filter(|&image| labels[image].is_some()).collect();
        let unlabeled = (0..labels.len())
            .filter(|&image| held_out[image].is_none() && (labels[image].is_none() || self.labeled_in_unlabeled));
        if let Some(held) = Some(held_out.iter().flatten().count()).filter(|&held| held > 0) {
            tracing::info!("{} labels to learn from, {held} to choose the best epoch by", labeled.len());
        }
        let stream = TwoStream::new(labeled, unlabeled.collect(), batch, mix, seed)?;
        let config =
            ViewLoaderConfig::new(batch).with_seed(seed).with_on_corrupt(self.on_corrupt).with_workers(self.workers);
        let (views, strong) = views_of(&self.pipeline, self.strong.as_ref(), self.strong_labels)?;
        let test = self.test.as_ref().map(|test| self.set(test, test.labels())).transpose()?.flatten();
        let task = FewLabelsTask {
            phase: self.name.clone(),
            validation: self.set(&self.images, &held_out)?,
            test,
            loader: config.init(Arc::clone(self.images.source()), views)?,
            strong,
            labels,
            known: self.images.labels().to_vec(),
            classes: self.images.classes().to_vec(),
            stream,
            ramp_up: self.ramp_up,
            device: device_of(&self.method)?,
            advice: "lower the learning rate or the weight of the consistency cost".to_owned(),
            settings,
            fingerprint: fingerprint(self.images.source().as_ref())?,
            method: std::marker::PhantomData,
        };
        Ok((self.method, task))
    }
}

/// Two views of every image, and whether the second is one of images without a label alone, as [`FewLabelsTask::strong`] wants it.
///
/// # Errors
/// Those of [`Views::groups`].
pub fn views_of(weak: &Pipeline, strong: Option<&Pipeline>, strong_labels: bool) -> Result<(Views, bool), TaskError> {
    let two = |first: &Pipeline, second: &Pipeline| {
        Views::groups(vec![(first.clone(), 1), (second.clone(), 1)]).map_err(TaskError::other)
    };
    match strong {
        None => Ok((Views::two(weak.clone()), false)),
        // The student's comes first.
        Some(strong) if strong_labels => Ok((two(strong, weak)?, false)),
        Some(strong) => Ok((two(weak, strong)?, true)),
    }
}
