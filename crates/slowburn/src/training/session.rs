use std::marker::PhantomData;
use std::sync::Arc;

use anyhow::{Context, Result};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use slowburn_augment::Views;
use slowburn_augment::loader::ViewLoaderConfig;
use slowburn_ema::{Decay, EmaConfig, detached_copy};
use slowburn_models::{Classifier, StateDict, load_state_dict};
use slowburn_semi::{
    MeanTeacherConfig, Objective, PiModelConfig, Predict, SemiSupervised, SupervisedConfig, Teacher, TemporalConfig,
};

use slowburn_train::Reporter;
use slowburn_train::monitor::{ImageSet, accuracies};
use slowburn_train::run::{RunFolder, save_safetensors};
use slowburn_train::task::{FewLabelsTask, Task};
use slowburn_train::trainer::{Phase, initialized, mix};

use super::{BASELINE_PHASE, History, Plan, Resume, Summary};
use crate::advice::in_flags;
use crate::data::Dataset;
use crate::network::{Backbone, Normalization};
use crate::recipe::{Method, Recipe};
use crate::scoring::test_images;

/// A whole run: the supervised baseline if wanted, the method, the summary.
#[derive(Debug)]
pub struct Session<'a> {
    /// What decides the outcome.
    pub recipe: &'a Recipe,
    /// The images.
    pub data: &'a Dataset,
    /// Which of them are used how.
    pub plan: &'a Plan,
    /// A pre-trained encoder to start from, if not from random weights.
    pub encoder: Option<&'a StateDict>,
    /// Where to train; with autodiff.
    pub device: Device,
    /// Where results go.
    pub folder: &'a RunFolder,
}

/// The accuracies of a trained method on all test images, and its exported networks.
struct Trained {
    student: Classifier<Backbone>,
    teacher: Option<Classifier<Backbone>>,
    student_accuracy: f64,
    teacher_accuracy: f64,
}

impl Session<'_> {
    /// Trains from the start or from a checkpoint and returns the summary and the history it came from.
    ///
    /// # Errors
    /// [`TrainError`](slowburn_train::TrainError), and errors of data and files.
    pub fn run(&self, resume: Option<Resume>, report: &mut dyn Reporter) -> Result<(Summary, History)> {
        let all = test_images(self.data, &self.recipe.views, usize::MAX)?;
        let mut progress =
            resume.as_ref().map(|(_, checkpoint)| checkpoint.header.progress.clone()).unwrap_or_default();
        let mut resume = resume;
        let wants_baseline = self.recipe.baseline && self.recipe.method != Method::Supervised;
        let baseline_done = resume.as_ref().is_some_and(|(_, checkpoint)| checkpoint.header.phase != BASELINE_PHASE);
        if wants_baseline && !baseline_done {
            let baseline = Recipe { method: Method::Supervised, ..self.recipe.clone() };
            let (trained, history) = self.phase(BASELINE_PHASE, &baseline, progress, resume.take(), &all, report)?;
            progress = history;
            progress.baseline_accuracy = Some(trained.student_accuracy);
        }
        let name = self.recipe.method.to_string();
        let (trained, progress) = self.phase(&name, self.recipe, progress, resume, &all, report)?;
        self.export(&trained)?;
        let supervised = match self.recipe.method {
            Method::Supervised => Some(trained.student_accuracy),
            _ => progress.baseline_accuracy,
        };
        let summary = Summary {
            method: name,
            supervised_accuracy: supervised,
            student_accuracy: trained.student_accuracy,
            teacher_accuracy: trained.teacher_accuracy,
            seed: self.recipe.seed,
            labels: self.plan.labeled(),
            epochs: self.plan.steps.epochs(),
            steps: self.plan.steps.total,
            train_seconds: progress.train_seconds,
            images_per_second: progress.images as f64 / progress.train_seconds.max(f64::MIN_POSITIVE),
            device: self.recipe.device.clone(),
            test_images: all.len(),
        };
        Ok((summary, progress))
    }

    fn phase(
        &self,
        name: &str,
        recipe: &Recipe,
        progress: History,
        resume: Option<Resume>,
        all: &ImageSet,
        report: &mut dyn Reporter,
    ) -> Result<(Trained, History)> {
        // A baseline of a recipe with a natural mix has batches of its own; the number of steps is the same.
        let mut plan = Plan::new(recipe, self.data)?;
        plan.steps.total = self.plan.steps.total;
        let objective = recipe.objective(plan.steps);
        let device = &self.device;
        let part = Part { session: self, name, recipe, plan: &plan, all };
        match recipe.method {
            Method::MeanTeacher => {
                let average = EmaConfig::new(recipe.decay);
                let config = MeanTeacherConfig { objective, average };
                part.train(|student| Ok(config.init(student, device)?), progress, resume, report)
            }
            Method::Pi => {
                let config = PiModelConfig { objective, ..PiModelConfig::default() };
                part.train(|student| Ok(config.init(student, device)?), progress, resume, report)
            }
            Method::Temporal => {
                let (config, images) = (temporal(recipe, objective), self.data.train.len());
                let classes = self.data.classes.len();
                part.train(|student| Ok(config.init(student, images, classes, device)?), progress, resume, report)
            }
            Method::Supervised => {
                let config = SupervisedConfig { objective };
                part.train(|student| Ok(config.init(student, device)?), progress, resume, report)
            }
        }
    }

    /// The network at its start: the same for every method of one seed.
    fn student(&self, recipe: &Recipe, first: impl FnOnce() -> Result<Tensor<4>>) -> Result<Classifier<Backbone>> {
        self.device.seed(mix(recipe.seed, u64::MAX));
        let size = recipe.views.output_size(self.data.image_size());
        let mut network = recipe.network.init(size, self.data.classes.len(), &self.device)?;
        // Burn initialises a parameter when it is first read: read all now, while the generator is at its start.
        network = initialized(network);
        if let Some(encoder) = self.encoder {
            network.encoder = load_state_dict(network.encoder, encoder)?;
        } else if recipe.network.normalization == Normalization::Weight {
            network.encoder = network.encoder.init_from_batch(first()?);
        }
        Ok(network)
    }

    fn export(&self, trained: &Trained) -> Result<()> {
        save_safetensors(&trained.student, self.folder.file("student.safetensors"))?;
        if let Some(teacher) = &trained.teacher {
            save_safetensors(teacher, self.folder.file("teacher.safetensors"))?;
        }
        Ok(())
    }
}

