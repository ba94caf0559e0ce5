//! What is trained: a method, its batches, its step, its figures.

mod error;
mod few_labels;
mod pretrain;

pub use error::TaskError;
pub use few_labels::{FewLabels, FewLabelsTask, HostBatch, SemiMetrics, hold_out, views_of};
#[cfg(feature = "burn-train")]
pub(crate) use pretrain::into_views;
pub use pretrain::{ContrastMetrics, Pretrain, PretrainTask};

use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::tensor::Tensor;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use slowburn_ema::Timeline;

use crate::progress::Figure;

/// Batches on the host, one after the other.
pub type TaskBatches<'a, B> = Box<dyn Iterator<Item = Result<B, TaskError>> + 'a>;

/// What a step of training left behind.
#[derive(Debug)]
pub struct StepOutcome {
    /// Costs on the device, each `[1]`, the one that was minimised first.
    pub costs: Vec<Tensor<1>>,
    /// Numbers that are on the host anyway.
    pub known: Vec<f64>,
}

/// What the loop has seen: of a step, or the means of an epoch.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    /// The epoch, counted from 1; 0 while the speed is measured.
    pub epoch: u64,
    /// Steps made.
    pub step: u64,
    /// Whether this was the last step of the training.
    pub last: bool,
    /// The learning rate of the last step.
    pub learning_rate: f64,
    /// [`StepOutcome::costs`]: of the last step that was read, or the means of an epoch.
    pub costs: Vec<f64>,
    /// [`StepOutcome::known`] of the last step.
    pub known: Vec<f64>,
}

impl Observed {
    /// A cost by its place; NaN before the first is read.
    pub fn cost(&self, place: usize) -> f64 {
        self.costs.get(place).copied().unwrap_or(f64::NAN)
    }

    /// A known number by its place; NaN where there is none.
    pub fn known(&self, place: usize) -> f64 {
        self.known.get(place).copied().unwrap_or(f64::NAN)
    }
}

/// What the training loop needs of what it trains.
///
/// Batches are asked for by epoch, never as "the next one", and must be a pure function of it: a run that continues after it was
/// killed sees what it would have seen.
pub trait Task: Sync {
    /// A method: a module whose record is all that it depends on beside the optimizer.
    type Method: Module;
    /// A batch on the host.
    type Batch: Send;
    /// What is kept of an epoch. No times: two runs with the same settings have equal metrics.
    type Metrics: Serialize + DeserializeOwned + Clone;

    /// Steps from one epoch to the next.
    fn steps_per_epoch(&self) -> usize;

    /// The first `steps` batches of an epoch, counted from 0; made ahead on threads that end with the iterator.
    ///
    /// # Errors
    /// Those of the loader.
    fn batches(&self, epoch: u64, steps: u64) -> Result<TaskBatches<'_, Self::Batch>, TaskError>;

    /// The method for a training of this length. Ramps count steps, and their number is known only now.
    fn fit_to(&self, method: Self::Method, _timeline: Timeline) -> Self::Method {
        method
    }

    /// The method of another run for this training: with its weights and state, and the count of steps at 0.
    fn restart(&self, method: Self::Method) -> Self::Method {
        method
    }

    /// The number of images in a batch; two views of one count once.
    fn images(&self, batch: &Self::Batch) -> usize;

    /// One optimizer step.
    ///
    /// # Errors
    /// Those of the method.
    fn step(
        &self,
        method: Self::Method,
        batch: Self::Batch,
        optimizer: &mut ModuleOptimizer,
        learning_rate: f64,
    ) -> Result<(Self::Method, StepOutcome), TaskError>;

    /// What progress shows after a step.
    fn step_figures(&self, seen: &Observed) -> Vec<Figure>;

    /// What is kept of an epoch; may evaluate the method, which must leave it as it is. Epoch 0 is asked for while the speed is
    /// measured, and shall be evaluated without a warning.
    ///
    /// # Errors
    /// Those of the evaluation.
    fn metrics(&self, method: &Self::Method, seen: &Observed) -> Result<Self::Metrics, TaskError>;

    /// From one epoch that [`metrics`](Self::metrics) evaluates to the next.
    fn evaluated_every(&self) -> u64 {
        1
    }

    /// What progress shows after an epoch.
    fn epoch_figures(&self, metrics: &Self::Metrics) -> Vec<Figure>;

    /// Every figure with its direction: whether higher is better.
    fn curves(&self) -> Vec<(&'static str, bool)> {
        Vec::new()
    }

    /// What may help when a cost is not finite.
    fn advice(&self) -> &str {
        "lower the learning rate"
    }

    /// How good an epoch was, higher is better, where the task can tell without test images: by it the best epoch is kept and
    /// training may stop early.
    fn score(&self, _metrics: &Self::Metrics) -> Option<f64> {
        None
    }

    /// Whether epochs have a [score](Self::score).
    fn has_score(&self) -> bool {
        false
    }

    /// Every setting of the task that decides the result, for `config.json`.
    fn settings(&self) -> Value {
        Value::Null
    }

    /// Writes into a run's folder what belongs beside its settings: which images have which label, for one.
    ///
    /// # Errors
    /// Input or output errors.
    fn write_files(&self, _folder: &std::path::Path) -> Result<(), TaskError> {
        Ok(())
    }

    /// Images that were left out because they cannot be decoded, with the reason.
    fn left_out(&self) -> Vec<String> {
        Vec::new()
    }

    /// A fingerprint: equal for equal images. A run is resumed only with the images that it began with.
    fn fingerprint(&self) -> String {
        String::new()
    }
}

/// What a [`Trainer`](crate::Trainer) fits: a method with images that are not divided into batches yet.
pub trait Fit {
    /// The task that it becomes.
    type Task: Task;

    /// Its name: of the method, for files and progress.
    fn name(&self) -> String;

    /// Number of training images, by which defaults are chosen.
    fn images(&self) -> usize;

    /// The method at its start, and the task with batches of this many images drawn by this seed.
    ///
    /// # Errors
    /// For settings that do not fit the images.
    fn prepare(self, batch: usize, seed: u64) -> Result<(<Self::Task as Task>::Method, Self::Task), TaskError>;
}

/// The device of a module, which must be one with autodiff.
pub(crate) fn device_of<M: Module>(method: &M) -> Result<burn::tensor::Device, TaskError> {
    let device = method.devices().into_iter().find(burn::tensor::Device::is_autodiff);
    device.ok_or_else(|| {
        TaskError::other(
            "the network is on a device without autodiff, where nothing is learned: call `.autodiff()` on it",
        )
    })
}

/// Names and shapes of a network's parameters, which a resumed run must share beside its settings.
pub(crate) fn shapes<M: Module>(network: &M) -> Vec<String> {
    let shape = |parameter: slowburn_models::ParameterInfo| format!("{} {:?}", parameter.path, parameter.shape);
    slowburn_models::parameters(network).into_iter().map(shape).collect()
}

/// The device of a module.
pub(crate) fn device_of_any<M: Module>(module: &M) -> burn::tensor::Device {
    module.devices().into_iter().next().unwrap_or_default()
}

/// Each image that loaders left out once, with the reason.
pub(crate) fn left_out(reports: impl Iterator<Item = slowburn_augment::loader::Report>) -> Vec<String> {
    let skipped = reports.flat_map(|report| report.skipped.into_values());
    let by_name: std::collections::BTreeMap<String, String> =
        skipped.map(|skipped| (skipped.name, skipped.reason)).collect();
    by_name.into_iter().map(|(name, reason)| format!("{name}: {reason}")).collect()
}
