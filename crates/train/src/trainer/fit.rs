use std::path::{Path, PathBuf};
use std::time::Duration;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use slowburn_augment::loader::LoadError;
use slowburn_ema::{Length, Timeline};

use super::record::with_record;
use super::speed::timeline_within;
use super::{OptimizerConfig, Phase, TrainError, Trained, TrainerConfig};
use crate::progress::{Reporter, unasked};
use crate::run::{Checkpoint, NAMES, RunFolder};
use crate::task::{Fit, Task, TaskError, device_of};

/// Trains a method in its own folder: starts, or resumes if the folder holds the same run.
///
/// The same settings on the same images and backend give the same weights, whether or not the run was stopped and resumed. The
/// weights at the start are the caller's: call `device.seed(…)` before making the network.
///
/// ```no_run
/// # use burn::tensor::Tensor;
/// # use slowburn_contrastive::{Contrastive, Encode};
/// use slowburn_train::{OptimizerConfig, Pretrain, TrainError, Trainer};
///
/// # fn fit<M: Contrastive>(task: Pretrain<M>) -> Result<(), TrainError> where M::Encoder: Encode<Input = Tensor<4>> {
/// let trained = Trainer::new("runs/photos")
///     .epochs(20.0)
///     .batch(64)
///     .optimizer(OptimizerConfig::sgd(0.03).with_weight_decay(1e-4))
///     .fit(task)?;
/// println!("{:?}", trained.history.metrics.last());
/// # Ok(())
/// # }
/// ```
pub struct Trainer {
    folder: PathBuf,
    config: TrainerConfig,
    from: Option<PathBuf>,
    reporter: Option<Box<dyn Reporter>>,
}

/// What `config.json` keeps of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Settings {
    trainer: TrainerConfig,
    /// Steps of an epoch and in all: for a budget of time, those that fit in by the speed of the first steps.
    timeline: Timeline,
    /// The run whose weights, averages and queue it began with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    task: Value,
}

