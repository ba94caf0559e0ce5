use burn::tensor::activation::softmax;
use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::{FeatureSet, Representation};
use crate::encode::indices;
use crate::random::normals;
use crate::{Batch, ContrastiveError, Stream, permutation};

/// How a probe's learning rate falls, by epoch e of E, counted from 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ProbeSchedule {
    /// Multiplied by `factor` at each of these epochs.
    Steps {
        /// The epochs, counted from 0.
        at: Vec<usize>,
        /// The factor.
        factor: f64,
    },
    /// `(1 + cos(πe/E))/2`.
    Cosine,
    /// As it is.
    Constant,
}

impl ProbeSchedule {
    /// The factor of the learning rate at epoch `epoch` of `epochs`.
    pub fn at(&self, epoch: usize, epochs: usize) -> f64 {
        match self {
            Self::Steps { at, factor } => factor.powi(at.iter().filter(|&&start| epoch >= start).count() as i32),
            Self::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * epoch as f64 / epochs as f64).cos()),
            Self::Constant => 1.0,
        }
    }
}

/// The settings of a linear probe: softmax regression on frozen features, by stochastic gradient descent with momentum
/// (without dampening).
///
/// | Name | `moco` | `simclr` | Purpose | Range |
/// |---|---|---|---|---|
/// | `learning_rate` | 30 | 0.1 | at the start | > 0, finite |
/// | `schedule` | ×0.1 at 60, 80 | cosine | how it falls | |
/// | `epochs` | 100 | 90 | passes over the training features | ≥ 1 |
/// | `batch` | 256 | 256 | samples of a step; the last of an epoch may have fewer | ≥ 1 |
/// | `momentum` | 0.9 | 0.9 | | [0, 1) |
/// | `weight_decay` | 0 | 0 | of weights, not of biases | ≥ 0, finite |
/// | `standardize` | false | false | scale each feature to mean 0 and deviation 1, as on the training set | |
/// | `seed` | 0 | 0 | of weights and order | |
///
/// A learning rate of 30 is for MoCo's pooled ResNet features, which are small; no rate fits every encoder. Where the
/// number matters, take [`SweepConfig`](super::SweepConfig), or `standardize`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProbeConfig {
    /// The learning rate at the start.
    pub learning_rate: f64,
    /// How it falls.
    pub schedule: ProbeSchedule,
    /// Passes over the training features.
    pub epochs: usize,
    /// Samples of a step.
    pub batch: usize,
    /// Weight of the old velocity.
    pub momentum: f64,
    /// Weight decay of weights.
    pub weight_decay: f64,
    /// Whether features are scaled to mean 0 and deviation 1.
    pub standardize: bool,
    /// The seed of weights and order.
    pub seed: u64,
}

impl Default for ProbeConfig {
    fn default() -> Self {
        Self::moco()
    }
}

/// A linear classifier of features.
#[derive(Debug, Clone)]
pub struct Probe {
    /// `[D, classes]`.
    weight: Tensor<2>,
    /// `[1, classes]`.
    bias: Tensor<2>,
    /// What is subtracted from features and what they are divided by, each `[1, D]`.
    scale: Option<(Tensor<2>, Tensor<2>)>,
}

/// A linear probe's score and everything that it depends on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProbeReport {
    /// The fraction of test samples whose class was predicted, after the last epoch.
    pub accuracy: f64,
    /// The same of training samples.
    pub train_accuracy: f64,
    /// The settings.
    pub config: ProbeConfig,
    /// What was classified.
    pub representation: Representation,
    /// The length of a vector.
    pub dim: usize,
    /// Training samples.
    pub train: usize,
    /// Test samples.
    pub test: usize,
    /// Classes of the training set.
    pub classes: usize,
}

impl ProbeConfig {
    /// The protocol of MoCo (arXiv 1911.05722, §4.1).
    pub fn moco() -> Self {
        Self {
            learning_rate: 30.0,
            schedule: ProbeSchedule::Steps { at: vec![60, 80], factor: 0.1 },
            epochs: 100,
            batch: 256,
            momentum: 0.9,
            weight_decay: 0.0,
            standardize: false,
            seed: 0,
        }
    }

