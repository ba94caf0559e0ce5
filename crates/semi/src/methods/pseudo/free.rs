use burn::module::Module;
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor};
use slowburn_ema::StateMatrix;

use super::selector::one_hot;
use super::settings::FreeThresholds;

/// Below it, a share of a histogram counts as 0, so that its inverse is finite in f32.
const LEAST: f64 = 1e-30;

/// FreeMatch's state: averages of confidence, predictions and classes.
#[derive(Module, Debug)]
pub(super) struct Running {
    /// τ, `[1, 1]`.
    confidence: StateMatrix,
    /// p̃, `[1, classes]`.
    probabilities: StateMatrix,
    /// h̃, `[1, classes]`.
    histogram: StateMatrix,
    #[module(skip)]
    settings: FreeThresholds,
}

/// The averages after a batch, until its costs are known to be finite.
#[derive(Debug, Clone)]
pub(super) struct Averages {
    confidence: Tensor<2>,
    probabilities: Tensor<2>,
    histogram: Tensor<2>,
}

impl Running {
    pub(super) fn new(settings: &FreeThresholds, classes: usize, device: &Device) -> Self {
        let even = |columns| StateMatrix::new(Tensor::full([1, columns], 1.0 / classes as f64, device));
        Self { confidence: even(1), probabilities: even(classes), histogram: even(classes), settings: settings.clone() }
    }

    /// The averages as they are.
    pub(super) fn averages(&self) -> Averages {
        Averages {
            confidence: self.confidence.value(),
            probabilities: self.probabilities.value(),
            histogram: self.histogram.value(),
        }
    }

    /// The averages with a batch: q `[n, classes]`, its highest `[n]` and their classes `[n]`.
    pub(super) fn after(&self, q: &Tensor<2>, confidence: &Tensor<1>, classes: &Tensor<1>) -> Averages {
        let old = self.averages();
        let histogram = one_hot(classes.clone().unsqueeze_dim(1), q.dims()[1]).mean_dim(0);
        let step = |old: Tensor<2>, new: Tensor<2>| old.clone() + (new - old).mul_scalar(1.0 - self.settings.decay);
        Averages {
            confidence: step(old.confidence, confidence.clone().mean().unsqueeze()),
            probabilities: step(old.probabilities, q.clone().mean_dim(0)),
            histogram: step(old.histogram, histogram),
        }
    }

    pub(super) fn remember(&self, averages: Averages) {
        self.confidence.update(|_| averages.confidence);
        self.probabilities.update(|_| averages.probabilities);
        self.histogram.update(|_| averages.histogram);
    }

    /// T, `[1, classes]`.
    pub(super) fn thresholds(&self, averages: &Averages) -> Tensor<2> {
        let probabilities = averages.probabilities.clone();
        let highest = probabilities.clone().max_dim(1); // [1, 1]
        let thresholds = averages.confidence.clone() * probabilities / highest;
        match self.settings.clip {
            Some([low, high]) => thresholds.clamp(low, high),
            None => thresholds,
        }
    }

    /// w_f and `L_f` of the strong logits `[n, classes]` of which those marked in `kept` `[n]` count; none for a weight of 0.
    pub(super) fn fairness(
        &self,
        averages: &Averages,
        strong: Tensor<2>,
        kept: &Tensor<1>,
    ) -> Option<(f64, Tensor<1>)> {
        if self.settings.fairness == 0.0 {
            return None;
        }
        let [_, columns] = strong.dims();
        let kept = kept.clone().unsqueeze_dim::<2>(1); // [n, 1]
        let total = kept.clone().sum_dim(0); // [1, 1]
        let p = softmax(strong, 1); // [n, classes]
        // Gradient through the mean alone: the class of a prediction has none.
        let classes = p.clone().without_autodiff().argmax(1).float();
        let mean = (p * kept.clone()).sum_dim(0) / total.clone().clamp_min(1.0); // p̄, [1, classes]
        let histogram = (one_hot(classes, columns) * kept).sum_dim(0) / total.clone().clamp_min(1.0); // h̄
        let a = modulated(averages.probabilities.clone(), averages.histogram.clone());
        let b = modulated(mean, histogram);
        // 0 or 1: without a sample kept there is no mean to speak of.
        let any = total.clamp_max(1.0).sum();
        Some((self.settings.fairness, (a * (b + 1e-12).log()).sum() * any))
    }
}

/// `SumNorm(p/h)`, a class of h = 0 counting 0.
fn modulated(p: Tensor<2>, h: Tensor<2>) -> Tensor<2> {
    let known = h.clone().greater_elem(LEAST).float();
    let ratio = p * (known / h.clamp_min(LEAST)); // [1, classes]
    let sum = ratio.clone().sum_dim(1).clamp_min(LEAST);
    ratio / sum
}