/// One part of a run: the baseline or the method.
struct Part<'a> {
    session: &'a Session<'a>,
    name: &'a str,
    recipe: &'a Recipe,
    plan: &'a Plan,
    /// All test images.
    all: &'a ImageSet,
}

impl Part<'_> {
    fn train<T: Teacher<Classifier<Backbone>>>(
        &self,
        init: impl FnOnce(Classifier<Backbone>) -> Result<SemiSupervised<Classifier<Backbone>, T>>,
        progress: History,
        resume: Option<Resume>,
        reporter: &mut dyn Reporter,
    ) -> Result<(Trained, History)> {
        let Self { session, name, recipe, plan, all } = *self;
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
            patience: None,
            device: &session.device,
            folder: session.folder,
            reporter,
        };
        let (method, progress) = phase.train(method, progress, resume).map_err(in_flags)?;
        Ok((Trained::new(&method, all, &task.device)?, progress))
    }

    fn task<T>(&self) -> Result<FewLabelsTask<Classifier<Backbone>, T>> {
        let Self { session: Session { data, device, .. }, name, recipe, plan, .. } = *self;
        // Two views of an image for every method: those of the student are then the same.
        let views = Views::two(recipe.views.clone());
        let loader = ViewLoaderConfig::new(recipe.batch).with_seed(recipe.seed);
        Ok(FewLabelsTask {
            phase: name.to_owned(),
            loader: loader.init(Arc::clone(&data.train.images), views)?,
            labels: plan.labels.clone(),
            known: plan.labels.clone(),
            classes: data.classes.clone(),
            stream: plan.stream.clone(),
            ramp_up: None,
            validation: None,
            test: Some(test_images(data, &recipe.views, recipe.curve_images)?),
            device: device.clone(),
            advice: "lower --lr or --weight".to_owned(),
            settings: serde_json::Value::Null,
            fingerprint: String::new(),
            method: PhantomData,
        })
    }
}

/// The student's view of the very first batch.
fn first<T: Teacher<Classifier<Backbone>>>(task: &FewLabelsTask<Classifier<Backbone>, T>) -> Result<Tensor<4>> {
    let batch = task.batches(0, 1)?.next().context("an epoch has a batch")??;
    Ok(batch.into_device(&task.device)?.student)
}

fn temporal(recipe: &Recipe, objective: Objective) -> TemporalConfig {
    match recipe.decay {
        Decay::Constant { decay } => TemporalConfig { objective, decay },
        // A decay of weights says nothing about predictions.
        _ => TemporalConfig { objective, ..TemporalConfig::default() },
    }
}

impl Trained {
    fn new<T: Teacher<Classifier<Backbone>>>(
        method: &SemiSupervised<Classifier<Backbone>, T>,
        test: &ImageSet,
        device: &Device,
    ) -> Result<Self> {
        let valid = method.valid();
        let both =
            |images: Tensor<4>| [valid.student.predict(images.clone()).class, valid.predict_with_teacher(images).class];
        let [student_accuracy, teacher_accuracy] = accuracies(test, &device.clone().without_autodiff(), both)?;
        let teacher = valid.teacher.network().map(detached_copy);
        Ok(Self { student_accuracy, teacher_accuracy, student: valid.student.clone(), teacher })
    }
}
