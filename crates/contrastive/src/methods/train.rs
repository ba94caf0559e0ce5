//! burn-train's traits, so that `SupervisedTraining` drives the methods.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::optim::{GradientsParams, ModuleOptimizer, MultiGradientsParams};
use burn::tensor::{ExecutionError, Tensor, TensorReadError};
use burn::train::metric::{
    Adaptor, LossInput, Metric, MetricAttributes, MetricMetadata, MetricName, Numeric, NumericAttributes, NumericEntry,
    SerializedEntry,
    state::{FormatOptions, NumericMetricState},
};
use burn::train::{InferenceStep, ItemLazy, TrainOutput, TrainStep};

use super::Contrastive;
use crate::evaluation::{FeatureSet, KnnConfig, Representation, extract};
use crate::{Encode, Error, Views};

type Input<M> = <<M as Contrastive>::Encoder as Encode>::Input;

/// A method under burn-train, with kNN as its validation metric.
///
/// burn-train calls `step(&self)` and then `optimize(self)`: the method that `step` leaves behind, its average moved
/// and its keys enqueued, waits here in between; where gradients are accumulated, each further step goes on from it. One
/// device only, like the methods themselves. The record is that of the method; take it after `optimize`.
///
/// burn-train keeps the model while it steps (`Learner::optimizer_step` clones it), so that the first update of the queue,
/// the average and the weights in each step writes to a copy. [`Contrastive::step`] in a loop of your own copies nothing.
#[derive(Module, Debug)]
pub struct Learning<M: Contrastive> {
    /// The method.
    pub method: M,
    #[module(skip)]
    pending: Slot,
    #[module(skip)]
    monitor: Monitor,
}

/// A batch with the class of each sample, for validation.
#[derive(Debug, Clone)]
pub struct LabeledBatch<I> {
    /// The samples, without random augmentation.
    pub input: I,
    /// The class of each.
    pub labels: Vec<usize>,
}

/// What a training step shows to metrics.
#[derive(Debug)]
pub struct LearningOutput {
    /// The loss, `[1]`.
    pub loss: Tensor<1>,
    /// The contrastive accuracy, `[1]`.
    pub accuracy: Tensor<1>,
    /// Samples of the batch.
    pub rows: usize,
}

/// What a validation step shows to metrics: the fraction of samples whose class kNN predicts.
#[derive(Debug)]
pub struct KnnOutput {
    /// The fraction, `[1]`.
    pub accuracy: Tensor<1>,
    /// Samples of the batch.
    pub rows: usize,
}

/// A fraction by batch, shown in percent as the mean over samples.
#[derive(Clone)]
pub struct RateMetric {
    name: MetricName,
    state: NumericMetricState,
}

/// The input of a [`RateMetric`].
#[derive(Debug)]
pub struct RateInput {
    rate: Tensor<1>,
    rows: usize,
}

impl<M: Contrastive + 'static> Learning<M> {
    /// A method whose encoder is scored at each validation against a bank of labelled batches, which stay in memory:
    /// some thousand training samples without augmentation, say.
    ///
    /// # Errors
    /// [`Error::Empty`] without batches, [`Error::OutOfRange`] for k or τ.
    pub fn new(method: M, bank: Vec<LabeledBatch<Input<M>>>, knn: KnnConfig) -> Result<Self, Error> {
        let samples = bank.iter().map(|batch| batch.labels.len()).sum();
        if samples == 0 {
            return Err(Error::Empty { what: "the bank of labelled batches" });
        }
        knn.validate(samples)?;
        let monitor = Monitor { bank: Slot::with(bank), features: Slot::default(), knn };
        Ok(Self { method, pending: Slot::default(), monitor })
    }

    /// The bank's features under the present encoder, computed once for each step at which they are asked for.
    fn bank(&self) -> FeatureSet {
        let steps = self.method.steps();
        if let Some((_, features)) = self.monitor.features.get::<(u64, FeatureSet)>().filter(|(at, _)| *at == steps) {
            return features;
        }
        let batches: Vec<LabeledBatch<Input<M>>> = self.monitor.bank.get().unwrap_or_default();
        let features = self.extract(batches);
        self.monitor.features.put((steps, features.clone()));
        features
    }

    fn extract(&self, batches: Vec<LabeledBatch<Input<M>>>) -> FeatureSet {
        let batches = batches.into_iter().map(|batch| (batch.input, batch.labels));
        extract(self.method.query(), batches, Representation::Features).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The method that the last step left behind.
    fn take(self) -> M {
        // The old one goes first: what both hold would otherwise be copied by the next update.
        let Self { method, pending, .. } = self;
        drop(method);
        pending.take().unwrap_or_else(|| panic!("optimize comes after step"))
    }
}

