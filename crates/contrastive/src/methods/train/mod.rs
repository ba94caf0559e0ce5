//! burn-train's traits, so that `SupervisedTraining` drives the methods.

mod metric;
mod monitor;
mod shared;

use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::optim::{GradientsParams, ModuleOptimizer, MultiGradientsParams};
use burn::tensor::{ExecutionError, Tensor};
use burn::train::metric::{Adaptor, LossInput};
use burn::train::{InferenceStep, ItemLazy, TrainOutput, TrainStep};

pub use self::metric::{RateInput, RateMetric};
use self::monitor::Monitor;
use self::shared::Shared;
use super::Contrastive;
use crate::evaluation::{FeatureSet, KnnConfig, Representation, extract};
use crate::{Batch, ContrastiveError, Encode, Refused, ViewPair};

type Input<M> = <<M as Contrastive>::Encoder as Encode>::Input;

/// A method under burn-train, with kNN as its validation metric.
///
/// burn-train calls `step(&self)`, which moves average and queue, and then `optimize(self)`; where gradients are
/// accumulated, each further step continues from the one before. One device only, like the methods themselves. The record
/// is that of the method; take it after `optimize`.
///
/// All clones hold one method, as they hold one set of a batch norm's running statistics: burn-train clones the model
/// for each step (`Learner::optimizer_step`), and a clone with a method of its own would make every step copy the queue
/// (4·K·d bytes, 32 MiB in the paper), the average and the weights. As it is, a step copies nothing, like
/// [`Contrastive::step`] in a loop of your own, but for the first one while something else still holds the method's
/// tensors: what [`method`](Self::method) returned, a model for validation, a record that is being written.
#[derive(Module, Debug)]
pub struct ContrastiveLearning<M: Contrastive> {
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

impl<M: Contrastive + 'static> ContrastiveLearning<M> {
    /// A method whose encoder is scored at each validation against a bank of labelled batches, which stay in memory:
    /// some thousand training samples without augmentation, say.
    ///
    /// # Errors
    /// [`ContrastiveError::Empty`] without batches, [`ContrastiveError::OutOfRange`] for k or τ.
    pub fn new(method: M, bank: Vec<LabeledBatch<Input<M>>>, knn: KnnConfig) -> Result<Self, ContrastiveError> {
        let samples = bank.iter().map(|batch| batch.labels.len()).sum();
        if samples == 0 {
            return Err(ContrastiveError::Empty { what: "the bank of labelled batches" });
        }
        knn.validate(samples)?;
        Ok(Self { method: Shared::new(method), monitor: Monitor::new(bank, knn) })
    }

    /// The method as it is now. Its tensors are shared until either side's next step.
    pub fn method(&self) -> M {
        self.method.read(|_, method| method.clone())
    }

    /// The fraction of a batch whose class kNN predicts. The bank's features are computed once for each state of the encoder.
    fn score(&self, batch: LabeledBatch<Input<M>>) -> Result<(FeatureSet, f64), ContrastiveError> {
        self.method.read(|state, method| {
            let bank = self.monitor.features(state, |batches| features(method, batches))?;
            let queries = features(method, vec![batch])?;
            let accuracy = self.monitor.knn.evaluate(&bank, &queries)?.accuracy;
            Ok((queries, accuracy))
        })
    }
}

/// The features of batches under the encoder that a method is to be looked at by.
fn features<M: Contrastive>(method: &M, batches: Vec<LabeledBatch<Input<M>>>) -> Result<FeatureSet, ContrastiveError> {
    let batches = batches.into_iter().map(|batch| (batch.input, batch.labels));
    extract(&method.evaluated(), batches, Representation::Features)
}

impl<M: Contrastive + 'static> TrainStep for ContrastiveLearning<M> {
    type Input = ViewPair<Input<M>>;
    type Output = LearningOutput;

    /// # Panics
    /// If the batch does not fit, or the loss is not finite: burn-train's trait cannot report either.
    fn step(&self, batch: Self::Input) -> TrainOutput<LearningOutput> {
        let rows = batch.query.rows();
        let output = self.method.update(|method| {
            let (next, outcome) = match method.contrast(batch).map_err(Refused::into_parts) {
                Ok(contrasted) => contrasted,
                Err((method, error)) => return (method, Err(error)),
            };
            let gradients = outcome.loss.backward();
            let output = LearningOutput { loss: outcome.loss.detach(), accuracy: outcome.accuracy, rows };
            let output = TrainOutput::new(next.trained(), gradients, output);
            (next, Ok(output))
        });
        output.unwrap_or_else(|error| panic!("{error}"))
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

impl<M: Contrastive + 'static> InferenceStep for ContrastiveLearning<M> {
    type Input = LabeledBatch<Input<M>>;
    type Output = KnnOutput;

    /// Predicts the classes of a batch from the bank, with the features of [`Contrastive::evaluated`].
    ///
    /// # Panics
    /// If the batch is empty or features are not finite.
    fn step(&self, batch: Self::Input) -> KnnOutput {
        let (queries, accuracy) = self.score(batch).unwrap_or_else(|error| panic!("{error}"));
        let device = queries.features().device();
        KnnOutput { accuracy: Tensor::from_data([accuracy as f32], &device), rows: queries.samples() }
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
