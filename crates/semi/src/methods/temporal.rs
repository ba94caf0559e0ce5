use std::collections::HashSet;

use burn::module::{Module, RunningState};
use burn::tensor::activation::softmax;
use burn::tensor::{Device, IndexingUpdateOp, Int, Tensor};
use serde::{Deserialize, Serialize};

use super::{SemiSupervised, Teacher, indices};
use crate::{Error, Objective, Predict, Targets};

/// Temporal ensembling: the targets are an average of the student's own earlier predictions for each sample.
///
/// `Z_i ← α·Z_i + (1−α)·z_i`, target `Z_i / (1−α^t)`: z_i the prediction for sample i, t the number of predictions
/// averaged so far (Laine & Aila, arXiv 1610.02242, algorithm 2). One forward pass a step instead of two.
///
/// Where ours differs: the average moves when a sample is seen, not at the end of the epoch, and t counts by sample;
/// for samples seen once an epoch, as all unlabelled ones are, the two are the same. A sample that was never seen has
/// no target, where the paper gives it zeros and relies on a weight of zero in the first epoch.
pub type TemporalEnsemble<M> = SemiSupervised<M, PredictionBank>;

/// Settings of [`TemporalEnsemble`].
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `objective` | [`Objective::default`] | the costs and their weights | |
/// | `decay` | 0.6 | α, the weight of the old average | [0, 1) |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TemporalConfig {
    /// The costs and their weights.
    pub objective: Objective,
    /// α, the weight of the old average, in [0, 1).
    pub decay: f64,
}

impl Default for TemporalConfig {
    fn default() -> Self {
        Self { objective: Objective::default(), decay: 0.6 }
    }
}

impl TemporalConfig {
    /// Temporal ensembling of this student over a data set of `samples` samples.
    ///
    /// # Errors
    /// For settings out of range.
    pub fn init<M: Predict>(
        &self,
        student: M,
        samples: usize,
        classes: usize,
        device: &Device,
    ) -> Result<TemporalEnsemble<M>, Error> {
        let bank = PredictionBank::new(samples, classes, self.decay, device)?;
        SemiSupervised::new(student, bank, self.objective.clone(), device)
    }
}

/// The averaged predictions of each sample.
///
/// Behind Burn's `RunningState`, as batch norm's statistics are: a step sees the module by reference, and the record
/// must hold the bank.
#[derive(Module, Debug)]
pub struct PredictionBank {
    average: RunningState<Tensor<2>>,
    weight: RunningState<Tensor<1>>,
    decay: f64,
}

impl PredictionBank {
    /// An empty bank.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for a decay outside [0, 1), or no samples or classes.
    pub fn new(samples: usize, classes: usize, decay: f64, device: &Device) -> Result<Self, Error> {
        // Below 1, in the positive form: at 1 the average never leaves zero and the correction divides by zero.
        Error::unless((0.0..1.0).contains(&decay), "decay", decay, "in [0, 1)")?;
        for (field, count) in [("samples", samples), ("classes", classes)] {
            Error::unless(count >= 1, field, count as f64, "at least 1")?;
        }
        let device = device.clone().without_autodiff();
        Ok(Self {
            average: RunningState::new(Tensor::zeros([samples, classes], &device)),
            weight: RunningState::new(Tensor::zeros([samples], &device)),
            decay,
        })
    }

    /// The corrected averages `Z_i / (1−α^t)` of some samples, and 1 for those that have one.
    ///
    /// # Shapes
    /// - output: `[samples.len(), classes]` and `[samples.len()]`
    ///
    /// # Errors
    /// [`Error::UnknownSample`] for a sample that is not below the number of samples.
    pub fn targets(&self, samples: &[usize]) -> Result<(Tensor<2>, Tensor<1>), Error> {
        let average = self.average.value_sync().without_autodiff();
        let rows = rows(samples, &average)?;
        let weight = self.weight.value_sync().without_autodiff().select(0, rows.clone()); // [batch]
        let known = weight.clone().greater_elem(0.0).float();
        // 1 − α^t, and 1 for samples never seen, whose average is zero anyway.
        let correction = weight + (known.clone().neg() + 1.0);
        Ok((average.select(0, rows) / correction.unsqueeze_dim(1), known))
    }

    /// Averages new predictions in: probabilities `[samples.len(), classes]`. Of a sample that a batch holds twice,
    /// the first prediction counts.
    ///
    /// # Errors
    /// [`Error::Rows`] or [`Error::Classes`] where there is not one prediction of the bank's classes for each sample,
    /// [`Error::UnknownSample`] for a sample that is not below the number of samples. The bank is then as it was.
    pub fn update(&self, predictions: Tensor<2>, samples: &[usize]) -> Result<(), Error> {
        let average = self.average.value_sync().without_autodiff();
        Error::predictions("predictions", predictions.dims(), [samples.len(), average.dims()[1]])?;
        let mut met = HashSet::new();
        let first: Vec<usize> = (0..samples.len()).filter(|&row| met.insert(samples[row])).collect();
        let distinct: Vec<usize> = first.iter().map(|&row| samples[row]).collect();
        let at = rows(&distinct, &average)?;
        let first = indices(first.into_iter(), &average.device());
        let new = predictions.without_autodiff().cast(average.dtype()).select(0, first);
        self.average.update(self.moved(average, new, at.clone()));
        // The weights are averaged as ones would be: they are 1 − α^t, to the same rounding as the predictions.
        let weight = self.weight.value_sync().without_autodiff();
        let ones = Tensor::ones([distinct.len()], &weight.device());
        self.weight.update(self.moved(weight, ones, at));
        Ok(())
    }

    /// `Z ← α·Z + (1−α)·z` in the rows `at`.
    fn moved<const D: usize>(&self, average: Tensor<D>, new: Tensor<D>, at: Tensor<1, Int>) -> Tensor<D> {
        let change = (new - average.clone().select(0, at.clone())).mul_scalar(1.0 - self.decay);
        average.select_assign(0, at, change, IndexingUpdateOp::Add)
    }
}

/// The rows of these samples in the average `[samples, classes]`.
fn rows(samples: &[usize], average: &Tensor<2>) -> Result<Tensor<1, Int>, Error> {
    let [size, _] = average.dims();
    match samples.iter().find(|&&sample| sample >= size) {
        Some(&sample) => Err(Error::UnknownSample { sample, samples: size }),
        None => Ok(indices(samples.iter().copied(), &average.device())),
    }
}

impl<M: Predict> Teacher<M> for PredictionBank {
    fn targets(&self, _student: &M, _view: M::Input, samples: &[usize]) -> Result<Option<Targets>, Error> {
        let (probabilities, known) = self.targets(samples)?;
        Ok(Some(Targets { probabilities, known: Some(known) }))
    }

    fn observe(&self, prediction: &Tensor<2>, samples: &[usize]) -> Result<(), Error> {
        self.update(softmax(prediction.clone().detach(), 1), samples)
    }
}
