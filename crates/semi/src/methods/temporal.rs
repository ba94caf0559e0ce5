use burn::module::Module;
use burn::tensor::activation::softmax;
use burn::tensor::{Device, FloatDType, Tensor};
use serde::{Deserialize, Serialize};
use slowburn_ema::StateMatrix;

use super::{SemiSupervised, Teacher, first_rows, indices};
use crate::{Objective, Predict, SemiError, Targets};

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
    ) -> Result<TemporalEnsemble<M>, SemiError> {
        let bank = PredictionBank::new(samples, classes, self.decay, device)?;
        SemiSupervised::new(student, bank, self.objective.clone(), device)
    }
}

/// The averaged predictions of each sample.
///
/// In the record, and moved by reference: see [`StateMatrix`].
#[derive(Module, Debug)]
pub struct PredictionBank {
    /// Z, `[samples, classes]`.
    average: StateMatrix,
    /// 1 − α^t, `[samples, 1]`.
    weight: StateMatrix,
    decay: f64,
}

impl PredictionBank {
    /// An empty bank.
    ///
    /// # Errors
    /// [`SemiError::OutOfRange`] for a decay outside [0, 1), or no samples or classes.
    pub fn new(samples: usize, classes: usize, decay: f64, device: &Device) -> Result<Self, SemiError> {
        // Below 1, in the positive form: at 1 the average never leaves zero and the correction divides by zero.
        SemiError::unless((0.0..1.0).contains(&decay), "decay", decay, "in [0, 1)")?;
        for (field, count) in [("samples", samples), ("classes", classes)] {
            SemiError::unless(count >= 1, field, count as f64, "at least 1")?;
        }
        let device = device.clone().without_autodiff();
        Ok(Self {
            average: StateMatrix::new(Tensor::zeros([samples, classes], &device)),
            weight: StateMatrix::new(Tensor::zeros([samples, 1], &device)),
            decay,
        })
    }

    /// The corrected averages `Z_i / (1−α^t)` of some samples, and 1 for those that have one.
    ///
    /// # Shapes
    /// - output: `[samples.len(), classes]` and `[samples.len()]`
    ///
    /// # Errors
    /// [`EmaError::UnknownSample`](slowburn_ema::EmaError::UnknownSample) for a sample that is not below the number of samples.
    pub fn targets(&self, samples: &[usize]) -> Result<(Tensor<2>, Tensor<1>), SemiError> {
        let (average, weight) = (self.average.select(samples)?, self.weight.select(samples)?);
        let known = weight.clone().greater_elem(0.0).float(); // [batch, 1]
        // 1 − α^t, and 1 for samples never seen, whose average is zero anyway.
        let correction = weight + (known.clone().neg() + 1.0);
        Ok((average / correction, known.squeeze_dim(1)))
    }

    /// Averages new predictions in: probabilities `[samples.len(), classes]`. Of a sample that a batch holds twice,
    /// the first prediction counts.
    ///
    /// # Errors
    /// [`SemiError::Rows`] or [`SemiError::Classes`] if there is not one prediction of the bank's classes for each sample,
    /// [`EmaError::UnknownSample`](slowburn_ema::EmaError::UnknownSample) for a sample that is not below the number of samples.
    /// The bank is then as it was.
    pub fn update(&self, predictions: Tensor<2>, samples: &[usize]) -> Result<(), SemiError> {
        let [_, classes] = self.average.dims();
        SemiError::predictions("predictions", predictions.dims(), [samples.len(), classes])?;
        let (first, distinct) = first_rows(samples);
        let first = indices(first.into_iter(), &predictions.device());
        let new = predictions.without_autodiff().select(0, first);
        self.mix(&self.average, &distinct, new)?;
        // The weights are the average of ones, 1 − α^t, with the same rounding as the predictions.
        let ones = Tensor::ones([distinct.len(), 1], &self.weight.value().device());
        self.mix(&self.weight, &distinct, ones)
    }

    /// `Z ← α·Z + (1−α)·z` in some rows.
    fn mix(&self, average: &StateMatrix, rows: &[usize], new: Tensor<2>) -> Result<(), SemiError> {
        let old = average.select(rows)?;
        let change = (new.cast(old.dtype()) - old).mul_scalar(1.0 - self.decay);
        Ok(average.add(rows, change)?)
    }
}

impl<M: Predict> Teacher<M> for PredictionBank {
    /// The decay of predictions.
    type Settings = f64;
    type Memory = ();

    const OWN_VIEW: bool = false;

    fn settings(&self) -> f64 {
        self.decay
    }

    fn targets(&self, _student: &M, _view: M::Input, samples: &[usize]) -> Result<Option<Targets>, SemiError> {
        let (probabilities, known) = self.targets(samples)?;
        Ok(Some(Targets { probabilities, known: Some(known), kept: None }))
    }

    fn restart(self) -> Self {
        for of_samples in [&self.average, &self.weight] {
            of_samples.update(|values| values.zeros_like());
        }
        self
    }

    fn observe(&self, prediction: &Tensor<2>, samples: &[usize], _: ()) -> Result<(), SemiError> {
        self.update(softmax(prediction.clone().detach().cast(FloatDType::F32), 1), samples)
    }
}
