//! One part of a run, the baseline or the method, from its start to its networks.

use std::marker::PhantomData;
use std::sync::Arc;

use anyhow::{Context, Result};
use burn::module::Module;
use burn::tensor::Tensor;
use slowburn_augment::loader::ViewLoaderConfig;
use slowburn_ema::detached_copy;
use slowburn_models::Classifier;
use slowburn_semi::{Predict, SemiSupervised, Teacher};
use slowburn_train::TrainerConfig;
use slowburn_train::data::labeled;
use slowburn_train::monitor::{ImageSet, accuracies};
use slowburn_train::run::Checkpoint;
use slowburn_train::task::{FewLabelsTask, SemiMetrics, Task, views_of};
use slowburn_train::trainer::{Phase, timeline_within, with_record};

use super::recipe::Recipe;
use super::session::Training;
use super::{BASELINE_PHASE, History, Plan, Session};
use crate::advice::in_flags;
use crate::network::Backbone;
use crate::scoring::{image_set, test_images};

/// Something done with a method of any kind.
pub(super) trait Visit {
    type Output;

    fn method<T: Teacher<Classifier<Backbone>>>(
        self,
        init: impl FnOnce(Classifier<Backbone>) -> Result<SemiSupervised<Classifier<Backbone>, T>>,
    ) -> Result<Self::Output>;
}

/// The accuracies of a trained method, as fractions of all test and validation images, and its networks.
#[derive(Debug)]
pub(super) struct Trained {
    pub(super) student: Classifier<Backbone>,
    pub(super) teacher: Option<Classifier<Backbone>>,
    pub(super) student_accuracy: Option<f64>,
    pub(super) teacher_accuracy: Option<f64>,
    /// Of the network that is kept: the teacher, where it is one of its own.
    pub(super) validation_accuracy: Option<f64>,
    /// Images that could not be decoded.
    pub(super) left_out: usize,
}

/// One part of a run.
pub(super) struct Part<'a> {
    pub(super) session: &'a Session<'a>,
    pub(super) name: &'a str,
    pub(super) recipe: &'a Recipe,
    pub(super) plan: &'a Plan,
}

impl Part<'_> {
    pub(super) fn train<T: Teacher<Classifier<Backbone>>>(
        &self,
        init: impl FnOnce(Classifier<Backbone>) -> Result<SemiSupervised<Classifier<Backbone>, T>>,
        training: Training<'_, '_>,
    ) -> Result<(Trained, History)> {
        let Self { session, name, recipe, plan } = *self;
        let Training { folder, progress, resume, report } = training;
        let task = self.task()?;
        let method = init(session.student(recipe, || first(&task))?)?;
        let phase = Phase {
            name,
            // The baseline comes first.
            order: u8::from(name != BASELINE_PHASE),
            task: &task,
            optimizer: &recipe.optimizer,
            timeline: plan.steps,
            seed: recipe.seed,
            patience: recipe.patience,
            device: &session.device,
            folder,
            reporter: report,
        };
        let (mut method, progress) = phase.train(method, progress, resume).map_err(in_flags)?;
        if progress.best.is_some() {
            let best: Checkpoint<SemiMetrics> = folder.best(name)?;
            method = with_record(method, best.method)?;
        }
        let trained = self.score(&method, &task)?;
        Ok((trained, progress))
    }

    pub(super) fn steps_within<T: Teacher<Classifier<Backbone>>>(
        &self,
        init: impl FnOnce(Classifier<Backbone>) -> Result<SemiSupervised<Classifier<Backbone>, T>>,
        seconds: f64,
    ) -> Result<u64> {
        let Self { session, recipe, .. } = *self;
        let task = self.task()?;
        let method = init(session.student(recipe, || first(&task))?)?;
        let config =
            TrainerConfig { optimizer: recipe.optimizer.clone(), seed: recipe.seed, ..TrainerConfig::default() };
        let (_, timeline) = timeline_within(seconds, method, &task, &config, &session.device).map_err(in_flags)?;
        Ok(timeline.total)
    }

    fn task<T>(&self) -> Result<FewLabelsTask<Classifier<Backbone>, T>> {
        let Self { session: Session { data, device, workers, .. }, name, recipe, plan } = *self;
        // Two views of an image for every method: those of the student are then the same.
        let (views, strong) = views_of(&recipe.views, recipe.strong_views.as_ref(), recipe.strong_labels)?;
        let broken = recipe.reading.broken;
        let loader =
            ViewLoaderConfig::new(recipe.batch).with_seed(recipe.seed).with_on_corrupt(broken).with_workers(*workers);
        let test = test_images(data, &recipe.views, recipe.curve_images, broken)?;
        Ok(FewLabelsTask {
            phase: name.to_owned(),
            loader: loader.init(Arc::clone(&data.train.images), views)?,
            strong,
            labels: plan.labels.clone(),
            known: plan.labels.clone(),
            classes: data.classes.clone(),
            stream: plan.stream.clone(),
            ramp_up: None,
            validation: self.validation()?,
            test,
            device: device.clone(),
            advice: "lower --lr or --weight".to_owned(),
            settings: serde_json::Value::Null,
            fingerprint: String::new(),
            method: PhantomData,
        })
    }

    /// The images whose labels were held back.
    fn validation(&self) -> Result<Option<ImageSet>> {
        let Self { session: Session { data, .. }, recipe, plan, .. } = *self;
        let chosen = labeled(&plan.held_out);
        match chosen.is_empty() {
            true => Ok(None),
            false => image_set(&data.train.images, chosen, &recipe.views, recipe.reading.broken).map(Some),
        }
    }

    fn score<T: Teacher<Classifier<Backbone>>>(
        &self,
        method: &SemiSupervised<Classifier<Backbone>, T>,
        task: &FewLabelsTask<Classifier<Backbone>, T>,
    ) -> Result<Trained> {
        let Self { session: Session { data, .. }, recipe, .. } = *self;
        let valid = method.valid();
        let both =
            |images: Tensor<4>| [valid.student.predict(images.clone()).class, valid.predict_with_teacher(images).class];
        let device = task.device.clone().without_autodiff();
        let of = |set: &ImageSet| accuracies(set, &device, both);
        let test = test_images(data, &recipe.views, usize::MAX, recipe.reading.broken)?;
        let test = test.as_ref().map(of).transpose()?;
        let validation = task.validation.as_ref().map(of).transpose()?;
        Ok(Trained {
            student: valid.student.clone(),
            teacher: valid.teacher.network().map(detached_copy),
            student_accuracy: test.map(|[student, _]| student),
            teacher_accuracy: test.map(|[_, teacher]| teacher),
            validation_accuracy: validation.map(|[_, teacher]| teacher),
            left_out: task.left_out().len(),
        })
    }
}

/// The student's view of the very first batch.
fn first<T: Teacher<Classifier<Backbone>>>(task: &FewLabelsTask<Classifier<Backbone>, T>) -> Result<Tensor<4>> {
    let batch = task.batches(0, 1)?.next().context("an epoch has a batch")??;
    Ok(batch.into_device(&task.device)?.student)
}