    /// The protocol of SimCLR as lightly has it, for batches of 256. Theirs is 0.1·B/256; nothing here scales the rate by
    /// the batch: with another `batch`, set `learning_rate` too.
    pub fn simclr() -> Self {
        Self { learning_rate: 0.1, schedule: ProbeSchedule::Cosine, epochs: 90, ..Self::moco() }
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// [`ContrastiveError::OutOfRange`], which names the setting.
    pub fn validate(&self) -> Result<(), ContrastiveError> {
        ContrastiveError::positive("learning_rate", self.learning_rate)?;
        ContrastiveError::at_least_one("epochs", self.epochs)?;
        ContrastiveError::at_least_one("batch", self.batch)?;
        ContrastiveError::unless((0.0..1.0).contains(&self.momentum), "momentum", self.momentum, "in [0, 1)")?;
        let decay = self.weight_decay;
        ContrastiveError::unless(decay >= 0.0 && decay.is_finite(), "weight_decay", decay, "finite and at least 0")?;
        match &self.schedule {
            ProbeSchedule::Steps { factor, .. } => ContrastiveError::positive("factor", *factor),
            ProbeSchedule::Cosine | ProbeSchedule::Constant => Ok(()),
        }
    }

    /// Trains a probe.
    ///
    /// Weights start normal with deviation 0.01, biases at 0, as in the original. The gradient is that of softmax
    /// regression, `Xᵀ(p − y)/B`, in closed form: it cannot reach anything else.
    ///
    /// # Errors
    /// Those of [`validate`](Self::validate); [`ContrastiveError::NotFinite`] or [`ContrastiveError::Diverged`] where training diverged.
    pub fn fit(&self, train: &FeatureSet) -> Result<Probe, ContrastiveError> {
        self.validate()?;
        let (dim, classes, samples) = (train.dim(), train.classes().max(2), train.samples());
        let device = train.features().device();
        let start: Vec<f32> =
            normals(dim * classes, self.seed, Stream::ProbeWeights).iter().map(|value| 0.01 * value).collect();
        let mut probe = Probe {
            weight: Tensor::from_data(TensorData::new(start, [dim, classes]), &device),
            bias: Tensor::zeros([1, classes], &device),
            scale: self.standardize.then(|| standard(train.features())),
        };
        let features = probe.scaled(train.features());
        let (mut weight_velocity, mut bias_velocity) = (probe.weight.zeros_like(), probe.bias.zeros_like());
        for epoch in 0..self.epochs {
            let rate = self.learning_rate * self.schedule.at(epoch, self.epochs);
            for rows in permutation(samples, self.seed, epoch as u64, Stream::ProbeOrder).chunks(self.batch) {
                let x = features.clone().pick(rows); // [B, D]
                let labels: Vec<usize> = rows.iter().map(|&row| train.labels()[row]).collect();
                let y = indices(&labels, &device).one_hot::<2>(classes).float(); // [B, classes]
                let p = softmax(probe.logits(x.clone()), 1);
                let error = (p - y).div_scalar(rows.len() as f64);
                let decay = probe.weight.clone().mul_scalar(self.weight_decay);
                let gradient = x.transpose().matmul(error.clone()) + decay;
                weight_velocity = weight_velocity.mul_scalar(self.momentum) + gradient;
                bias_velocity = bias_velocity.mul_scalar(self.momentum) + error.sum_dim(0);
                probe.weight = probe.weight - weight_velocity.clone().mul_scalar(rate);
                probe.bias = probe.bias - bias_velocity.clone().mul_scalar(rate);
            }
        }
        probe.check(features)?;
        Ok(probe)
    }

    /// Trains a probe on one set and scores it on the other, after the last epoch.
    ///
    /// # Errors
    /// Those of [`fit`](Self::fit), and if vectors differ in length.
    pub fn evaluate(&self, train: &FeatureSet, test: &FeatureSet) -> Result<ProbeReport, ContrastiveError> {
        train.check_beside(test)?;
        let probe = self.fit(train)?;
        Ok(ProbeReport {
            accuracy: probe.accuracy(test),
            train_accuracy: probe.accuracy(train),
            config: self.clone(),
            representation: train.representation(),
            dim: train.dim(),
            train: train.samples(),
            test: test.samples(),
            classes: train.classes(),
        })
    }
}

/// Mean and standard deviation of each feature; 1 for the deviation of a constant one.
fn standard(features: Tensor<2>) -> (Tensor<2>, Tensor<2>) {
    let mean = features.clone().mean_dim(0); // [1, D]
    let deviation = (features - mean.clone()).powi_scalar(2).mean_dim(0).sqrt();
    let constant = deviation.clone().lower_elem(1e-12);
    (mean, deviation.mask_fill(constant, 1.0))
}

/// From 2²⁴ on f32 has no fractions: logits that differ by less than 1 become equal.
const MOST_LOGIT: f32 = (1 << 24) as f32;

impl Probe {
    /// Whether training has stayed within what f32 can tell apart, by the logits of its scaled features.
    fn check(&self, features: Tensor<2>) -> Result<(), ContrastiveError> {
        let logits = self.logits(features).abs();
        if !logits.clone().is_finite().all().into_scalar::<bool>() {
            return Err(ContrastiveError::NotFinite { what: "the linear probe (is its learning rate too high?)" });
        }
        let largest: f32 = logits.max().into_scalar();
        if largest <= MOST_LOGIT { Ok(()) } else { Err(ContrastiveError::Diverged { largest }) }
    }

    fn scaled(&self, features: Tensor<2>) -> Tensor<2> {
        match &self.scale {
            Some((mean, deviation)) => (features - mean.clone()) / deviation.clone(),
            None => features,
        }
    }

    /// Of features already scaled: `[n, classes]`.
    fn logits(&self, features: Tensor<2>) -> Tensor<2> {
        features.matmul(self.weight.clone()) + self.bias.clone()
    }

    /// The logits of each vector, `[n, D]` to `[n, classes]`.
    ///
    /// # Panics
    /// If vectors have another length than those that the probe was trained on.
    pub fn scores(&self, features: Tensor<2>) -> Tensor<2> {
        self.logits(self.scaled(features.to_device(&self.weight.device())))
    }

    /// The class predicted for each vector, of equals any.
    ///
    /// # Panics
    /// If vectors have another length than those that the probe was trained on.
    pub fn predict(&self, features: Tensor<2>) -> Vec<usize> {
        let classes = self.scores(features).argmax(1); // [n, 1]
        classes.into_data().iter::<i64>().map(|class| class as usize).collect()
    }

    /// The fraction of samples whose class is predicted.
    ///
    /// # Panics
    /// As [`predict`](Self::predict).
    pub fn accuracy(&self, set: &FeatureSet) -> f64 {
        let predicted = self.predict(set.features());
        let hits = predicted.iter().zip(set.labels()).filter(|(ours, truth)| ours == truth).count();
        hits as f64 / set.samples() as f64
    }
}
