use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};
use slowburn_ema::StateMatrix;

use crate::SemiError;

/// Below it, an average probability of a class counts as this much.
const LEAST: f64 = 1e-6;

/// Distribution alignment (Berthelot et al., arXiv 1911.09785, §3.1): predictions are made to have, in the mean, the classes that
/// the data has.
///
/// `p̃ ← λ·p̃ + (1−λ)·mean q` over the unlabelled samples of a batch, then `q ← SumNorm(q·p/p̃)`, before targets and thresholds. p̃
/// starts even. Where ours differs: the paper averages the last 128 batches, ours has an exponential average, as USB's code.
///
/// It is right where p is known. With even classes in the labels and uneven ones in the images it does harm.
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `decay` | 0.99 | λ, the weight of the old average | [0, 1) |
/// | `classes` | none | p, the share of each class; even where it is none | positive, sum 1 |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alignment {
    /// λ, in [0, 1).
    pub decay: f64,
    /// p, the share of each class in the data; even if nothing is said.
    pub classes: Option<Vec<f64>>,
}

impl Default for Alignment {
    fn default() -> Self {
        Self { decay: 0.99, classes: None }
    }
}

impl Alignment {
    /// Checks every setting.
    ///
    /// # Errors
    /// [`SemiError::OutOfRange`], which names the setting, its value and its range.
    pub fn validate(&self) -> Result<(), SemiError> {
        SemiError::unless((0.0..1.0).contains(&self.decay), "decay", self.decay, "in [0, 1)")?;
        let Some(classes) = &self.classes else {
            return Ok(());
        };
        for &share in classes {
            SemiError::unless(share > 0.0 && share <= 1.0, "classes", share, "above 0 and at most 1")?;
        }
        let sum: f64 = classes.iter().sum();
        SemiError::unless((sum - 1.0).abs() < 1e-6, "classes", sum, "1 in sum")
    }
}

/// An alignment and its average.
#[derive(Module, Debug)]
pub(super) struct Aligned {
    /// p̃, `[1, classes]`.
    mean: StateMatrix,
    #[module(skip)]
    settings: Alignment,
}

impl Aligned {
    pub(super) fn new(settings: &Alignment, classes: usize, device: &Device) -> Result<Self, SemiError> {
        settings.validate()?;
        if let Some(shares) = &settings.classes {
            SemiError::unless(shares.len() == classes, "classes", shares.len() as f64, "one for each class")?;
        }
        let even = Tensor::full([1, classes], 1.0 / classes as f64, &device.clone().without_autodiff());
        Ok(Self { mean: StateMatrix::new(even), settings: settings.clone() })
    }

    /// Aligned predictions `[n, classes]`, and the average with them counted in, `[1, classes]`.
    pub(super) fn align(&self, q: Tensor<2>) -> [Tensor<2>; 2] {
        let [_, classes] = q.dims();
        let old = self.mean.value();
        let mean = old.clone() + (q.clone().mean_dim(0) - old).mul_scalar(1.0 - self.settings.decay);
        let shares = self.settings.classes.clone().unwrap_or_else(|| vec![1.0 / classes as f64; classes]);
        let shares: Vec<f32> = shares.into_iter().map(|share| share as f32).collect();
        let shares = Tensor::<2>::from_data(TensorData::new(shares, [1, classes]), &q.device());
        let scaled = q * (shares / mean.clone().clamp_min(LEAST)); // [n, classes]
        let sum = scaled.clone().sum_dim(1); // [n, 1]
        [scaled / sum, mean]
    }

