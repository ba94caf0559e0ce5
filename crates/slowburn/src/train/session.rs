use anyhow::{Result, bail};
use burn::tensor::{Device, Tensor};
use slowburn_ema::{Buffers, Decay, EmaConfig};
use slowburn_models::Classifier;
use slowburn_semi::{
    IctConfig, LabelSource, MeanTeacherConfig, Mixing, Objective, PiModelConfig, PseudoLabelConfig, Selection,
    SemiSupervised, SupervisedConfig, Teacher, TemporalConfig,
};
use slowburn_train::Reporter;
use slowburn_train::data::Dataset;
use slowburn_train::run::RunFolder;
use slowburn_train::trainer::{initialized, mix};

use super::part::{Part, Trained, Visit};
use super::recipe::{Method, Recipe, TargetConfig};
use super::{BASELINE_PHASE, History, Plan, Resume, Summary};
use crate::network::Backbone;
use crate::weights::{Described, Facts, Weights};

/// A whole run: the supervised baseline if wanted, the method, the summary.
#[derive(Debug, Clone)]
pub struct Session<'a> {
    /// What decides the outcome.
    pub recipe: &'a Recipe,
    /// The images.
    pub data: &'a Dataset,
    /// Which of them are used how.
    pub plan: &'a Plan,
    /// Pre-trained weights to start from, if not from random ones.
    pub start: Option<&'a Weights>,
    /// Where to train; with autodiff.
    pub device: Device,
    /// Threads that read images; 0 for one a core.
    pub workers: usize,
}

impl Session<'_> {
    /// Trains from the start or from a checkpoint and returns the summary and the history it came from.
    ///
    /// # Errors
    /// [`TrainError`](slowburn_train::TrainError), and errors of data and files.
    pub fn run(
        &self,
        folder: &RunFolder,
        resume: Option<Resume>,
        report: &mut dyn Reporter,
    ) -> Result<(Summary, History)> {
        let mut progress =
            resume.as_ref().map(|(_, checkpoint)| checkpoint.header.progress.clone()).unwrap_or_default();
        let mut resume = resume;
        let wants_baseline = self.recipe.baseline && self.recipe.method != Method::Supervised;
        let baseline_done = resume.as_ref().is_some_and(|(_, checkpoint)| checkpoint.header.phase != BASELINE_PHASE);
        if wants_baseline && !baseline_done {
            let baseline = Recipe { method: Method::Supervised, ..self.recipe.clone() };
            let training = Training { folder, progress, resume: resume.take(), report: &mut *report };
            // Labels alone: without weights that the images without one have had a part in.
            let start = self.start.filter(|_| self.recipe.pretrain.is_none());
            let alone = Self { start, ..self.clone() };
            let (trained, history) = alone.phase(BASELINE_PHASE, &baseline, training)?;
            progress = history;
            progress.baseline_accuracy = trained.student_accuracy.or(trained.validation_accuracy);
            // The method's best epoch is its own.
            progress.best = None;
        }
        let name = self.recipe.method.to_string();
        let (trained, progress) = self.phase(&name, self.recipe, Training { folder, progress, resume, report })?;
        self.save(&trained, folder)?;
        let supervised = match self.recipe.method {
            Method::Supervised => trained.student_accuracy,
            _ => progress.baseline_accuracy,
        };
        let epochs = progress.metrics.iter().filter(|row| row.phase == name).count() as u64;
        let summary = Summary {
            method: name,
            supervised_accuracy: supervised,
            student_accuracy: trained.student_accuracy,
            teacher_accuracy: trained.teacher_accuracy,
            validation_accuracy: trained.validation_accuracy,
            best_epoch: progress.best.map(|best| best.epoch),
            seed: self.recipe.seed,
            labels: self.plan.labeled(),
            epochs,
            steps: (0..epochs).map(|epoch| self.plan.steps.in_epoch(epoch)).sum(),
            train_seconds: progress.train_seconds,
            images_per_second: progress.images as f64 / progress.train_seconds.max(f64::MIN_POSITIVE),
            device: self.recipe.device.clone(),
            test_images: self.data.test.len(),
            left_out: trained.left_out,
            scratch: None,
        };
        Ok((summary, progress))
    }

    /// Writes the networks, with what is to be known of them.
    fn save(&self, trained: &Trained, folder: &RunFolder) -> Result<()> {
        let recipe = self.recipe;
        let facts = Facts {
            normalization: recipe.network.normalization,
            two_heads: recipe.network.two_heads,
            evaluation: recipe.views.evaluation(),
            whitening: recipe.whitening.clone(),
            image: recipe.image,
            reading: recipe.reading,
            data_sha256: folder.data_sha256()?,
        };
        let settings = serde_json::to_value(recipe)?;
        let described =
            Described { arch: recipe.network.arch, classes: &recipe.classes, recipe: &settings, facts: &facts };
        described.save([("student", Some(&trained.student)), ("teacher", trained.teacher.as_ref())], folder)
    }

    /// How many steps fit into a time, by the speed of the first ones; shared with the baseline where there is one.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn steps_within(&self, seconds: f64) -> Result<u64> {
        let recipe = self.recipe;
        let parts = if recipe.baseline && recipe.method != Method::Supervised { 2.0 } else { 1.0 };
        let starts = if recipe.compare_scratch { 2.0 } else { 1.0 };
        let part = Part { session: self, name: &recipe.method.to_string(), recipe, plan: self.plan };
        self.with_method(recipe, self.plan, Speed { part: &part, seconds: seconds / parts / starts })
    }

    fn phase(&self, name: &str, recipe: &Recipe, training: Training<'_, '_>) -> Result<(Trained, History)> {
        // A baseline of a recipe with a natural mix has batches of its own; the number of steps is the same.
        let mut plan = Plan::new(recipe, self.data)?;
        plan.steps.total = self.plan.steps.total;
        let part = Part { session: self, name, recipe, plan: &plan };
        self.with_method(recipe, &plan, Train { part: &part, training })
    }

    /// Makes the method and hands it on: each is a type of its own.
    fn with_method<V: Visit>(&self, recipe: &Recipe, plan: &Plan, visit: V) -> Result<V::Output> {
        let objective = recipe.objective(plan.steps);
        let device = &self.device;
        match recipe.method {
            Method::MeanTeacher => match &recipe.targets {
                None => {
                    let average = EmaConfig::new(recipe.decay);
                    let config = MeanTeacherConfig { objective, average };
                    visit.method(|student| Ok(config.init(student, device)?))
                }
                Some(targets) => self.pseudo_labels(recipe, plan, targets, visit),
            },
            Method::FixMatch | Method::FlexMatch | Method::FreeMatch => match &recipe.targets {
                Some(targets) => self.pseudo_labels(recipe, plan, targets, visit),
                None => bail!("{} needs targets: which form, and which of them count", recipe.method),
            },
            Method::Ict => {
                let average = EmaConfig::new(recipe.decay);
                let mixing = Mixing { seed: recipe.seed, ..Mixing::default() };
                let config = IctConfig { objective, average, mixing };
                visit.method(|student| Ok(config.init(student, device)?))
            }
            Method::Pi => {
                let config = PiModelConfig { objective, ..PiModelConfig::default() };
                visit.method(|student| Ok(config.init(student, device)?))
            }
            Method::Temporal => {
                let (config, images) = (temporal(recipe, objective)?, self.data.train.len());
                let classes = self.data.classes.len();
                visit.method(|student| Ok(config.init(student, images, classes, device)?))
            }
            Method::Supervised => {
                let config = SupervisedConfig { objective };
                visit.method(|student| Ok(config.init(student, device)?))
            }
        }
    }

    /// Mean Teacher with other targets than soft ones, and FixMatch with its kin.
    fn pseudo_labels<V: Visit>(
        &self,
        recipe: &Recipe,
        plan: &Plan,
        targets: &TargetConfig,
        visit: V,
    ) -> Result<V::Output> {
        let average = EmaConfig::new(recipe.decay);
        // An average that is only evaluated makes no pass in training mode: its batch statistics are the student's.
        let source = targets.source_of(recipe.method);
        let average = match source {
            LabelSource::Average => average,
            _ => average.with_buffers(Buffers::Copy),
        };
        let TargetConfig { form, mut selection, alignment, source: _ } = targets.clone();
        if let Selection::Flex(flex) = &mut selection {
            // Images whose label is held back are in no stream: they would count as never confident for ever.
            flex.unlabeled.get_or_insert(plan.unlabeled.max(1));
        }
        let objective = recipe.objective(plan.steps);
        let config = PseudoLabelConfig { objective, average, source, form, selection, alignment };
        let (images, classes) = (self.data.train.len(), self.data.classes.len());
        visit.method(|student| Ok(config.init(student, images, classes, &self.device)?))
    }

    /// The network at its start: the same for every method of one seed.
    pub(super) fn student(
        &self,
        recipe: &Recipe,
        first: impl FnOnce() -> Result<Tensor<4>>,
    ) -> Result<Classifier<Backbone>> {
        self.device.seed(mix(recipe.seed, u64::MAX));
        let size = recipe.views.output_size(self.data.image_size());
        let mut network = recipe.network.init(size, self.data.classes.len(), &self.device)?;
        // Burn initialises a parameter when it is first read: read all now, while the generator is at its start.
        network = initialized(network);
        if let Some(start) = self.start {
            network = start.start(network, &self.data.classes, recipe.fresh_head)?.0;
        } else if recipe.network.starts_from_batch() {
            network.encoder = network.encoder.init_from_batch(first()?)?;
        }
        Ok(network)
    }
}

