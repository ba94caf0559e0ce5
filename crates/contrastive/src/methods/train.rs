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
use super::shared::Shared;
use crate::evaluation::{FeatureSet, KnnConfig, Representation, extract};
use crate::{Batch, Encode, Error, Views};

type Input<M> = <<M as Contrastive>::Encoder as Encode>::Input;

/// A method under burn-train, with kNN as its validation metric.
///
/// burn-train calls `step(&self)`, which moves average and queue, and then `optimize(self)`; where gradients are
/// accumulated, each further step goes on from the one before. One device only, like the methods themselves. The record
/// is that of the method; take it after `optimize`.
///
/// All clones hold one method, as they hold one set of a batch norm's running statistics: burn-train clones the model
/// for each step (`Learner::optimizer_step`), and a clone with a method of its own would make every step copy the queue
/// (4·K·d bytes, 32 MiB in the paper), the average and the weights. As it is, a step copies nothing, like
/// [`Contrastive::step`] in a loop of your own, but for the first one while something else still holds the method's
/// tensors: what [`method`](Self::method) returned, a model for validation, a record that is being written.
#[derive(Module, Debug)]
pub struct Learning<M: Contrastive> {
    method: Shared<M>,
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
        let bank = Bank(Arc::new(Mutex::new(Box::new(bank))));
        Ok(Self { method: Shared::new(method), monitor: Monitor { bank, knn } })
    }

    /// The method as it is now. Its tensors are shared until either side's next step.
    pub fn method(&self) -> M {
        self.method.read(M::clone)
    }

    /// The bank's features under the present encoder, computed once for each state of it that they are asked for.
    fn bank(&self) -> FeatureSet {
        self.method.features(|method| features(method, self.monitor.bank.batches()))
    }
}

/// The features of batches under a method's query encoder.
fn features<M: Contrastive>(method: &M, batches: Vec<LabeledBatch<Input<M>>>) -> FeatureSet {
    let batches = batches.into_iter().map(|batch| (batch.input, batch.labels));
    extract(method.query(), batches, Representation::Features).unwrap_or_else(|error| panic!("{error}"))
}

impl<M: Contrastive + 'static> TrainStep for Learning<M> {
    type Input = Views<Input<M>>;
    type Output = LearningOutput;

    /// # Panics
    /// If the batch does not fit: a caller's bug that burn-train's trait cannot report. The method is gone then.
    fn step(&self, batch: Self::Input) -> TrainOutput<LearningOutput> {
        let rows = batch.query.rows();
        self.method.update(|method| {
            let (next, outcome) = method.contrast(batch).unwrap_or_else(|error| panic!("{error}"));
            let gradients = outcome.loss.backward();
            let output = LearningOutput { loss: outcome.loss.detach(), accuracy: outcome.accuracy, rows };
            let output = TrainOutput::new(next.query(), gradients, output);
            (next, output)
        })
    }

    fn optimize(self, optimizer: &mut ModuleOptimizer, rate: ModuleLearningRate, gradients: GradientsParams) -> Self {
        self.method.update(|method| (method.optimize(optimizer, rate, gradients), ()));
        self
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
        let queries = self.method.read(|method| features(method, vec![batch]));
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

/// How the kNN metric scores, and against what.
#[derive(Debug, Clone)]
struct Monitor {
    bank: Bank,
    knn: KnnConfig,
}

/// The labelled batches. Their type is erased: a field that a derived `Module` skips may not be generic over the
/// module.
#[derive(Clone)]
struct Bank(Arc<Mutex<Box<dyn Any + Send>>>);

impl Bank {
    /// # Panics
    /// If they are of another type: an empty bank would score every encoder, and wrongly.
    fn batches<T: Clone + 'static>(&self) -> T {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let batches = held.downcast_ref::<T>().cloned();
        batches.unwrap_or_else(|| panic!("the bank of labelled batches is not {}", std::any::type_name::<T>()))
    }
}

impl fmt::Debug for Bank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bank")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "the bank of labelled batches is not")]
    fn a_bank_of_another_type_is_no_empty_bank() {
        let bank = Bank(Arc::new(Mutex::new(Box::new(vec![1_u8]))));
        bank.batches::<Vec<u16>>();
    }
}