impl Trainer {
    /// A trainer of the run in this folder, which need not exist.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), config: TrainerConfig::default(), from: None, reporter: None }
    }

    /// Takes all settings at once.
    pub fn config(self, config: TrainerConfig) -> Self {
        Self { config, ..self }
    }

    /// Sets the length in epochs, which need not be whole.
    pub fn epochs(self, epochs: impl Into<f64>) -> Self {
        let config = TrainerConfig { length: Some(Length::Epochs(epochs.into())), ..self.config };
        Self { config, ..self }
    }

    /// Sets the length in steps.
    pub fn steps(self, steps: u64) -> Self {
        let config = TrainerConfig { length: Some(Length::Steps(steps)), ..self.config };
        Self { config, ..self }
    }

    /// Trains for about this long instead of a number of epochs, evaluation included. The speed of the first steps decides how
    /// many fit in; `config.json` then keeps their number. A run that is killed before that starts over.
    pub fn time(self, time: Duration) -> Self {
        let config = TrainerConfig { time: Some(time.as_secs_f64()), ..self.config };
        Self { config, ..self }
    }

    /// Sets the number of images in a batch.
    pub fn batch(self, batch: usize) -> Self {
        let config = TrainerConfig { batch: Some(batch), ..self.config };
        Self { config, ..self }
    }

    /// Sets the seed of batches, views, dropout and noise.
    pub fn seed(self, seed: u64) -> Self {
        let config = TrainerConfig { seed, ..self.config };
        Self { config, ..self }
    }

    /// Sets update rule and learning rate.
    pub fn optimizer(self, optimizer: OptimizerConfig) -> Self {
        let config = TrainerConfig { optimizer, ..self.config };
        Self { config, ..self }
    }

    /// Stops after this many epochs without a better score, where the task has one.
    pub fn patience(self, epochs: u64) -> Self {
        let config = TrainerConfig { patience: Some(epochs), ..self.config };
        Self { config, ..self }
    }

    /// Begins with the method of another run: weights, average and queue as its newest checkpoint has them. The optimizer, the
    /// count of steps and what rises or falls with it start over. The settings record it.
    pub fn from_run(self, folder: impl Into<PathBuf>) -> Self {
        Self { from: Some(folder.into()), ..self }
    }

    /// Shows progress through this, in place of the dashboard (feature `tui`) or lines on standard error.
    pub fn reporter(self, reporter: impl Reporter + 'static) -> Self {
        Self { reporter: Some(Box::new(reporter)), ..self }
    }

    /// Trains to the end and returns the method.
    ///
    /// # Errors
    /// [`TrainError`]: settings out of range, a folder that holds another run, images that cannot be read, costs and weights
    /// that are not finite.
    pub fn fit<F: Fit>(self, fit: F) -> Result<Trained<F::Task>, TrainError> {
        self.train(fit).map_err(advised)
    }

    fn train<F: Fit>(mut self, fit: F) -> Result<Trained<F::Task>, TrainError> {
        self.config.validate()?;
        let config = self.config.for_images(fit.images());
        let (name, images, batch) = (fit.name(), fit.images(), config.batch.unwrap_or(1));
        if self.config != config {
            tracing::info!("chosen for {images} images: batches of {batch}, {}", in_words(&config));
        }
        let (mut method, task) = fit.prepare(batch, config.seed)?;
        let device = device_of(&method)?;
        if config.patience.is_some() && !task.has_score() {
            return Err(TrainError::Setting {
                field: "patience",
                value: format!("{:?}", config.patience.unwrap_or_default()),
                range: "left out where no epoch has a score: FewLabels::with_validation gives one".to_owned(),
            });
        }
        let data = task.fingerprint();
        let held = self.open(&config, &task, &data)?;
        // A run that was stopped in its first epoch has settings and no checkpoint.
        let has_checkpoint = held.as_ref().map(|(folder, _)| folder.newest()).transpose()?.flatten().is_some();
        if let Some(from) = self.from.as_ref().filter(|_| !has_checkpoint) {
            method = task.restart(begin_from::<F::Task>(method, from)?);
        }
        let (folder, settings) = match held {
            Some(held) => held,
            None => {
                let (begun, timeline) = self.timeline(method, &task, &config, &device)?;
                method = begun;
                let settings = self.settings(&config, timeline, &task);
                let folder = RunFolder::create(&self.folder, &settings, &data)?;
                task.write_files(folder.path())?;
                (folder, settings)
            }
        };
        let mut reporter = self.reporter.take().unwrap_or_else(|| unasked(&task.curves()));
        let resume = folder.latest()?;
        let history = resume.as_ref().map(|(_, resume)| resume.header.progress.clone()).unwrap_or_default();
        let phase = Phase {
            name: &name,
            order: 1,
            task: &task,
            optimizer: &settings.trainer.optimizer,
            timeline: settings.timeline,
            seed: config.seed,
            patience: config.patience,
            device: &device,
            folder: &folder,
            reporter: reporter.as_mut(),
        };
        let (method, history) = phase.train(method, history, resume)?;
        let trained = Trained { method, history, task, timeline: settings.timeline, folder, name };
        trained.folder.write_summary(&trained.summary())?;
        Ok(trained)
    }

    /// The run in the folder, which must be the one that is asked for; `None` if nothing has been trained in it yet.
    fn open<T: Task>(
        &self,
        config: &TrainerConfig,
        task: &T,
        data: &str,
    ) -> Result<Option<(RunFolder, Settings)>, TrainError> {
        if !self.folder.join("config.json").exists() {
            return Ok(None);
        }
        let (folder, held): (_, Settings) = RunFolder::open(&self.folder)?;
        // What decides the timeline is compared: length, batch and images.
        let asked = self.settings(config, held.timeline, task);
        match folder.check_same(&asked, Path::new(""), data) {
            Ok(()) => Ok(Some((folder, held))),
            Err(_) if folder.newest()?.is_none() => {
                folder.discard_unbegun(&["labels.txt", "validation.txt"])?;
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn settings<T: Task>(&self, config: &TrainerConfig, timeline: Timeline, task: &T) -> Settings {
        let from = self.from.as_ref().map(|from| from.display().to_string());
        Settings { trainer: config.clone(), timeline, from, task: task.settings() }
    }

    /// How many steps to make, and the method as it was.
    fn timeline<T: Task>(
        &self,
        method: T::Method,
        task: &T,
        config: &TrainerConfig,
        device: &Device,
    ) -> Result<(T::Method, Timeline), TrainError> {
        match (config.length, config.time) {
            (Some(length), _) => Ok((method, Timeline::new(task.steps_per_epoch(), length))),
            (None, Some(time)) => timeline_within(time, method, task, config, device),
            (None, None) => unreachable!("a length is chosen where no time is given"),
        }
    }
}

impl std::fmt::Debug for Trainer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trainer").field("folder", &self.folder).field("config", &self.config).finish_non_exhaustive()
    }
}

/// The error with advice, where a setting helps.
fn advised(error: TrainError) -> TrainError {
    let TrainError::Task(TaskError::Other(cause)) = &error else { return error };
    let help = match cause.downcast_ref::<LoadError>() {
        Some(LoadError::Corrupt { .. }) => "with_on_corrupt(OnCorrupt::Skip) leaves such images out",
        Some(LoadError::Unsuitable { .. } | LoadError::Sizes { .. }) => {
            "where grey images are among colours, Decoder::rgb() makes three channels of all"
        }
        _ => return error,
    };
    TaskError::other(format!("{cause}; {help}")).into()
}

fn begin_from<T: Task>(method: T::Method, from: &Path) -> Result<T::Method, TrainError> {
    let (folder, _): (_, Value) = RunFolder::open(from)?;
    match folder.latest::<T::Metrics>()? {
        Some((_, Checkpoint { header, .. })) if header.names != NAMES => Err(TrainError::Names { found: header.names }),
        Some((_, checkpoint)) => with_record(method, checkpoint.method),
        None => Err(TrainError::Record { reason: format!("{} has no checkpoint yet", from.display()) }),
    }
}

fn in_words(config: &TrainerConfig) -> String {
    match (config.length, config.time) {
        (Some(Length::Epochs(epochs)), _) => format!("{epochs} epochs"),
        (Some(Length::Steps(steps)), _) => format!("{steps} steps"),
        (_, Some(time)) => format!("as many epochs as fit into {time} s"),
        _ => String::new(),
    }
}