/// A part of a run that is to be trained: from where, and who is told.
pub(super) struct Training<'a, 'r> {
    pub(super) folder: &'a RunFolder,
    pub(super) progress: History,
    pub(super) resume: Option<Resume>,
    pub(super) report: &'r mut dyn Reporter,
}

/// Trains the method.
struct Train<'a, 'r> {
    part: &'a Part<'a>,
    training: Training<'a, 'r>,
}

impl Visit for Train<'_, '_> {
    type Output = (Trained, History);

    fn method<T: Teacher<Classifier<Backbone>>>(
        self,
        init: impl FnOnce(Classifier<Backbone>) -> Result<SemiSupervised<Classifier<Backbone>, T>>,
    ) -> Result<Self::Output> {
        self.part.train(init, self.training)
    }
}

/// Measures how fast the method trains.
struct Speed<'a> {
    part: &'a Part<'a>,
    seconds: f64,
}

impl Visit for Speed<'_> {
    type Output = u64;

    fn method<T: Teacher<Classifier<Backbone>>>(
        self,
        init: impl FnOnce(Classifier<Backbone>) -> Result<SemiSupervised<Classifier<Backbone>, T>>,
    ) -> Result<u64> {
        self.part.steps_within(init, self.seconds)
    }
}

fn temporal(recipe: &Recipe, objective: Objective) -> Result<TemporalConfig> {
    match recipe.decay {
        Decay::Constant { decay } => Ok(TemporalConfig { objective, decay }),
        decay => bail!("temporal ensembling has no {decay}: its decay is of predictions, and constant"),
    }
}