    pub(super) fn remember(&self, mean: Tensor<2>) {
        self.mean.update(|_| mean);
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    const CLASSES: usize = 4;

    /// `n` rows of probabilities, the first classes more likely than the last.
    fn predictions(step: usize, n: usize) -> Vec<[f64; CLASSES]> {
        let row = |row: usize| {
            let raw: [f64; CLASSES] = std::array::from_fn(|class| {
                let noise = ((step * 7919 + row * 104_729 + class * 1_299_709) % 1000) as f64 / 1000.0;
                (0.05 + noise) / (1 + class * class) as f64
            });
            let sum: f64 = raw.iter().sum();
            raw.map(|value| value / sum)
        };
        (0..n).map(row).collect()
    }

    fn tensor(rows: &[[f64; CLASSES]], device: &Device) -> Tensor<2> {
        let values: Vec<f32> = rows.iter().flatten().map(|&value| value as f32).collect();
        Tensor::from_data(TensorData::new(values, [rows.len(), CLASSES]), device)
    }

    #[test]
    fn a_thousand_steps_are_those_of_a_scalar_oracle() {
        let device = Device::flex();
        let shares = vec![0.1, 0.2, 0.3, 0.4];
        let settings = Alignment { decay: 0.95, classes: Some(shares.clone()) };
        let aligned = Aligned::new(&settings, CLASSES, &device).expect("valid");
        let mut mean = [1.0 / CLASSES as f64; CLASSES];
        for step in 0..1000 {
            let rows = predictions(step, 1 + step % 5);
            for (class, mean) in mean.iter_mut().enumerate() {
                let now = rows.iter().map(|row| row[class]).sum::<f64>() / rows.len() as f64;
                *mean = 0.95 * *mean + 0.05 * now;
            }
            let [q, state] = aligned.align(tensor(&rows, &device));
            let q: Vec<f64> = q.into_data().iter::<f64>().collect();
            for (row, ours) in rows.iter().zip(q.chunks(CLASSES)) {
                let scaled: Vec<f64> = (0..CLASSES).map(|class| row[class] * shares[class] / mean[class]).collect();
                let sum: f64 = scaled.iter().sum();
                for (ours, scaled) in ours.iter().zip(scaled) {
                    assert!((ours - scaled / sum).abs() < 1e-5, "step {step}: {ours} beside {}", scaled / sum);
                }
            }
            aligned.remember(state);
        }
        let last: Vec<f64> = aligned.mean.value().into_data().iter::<f64>().collect();
        assert!(last.iter().zip(mean).all(|(ours, mean)| (ours - mean).abs() < 1e-5), "{last:?} beside {mean:?}");
    }

    #[test]
    fn predictions_have_the_classes_of_the_data_in_the_mean() {
        let device = Device::flex();
        let aligned = Aligned::new(&Alignment::default(), CLASSES, &device).expect("valid");
        let mut before = [0.0; CLASSES];
        let mut after = [0.0; CLASSES];
        for step in 0..2000 {
            let rows = predictions(step, 8);
            let [q, state] = aligned.align(tensor(&rows, &device));
            aligned.remember(state);
            if step >= 1000 {
                let q: Vec<f64> = q.mean_dim(0).into_data().iter::<f64>().collect();
                for class in 0..CLASSES {
                    before[class] += rows.iter().map(|row| row[class]).sum::<f64>() / 8000.0;
                    after[class] += q[class] / 1000.0;
                }
            }
        }
        let uneven = |shares: [f64; CLASSES]| shares.iter().map(|share| (share - 0.25).abs()).fold(0.0, f64::max);
        assert!(uneven(before) > 0.2 && uneven(after) < 0.05, "{before:?} before, {after:?} after");
    }

    #[test]
    fn shares_that_are_none_are_refused() {
        let device = Device::flex();
        for (classes, said) in [
            (vec![0.5, 0.5, 0.0, 0.0], "classes is 0: it must be above 0"),
            (vec![0.5, 0.5, 0.5, 0.5], "classes is 2: it must be 1 in sum"),
            (vec![0.5, 0.5], "classes is 2: it must be one for each class"),
        ] {
            let settings = Alignment { classes: Some(classes), ..Alignment::default() };
            let error = Aligned::new(&settings, CLASSES, &device).expect_err(said).to_string();
            assert!(error.contains(said), "{error}");
        }
        let error = Alignment { decay: 1.0, classes: None }.validate().expect_err("a decay of 1").to_string();
        assert!(error.contains("decay is 1"), "{error}");
    }
}
