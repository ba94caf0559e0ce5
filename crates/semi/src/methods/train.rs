//! burn-train's traits, so that `SupervisedTraining` drives the methods.

use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::optim::{GradientsParams, ModuleOptimizer, MultiGradientsParams};
use burn::tensor::{ExecutionError, Int, Tensor};
use burn::train::metric::{AccuracyInput, Adaptor, LossInput};
use burn::train::{ClassificationOutput, InferenceStep, ItemLazy, TrainOutput, TrainStep};

use super::{SemiSupervised, Teacher, indices};
use crate::costs::masked_cross_entropy;
use crate::{Predict, SemiBatch};

/// What a training step shows to metrics: the total cost, and the accuracy on labelled samples.
#[derive(Debug)]
pub struct SemiOutput {
    /// The cost that was minimised, `[1]`.
    pub loss: Tensor<1>,
    /// Class logits of the labelled samples, `[labelled, classes]`.
    pub logits: Tensor<2>,
    /// Their labels, `[labelled]`.
    pub labels: Tensor<1, Int>,
}

/// A batch with labels, for validation.
#[derive(Debug, Clone)]
pub struct TestBatch<I> {
    /// The samples.
    pub input: I,
    /// The label of each.
    pub labels: Vec<usize>,
}

impl ItemLazy for SemiOutput {
    fn sync(self) -> Result<Self, ExecutionError> {
        self.loss.device().flush()?;
        Ok(Self {
            loss: self.loss.without_autodiff(),
            logits: self.logits.without_autodiff(),
            labels: self.labels.without_autodiff(),
        })
    }
}

impl Adaptor<LossInput> for SemiOutput {
    fn adapt(&self) -> LossInput {
        LossInput::new(self.loss.clone())
    }
}

impl Adaptor<AccuracyInput> for SemiOutput {
    fn adapt(&self) -> AccuracyInput {
        AccuracyInput::new(self.logits.clone(), self.labels.clone())
    }
}

impl<M: Predict, T: Teacher<M>> TrainStep for SemiSupervised<M, T>
where
    M::Input: 'static,
{
    type Input = SemiBatch<M::Input>;
    type Output = SemiOutput;

    /// # Panics
    /// If the batch does not fit: a caller's bug that burn-train's trait cannot report.
    fn step(&self, batch: Self::Input) -> TrainOutput<SemiOutput> {
        let labels = batch.labels.clone();
        let (losses, logits) = self.losses_and_logits(batch).unwrap_or_else(|error| panic!("{error}"));
        let gradients = losses.total.backward();
        let device = logits.device();
        let labeled = indices((0..labels.len()).filter(|&row| labels[row].is_some()), &device);
        let output = SemiOutput {
            loss: losses.total.detach(),
            logits: logits.detach().select(0, labeled),
            labels: indices(labels.into_iter().flatten(), &device),
        };
        // The student's gradients alone: the optimizer never sees the teacher.
        TrainOutput::new(&self.student, gradients, output)
    }

    /// # Panics
    /// If the student was replaced by another model: a caller's bug that burn-train's trait cannot report.
    fn optimize(self, optimizer: &mut ModuleOptimizer, rate: ModuleLearningRate, gradients: GradientsParams) -> Self {
        SemiSupervised::optimize(self, optimizer, rate, gradients).unwrap_or_else(|refused| panic!("{refused}"))
    }

    /// # Panics
    /// As [`optimize`](TrainStep::optimize).
    fn optimize_multi(
        mut self,
        optimizer: &mut ModuleOptimizer,
        rate: ModuleLearningRate,
        gradients: MultiGradientsParams,
    ) -> Self {
        self.student = optimizer.step_multi(rate, self.student, gradients);
        self.follow()
    }
}

impl<M: Predict, T: Teacher<M>> InferenceStep for SemiSupervised<M, T>
where
    M::Input: 'static,
{
    type Input = TestBatch<M::Input>;
    type Output = ClassificationOutput;

    /// Evaluates the teacher where it is a network, otherwise the student.
    fn step(&self, batch: Self::Input) -> ClassificationOutput {
        let logits = self.predict_with_teacher(batch.input).class;
        let labels = indices(batch.labels.into_iter(), &logits.device());
        let every = logits.clone().slice([0..logits.dims()[0], 0..1]).squeeze_dim::<1>(1).ones_like();
        let loss = masked_cross_entropy(logits.clone(), labels.clone(), every).mean();
        ClassificationOutput::new(loss, logits, labels)
    }
}
