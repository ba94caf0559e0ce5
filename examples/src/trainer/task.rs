use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::tensor::Tensor;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::report::Figure;

/// Batches on the host, one after the other.
pub type Batches<'a, B> = Box<dyn Iterator<Item = anyhow::Result<B>> + 'a>;

/// What a step of training left behind.
#[derive(Debug)]
pub struct Outcome {
    /// Costs on the device, each `[1]`, the one that was minimised first.
    pub costs: Vec<Tensor<1>>,
    /// Numbers that the host knows anyway.
    pub known: Vec<f64>,
}

/// What the loop has seen: of a step, or on the mean of an epoch.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    /// The epoch, counted from 1.
    pub epoch: u64,
    /// Steps made.
    pub step: u64,
    /// The learning rate of the last step.
    pub learning_rate: f64,
    /// [`Outcome::costs`]: of the last step that was read, or the means of an epoch.
    pub costs: Vec<f64>,
    /// [`Outcome::known`] of the last step.
    pub known: Vec<f64>,
}

/// What the loop asks of what it trains.
pub trait Task: Sync {
    /// A method: a module whose record is all that it depends on beside the optimizer.
    type Method: Module;
    /// A batch on the host.
    type Batch: Send;
    /// What is kept of an epoch. No times: two runs of one recipe have equal metrics.
    type Metrics: Serialize + DeserializeOwned + Clone;
    /// What may help when the cost is no number.
    const ADVICE: &'static str;

    /// The first `steps` batches of an epoch, a pure function of its number; made ahead on threads that end with the
    /// iterator.
    ///
    /// # Errors
    /// Those of the loader.
    fn batches(&self, epoch: u64, steps: u64) -> anyhow::Result<Batches<'_, Self::Batch>>;

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
    ) -> anyhow::Result<(Self::Method, Outcome)>;

    /// What progress shows after a step.
    fn step_figures(&self, seen: &Observed) -> Vec<Figure>;

    /// What is kept of an epoch; may evaluate the method.
    ///
    /// # Errors
    /// Those of the evaluation.
    fn metrics(&self, method: &Self::Method, seen: &Observed) -> anyhow::Result<Self::Metrics>;

    /// What progress shows after an epoch.
    fn epoch_figures(&self, metrics: &Self::Metrics) -> Vec<Figure>;
}