impl<M: Contrastive + 'static> TrainStep for Learning<M> {
    type Input = Views<Input<M>>;
    type Output = LearningOutput;

    /// # Panics
    /// If the batch does not fit: a caller's bug that burn-train's trait cannot report.
    fn step(&self, batch: Self::Input) -> TrainOutput<LearningOutput> {
        use crate::Batch;
        let rows = batch.query.rows();
        // Where gradients are accumulated there was a step since the last `optimize`: its keys are in the queue.
        let method = self.pending.take::<M>().unwrap_or_else(|| self.method.clone());
        let (next, outcome) = method.contrast(batch).unwrap_or_else(|error| panic!("{error}"));
        let gradients = outcome.loss.backward();
        let output = LearningOutput { loss: outcome.loss.detach(), accuracy: outcome.accuracy, rows };
        let output = TrainOutput::new(next.query(), gradients, output);
        self.pending.put(next);
        output
    }

    fn optimize(self, optimizer: &mut ModuleOptimizer, rate: ModuleLearningRate, gradients: GradientsParams) -> Self {
        let (pending, monitor) = (self.pending.clone(), self.monitor.clone());
        Self { method: self.take().optimize(optimizer, rate, gradients), pending, monitor }
    }

    /// # Panics
    /// With gradients of several devices: queue and average live on one.
    fn optimize_multi(
        self,
        optimizer: &mut ModuleOptimizer,
        rate: ModuleLearningRate,
        mut gradients: MultiGradientsParams,
    ) -> Self {
        assert_eq!(gradients.grads.len(), 1, "contrastive methods train on one device");
        let (gradients, _) = gradients.grads.remove(0);
        TrainStep::optimize(self, optimizer, rate, gradients)
    }
}

impl<M: Contrastive + 'static> InferenceStep for Learning<M> {
    type Input = LabeledBatch<Input<M>>;
    type Output = KnnOutput;

    /// Predicts the classes of a batch from the bank, with the query encoder's features.
    ///
    /// # Panics
    /// If the batch is empty or features are not finite.
    fn step(&self, batch: Self::Input) -> KnnOutput {
        let queries = self.extract(vec![batch]);
        let report = self.monitor.knn.evaluate(&self.bank(), &queries).unwrap_or_else(|error| panic!("{error}"));
        let device = queries.features().device();
        KnnOutput { accuracy: Tensor::from_data([report.accuracy as f32], &device), rows: queries.samples() }
    }
}

impl ItemLazy for LearningOutput {
    fn sync(self) -> Result<Self, ExecutionError> {
        self.loss.device().flush()?;
        Ok(Self { loss: self.loss.without_autodiff(), ..self })
    }
}

impl ItemLazy for KnnOutput {
    fn sync(self) -> Result<Self, ExecutionError> {
        Ok(self)
    }
}

impl Adaptor<LossInput> for LearningOutput {
    fn adapt(&self) -> LossInput {
        LossInput::new(self.loss.clone())
    }
}

impl Adaptor<RateInput> for LearningOutput {
    fn adapt(&self) -> RateInput {
        RateInput { rate: self.accuracy.clone(), rows: self.rows }
    }
}

impl Adaptor<RateInput> for KnnOutput {
    fn adapt(&self) -> RateInput {
        RateInput { rate: self.accuracy.clone(), rows: self.rows }
    }
}

impl fmt::Debug for RateMetric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RateMetric").field(&self.name).finish()
    }
}

impl RateMetric {
    /// The contrastive accuracy of training steps.
    pub fn contrastive() -> Self {
        Self::named("Contrastive accuracy")
    }

    /// The kNN accuracy of validation steps.
    pub fn knn() -> Self {
        Self::named("kNN accuracy")
    }

    fn named(name: &str) -> Self {
        Self { name: Arc::new(name.to_owned()), state: NumericMetricState::default() }
    }

    fn format(&self) -> FormatOptions {
        FormatOptions::new(self.name()).unit("%").precision(2)
    }
}

impl Metric for RateMetric {
    type Input = RateInput;

    fn update(&mut self, input: &RateInput, _metadata: &MetricMetadata) -> Result<SerializedEntry, TensorReadError> {
        let rate = input.rate.clone().mean().try_into_scalar::<f64>()?;
        self.state.update(100.0 * rate, input.rows);
        Ok(self.state.compute_update(self.format()))
    }

    fn compute(&mut self) -> Result<SerializedEntry, TensorReadError> {
        Ok(self.state.compute_final(self.format()))
    }

    fn clear(&mut self) {
        self.state.reset();
    }

    fn name(&self) -> MetricName {
        self.name.clone()
    }

    fn attributes(&self) -> MetricAttributes {
        NumericAttributes { unit: Some("%".to_owned()), higher_is_better: true }.into()
    }
}

impl Numeric for RateMetric {
    fn value(&self) -> Option<NumericEntry> {
        Some(self.state.current_value())
    }

    fn running_value(&self) -> Option<NumericEntry> {
        Some(self.state.running_value())
    }

    fn final_value(&self) -> NumericEntry {
        self.state.final_value()
    }
}

/// The bank of the kNN metric.
#[derive(Debug, Clone)]
struct Monitor {
    bank: Slot,
    features: Slot,
    knn: KnnConfig,
}

/// A place for one value, shared between clones. Its type is erased: a field that a derived `Module` skips may not be
/// generic over the module.
#[derive(Clone, Default)]
struct Slot(Arc<Mutex<Option<Box<dyn Any + Send>>>>);

impl Slot {
    fn with<T: Send + 'static>(value: T) -> Self {
        let slot = Self::default();
        slot.put(value);
        slot
    }

    fn put<T: Send + 'static>(&self, value: T) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(value));
    }

    fn get<T: Clone + 'static>(&self) -> Option<T> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.as_ref()?.downcast_ref::<T>().cloned()
    }

    fn take<T: 'static>(&self) -> Option<T> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        held.downcast::<T>().ok().map(|value| *value)
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Slot")
    }
}
