use std::marker::PhantomData;

use anyhow::Result;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use slowburn_ema::{Decay, EmaConfig};
use slowburn_models::{Classifier, StateDict, load_state_dict};
use slowburn_semi::{
    MeanTeacherConfig, Objective, PiModelConfig, Predict, SemiSupervised, SupervisedConfig, Teacher, TemporalConfig,
};

use super::Plan;
use super::batches::Source;
use super::semi::SemiTask;
use crate::data::Dataset;
use crate::device;
use crate::network::{Backbone, Normalization, save_safetensors};
use crate::recipe::{Method, Recipe};
use crate::report::Report;
use crate::run::{BASELINE_PHASE, Checkpoint, Progress, RunFolder, Summary};
use crate::scoring::{TestSet, accuracy};
use crate::trainer::{Trainer, mix, read_all};

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
    /// [`TrainError`](crate::trainer::TrainError), and errors of data and files.
    pub fn run(&self, resume: Option<Checkpoint>, report: &mut dyn Report) -> Result<(Summary, Progress)> {
        let all = TestSet::new(self.data, &self.recipe.views, usize::MAX, &self.device.clone().without_autodiff())?;
        let mut progress = resume.as_ref().map(|checkpoint| checkpoint.header.progress.clone()).unwrap_or_default();
        let mut resume = resume;
        let wants_baseline = self.recipe.baseline && self.recipe.method != Method::Supervised;
        let baseline_done = resume.as_ref().is_some_and(|checkpoint| checkpoint.header.phase != BASELINE_PHASE);
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
        progress: Progress,
        resume: Option<Checkpoint>,
        all: &TestSet,
        report: &mut dyn Report,
    ) -> Result<(Trained, Progress)> {
        // A baseline of a recipe with a natural mix has batches of its own; the number of steps is the same.
        let mut plan = Plan::new(recipe, self.data)?;
        plan.steps.total = self.plan.steps.total;
        let monitor = TestSet::new(self.data, &recipe.views, recipe.monitor, &self.device.clone().without_autodiff())?;
        let source = Source::new(recipe, self.data, &plan)?;
        let objective = recipe.objective(plan.steps.per_epoch, plan.steps.total);
        let student = self.student(recipe, &source)?;
        let device = &self.device;
        let part = Part { session: self, name, recipe, plan: &plan, source: &source, monitor: &monitor };
        match recipe.method {
            Method::MeanTeacher => {
                let average = EmaConfig::new(recipe.decay);
                let method = MeanTeacherConfig { objective, average }.init(student, device)?;
                let (method, progress) = part.train(method, progress, resume, report)?;
                Ok((Trained::new(&method, all, Some(method.teacher.export())), progress))
            }
            Method::Pi => {
                let method = PiModelConfig { objective, ..PiModelConfig::default() }.init(student, device)?;
                let (method, progress) = part.train(method, progress, resume, report)?;
                Ok((Trained::new(&method, all, None), progress))
            }
            Method::Temporal => {
                let config = temporal(recipe, objective);
                let images = self.data.train.images.len();
                let method = config.init(student, images, self.data.classes.len(), device)?;
                let (method, progress) = part.train(method, progress, resume, report)?;
                Ok((Trained::new(&method, all, None), progress))
            }
            Method::Supervised => {
                let method = SupervisedConfig { objective }.init(student, device)?;
                let (method, progress) = part.train(method, progress, resume, report)?;
                Ok((Trained::new(&method, all, None), progress))
            }
        }
    }

    /// The network at its start: the same for every method of one seed.
    fn student(&self, recipe: &Recipe, source: &Source<'_>) -> Result<Classifier<Backbone>> {
        self.device.seed(mix(recipe.seed, u64::MAX));
        let size = recipe.views.output_size(self.data.image_size());
        let mut network = recipe.network.init(size, self.data.classes.len(), &self.device)?;
        // Burn initialises a parameter when it is first read: read all now, while the generator is at its start.
        network = read_all(network);
        if let Some(encoder) = self.encoder {
            network.encoder = load_state_dict(network.encoder, encoder)?;
        } else if recipe.network.normalization == Normalization::Weight {
            network.encoder = network.encoder.init_from_batch(source.first(&self.device)?);
        }
        Ok(network)
    }

    fn export(&self, trained: &Trained) -> Result<()> {
        save_safetensors(&trained.student, &self.folder.file("student.safetensors"))?;
        if let Some(teacher) = &trained.teacher {
            save_safetensors(teacher, &self.folder.file("teacher.safetensors"))?;
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
    source: &'a Source<'a>,
    monitor: &'a TestSet,
}

impl Part<'_> {
    fn train<T: Teacher<Classifier<Backbone>>>(
        &self,
        method: SemiSupervised<Classifier<Backbone>, T>,
        progress: Progress,
        resume: Option<Checkpoint>,
        report: &mut dyn Report,
    ) -> Result<(SemiSupervised<Classifier<Backbone>, T>, Progress)> {
        let Self { session, name, recipe, plan, source, monitor } = *self;
        let device = &session.device;
        let task = SemiTask { phase: name, recipe, source, monitor, device, teacher: PhantomData };
        let trainer = Trainer {
            name,
            task: &task,
            optimizer: &recipe.optimizer,
            steps: plan.steps,
            seed: recipe.seed,
            device,
            device_is_gpu: device::is_gpu(&recipe.device),
            folder: session.folder,
            report,
        };
        trainer.train(method, progress, resume)
    }
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
        test: &TestSet,
        teacher: Option<Classifier<Backbone>>,
    ) -> Self {
        let valid = method.valid();
        let student = |images: Tensor<4>| valid.student.predict(images).class;
        Self {
            student_accuracy: accuracy(test, student),
            teacher_accuracy: accuracy(test, |images| valid.predict_with_teacher(images).class),
            student: valid.student.clone(),
            teacher: teacher.map(|teacher| teacher.valid()),
        }
    }
}
