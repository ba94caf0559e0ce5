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

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;

    const CLASSES: usize = 5;
    const BATCH: usize = 7;

    /// A class that no prediction is of, weak or strong.
    const ABSENT: usize = 4;

    /// Probabilities of a batch, the same for a seed.
    fn probabilities(state: &mut u32) -> Vec<f64> {
        let mut row = || {
            let mut draw = || {
                *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                f64::from(*state >> 8) / f64::from(1u32 << 24)
            };
            let row: Vec<f64> =
                (0..CLASSES).map(|class| if class == ABSENT { 1e-3 } else { (4.0 * draw()).exp() }).collect();
            let sum: f64 = row.iter().sum();
            row.into_iter().map(move |value| value / sum).collect::<Vec<_>>()
        };
        (0..BATCH).flat_map(|_| row()).collect()
    }

    fn highest(row: &[f64]) -> usize {
        (0..CLASSES).fold(0, |best, class| if row[class] > row[best] { class } else { best })
    }

    /// Mean prediction and share of each class, of the rows that count.
    fn means(rows: &[f64], kept: &[bool]) -> [Vec<f64>; 2] {
        let (mut mean, mut share) = (vec![0.0; CLASSES], vec![0.0; CLASSES]);
        let count = kept.iter().filter(|kept| **kept).count().max(1) as f64;
        for (row, _) in rows.chunks(CLASSES).zip(kept).filter(|(_, kept)| **kept) {
            mean.iter_mut().zip(row).for_each(|(mean, value)| *mean += value / count);
            share[highest(row)] += 1.0 / count;
        }
        [mean, share]
    }

    /// `SumNorm(p/h)`, with an inverse of 0 for h = 0.
    fn normed(p: &[f64], h: &[f64]) -> Vec<f64> {
        let ratio: Vec<f64> = p.iter().zip(h).map(|(p, h)| if *h > LEAST { p / h } else { 0.0 }).collect();
        let sum: f64 = ratio.iter().sum();
        ratio.into_iter().map(|ratio| ratio / sum).collect()
    }

    fn tensor(values: &[f64], device: &Device) -> Tensor<2> {
        let values: Vec<f32> = values.iter().map(|&value| value as f32).collect();
        Tensor::from_data(TensorData::new(values, [BATCH, CLASSES]), device)
    }

    /// FreeMatch's paper, eqs. 9 to 11, over averages that forget the absent class until its share is 0.
    #[test]
    fn a_thousand_steps_of_fairness_equal_a_loop() {
        let (device, mut state) = (Device::flex(), 1);
        let settings = FreeThresholds { decay: 0.9, fairness: 0.5, ..FreeThresholds::default() };
        let running = Running::new(&settings, CLASSES, &device);
        let [mut p, mut h] = [vec![1.0 / CLASSES as f64; CLASSES], vec![1.0 / CLASSES as f64; CLASSES]];
        let mut forgotten = 0;
        for step in 0..1000 {
            let [weak, strong] = [probabilities(&mut state), probabilities(&mut state)];
            let kept: Vec<bool> = weak.chunks(CLASSES).map(|row| row[highest(row)] > 0.6).collect();
            let [mean, share] = means(&weak, &[true; BATCH]);
            for class in 0..CLASSES {
                p[class] += 0.1 * (mean[class] - p[class]);
                h[class] += 0.1 * (share[class] - h[class]);
            }
            let [strong_mean, strong_share] = means(&strong, &kept);
            let (a, b) = (normed(&p, &h), normed(&strong_mean, &strong_share));
            let expected: f64 = a.iter().zip(b).map(|(a, b)| a * (b + 1e-12).ln()).sum();

            let q = tensor(&weak, &device);
            let (confidence, classes) = q.clone().max_dim_with_indices(1);
            let averages = running.after(&q, &confidence.squeeze_dim(1), &classes.squeeze_dim::<1>(1).float());
            let marks: Vec<f32> = kept.iter().map(|&kept| f32::from(u8::from(kept))).collect();
            let marks = Tensor::<1>::from_data(TensorData::new(marks, [BATCH]), &device);
            let (weight, term) = running.fairness(&averages, tensor(&strong, &device).log(), &marks).expect("a weight");
            running.remember(averages);
            assert_eq!(weight, 0.5);
            forgotten += u32::from(h[ABSENT] < LEAST);
            // At the limit, f32 and f64 may see it on either side.
            let at_the_limit = (h[ABSENT] / LEAST - 1.0).abs() < 0.05;
            if kept.contains(&true) && !at_the_limit {
                let ours = term.into_scalar::<f64>();
                assert!((ours - expected).abs() < 1e-4 * expected.abs(), "step {step}: {ours} instead of {expected}");
            }
        }
        assert!((1..900).contains(&forgotten), "its share becomes 0 on the way: {forgotten}");
    }
}
