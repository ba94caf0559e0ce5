use burn::tensor::{Int, Tensor, TensorData};
use rand::seq::SliceRandom;
use rand_distr::{Beta, Distribution};
use serde::{Deserialize, Serialize};

use crate::{AugmentError, Key};

/// Mixing each row of a batch with another one: `λ·x + (1 − λ)·x′` (Zhang et al., arXiv 1710.09412).
///
/// x′ are the rows of the same batch in random order and λ ~ Beta(α, α). [`draw`](Mixup::draw) gives the weights and the
/// partners as a [`MixupDraw`], a pure function of seed and step; the mix is then applied to the images, and to whatever else
/// has to follow them: one-hot targets (mixup), or a teacher's probabilities (ICT, arXiv 1903.03825; `Ict` of `slowburn-semi`,
/// which depends on no views, has draws of its own).
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `alpha` | – | α; 1 is uniform, smaller values mix less | \[0.01, 1000\] |
/// | `weights` | [`MixWeights::Batch`] | one λ for all rows, or one each | |
/// | `fold` | `false` | max(λ, 1 − λ) in the place of λ: a row stays the larger part of its mix (MixMatch, arXiv 1905.02249) | |
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use slowburn_augment::Mixup;
///
/// let mix = Mixup::new(0.75)?.per_row().folded().draw(7, 1000, 2);
/// let targets = Tensor::<2>::from_data([[1.0, 0.0], [0.0, 1.0]], &Device::default());
/// let mixed = mix.apply(targets)?.into_data().try_to_vec::<f32>()?;
/// let kept = if mix.partners()[0] == 1 { mix.weights()[0] } else { 1.0 };
/// assert!((mixed[0] - kept).abs() < 1e-6 && mix.weights().iter().all(|weight| *weight >= 0.5));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Mixup {
    alpha: f32,
    weights: MixWeights,
    fold: bool,
}

/// How many weights a batch has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MixWeights {
    /// One for all rows (mixup's and ICT's code).
    #[default]
    Batch,
    /// One for each row (MixMatch, FixMatch's ICT).
    Row,
}

/// A mixup as a file has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    alpha: f32,
    #[serde(default)]
    weights: MixWeights,
    #[serde(default)]
    fold: bool,
}

impl TryFrom<Unchecked> for Mixup {
    type Error = AugmentError;

    fn try_from(Unchecked { alpha, weights, fold }: Unchecked) -> Result<Self, AugmentError> {
        Ok(Self { weights, fold, ..Self::new(alpha)? })
    }
}

/// First of the streams under a key that are not a pipeline's: those have slots below 2⁴¹ (`Slot`).
const STREAMS: u64 = 1 << 63;

/// Range of α: beyond it λ is 0 or 1, or 1/2, in all that f32 can tell.
const ALPHAS: [f32; 2] = [0.01, 1000.0];

impl Mixup {
    /// One weight for all rows of a batch, λ ~ Beta(α, α).
    ///
    /// # Errors
    ///
    /// [`AugmentError::InvalidMixup`] if `alpha` is outside [0.01, 1000].
    pub fn new(alpha: f32) -> Result<Self, AugmentError> {
        let [least, most] = ALPHAS;
        if (least..=most).contains(&alpha) {
            return Ok(Self { alpha, weights: MixWeights::Batch, fold: false });
        }
        Err(AugmentError::InvalidMixup {
            field: "alpha",
            value: alpha.to_string(),
            allowed: "a number in [0.01, 1000]",
        })
    }

    /// A weight of its own for each row.
    pub fn per_row(self) -> Self {
        Self { weights: MixWeights::Row, ..self }
    }

    /// max(λ, 1 − λ) in the place of λ.
    pub fn folded(self) -> Self {
        Self { fold: true, ..self }
    }

    /// α of the Beta distribution.
    pub fn alpha(&self) -> f32 {
        self.alpha
    }

    /// Draws the mix of a batch of `rows`: a pure function of its arguments. The partners are a uniform permutation, so a row
    /// may be its own; the weight of row i does not depend on the number of rows.
    pub fn draw(&self, seed: u64, step: u64, rows: usize) -> MixupDraw {
        let key = |row: usize| Key { seed, epoch: step, sample: row as u64, view: 0 };
        let mut partners: Vec<usize> = (0..rows).collect();
        partners.shuffle(&mut key(0).stream(STREAMS));
        let weight = |row| self.weight(key(row));
        let weights = match self.weights {
            MixWeights::Batch => vec![weight(0); rows],
            MixWeights::Row => (0..rows).map(weight).collect(),
        };
        MixupDraw { weights, partners }
    }

    fn weight(&self, key: Key) -> f32 {
        let alpha = f64::from(self.alpha);
        // α is in its range, for which the distribution exists.
        let drawn = Beta::new(alpha, alpha).map_or(1.0, |beta| beta.sample(&mut key.stream(STREAMS + 1)));
        let weight = drawn.clamp(0.0, 1.0);
        (if self.fold { weight.max(1.0 - weight) } else { weight }) as f32
    }
}

/// The weights and partners of a batch: row i becomes `weights[i]·row[i] + (1 − weights[i])·row[partners[i]]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MixupDraw {
    weights: Vec<f32>,
    partners: Vec<usize>,
}

impl MixupDraw {
    /// Weight of each row in its mix, in [0, 1].
    pub fn weights(&self) -> &[f32] {
        &self.weights
    }

    /// The other row in each mix: a permutation.
    pub fn partners(&self) -> &[usize] {
        &self.partners
    }

    /// Mixes the rows of a batch, on its device: images `[batch, channels, height, width]`, targets or probabilities
    /// `[batch, classes]`, or anything else of at least two axes.
    ///
    /// # Errors
    ///
    /// [`AugmentError::MixRows`] if the batch has another number of rows, or a mix from a file names rows that do not exist.
    pub fn apply<const D: usize>(&self, batch: Tensor<D>) -> Result<Tensor<D>, AugmentError> {
        let found = batch.dims()[0];
        let expected = self.weights.len();
        let complete = self.partners.len() == expected && self.partners.iter().all(|partner| *partner < expected);
        if found != expected || !complete {
            return Err(AugmentError::MixRows { expected, found });
        }
        if found == 0 {
            return Ok(batch);
        }
        let device = batch.device();
        let mut shape = [1; D];
        shape[0] = found;
        let weights = TensorData::new(self.weights.clone(), shape);
        let weights = Tensor::<D>::from_data(weights, (&device, batch.dtype())); // [batch, 1, …]
        let partners = self.partners.iter().map(|partner| *partner as i32).collect::<Vec<_>>();
        let partners = Tensor::<1, Int>::from_data(TensorData::new(partners, [found]), &device);
        let other = batch.clone().select(0, partners);
        Ok(batch * weights.clone() + other * (weights.neg() + 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alpha_has_a_range() {
        for alpha in [0.01, 0.1, 1.0, 1000.0] {
            assert_eq!(Mixup::new(alpha).unwrap().alpha(), alpha);
        }
        for alpha in [0.0, -1.0, f32::NAN, f32::INFINITY, 1001.0] {
            let error = Mixup::new(alpha).unwrap_err();
            assert!(error.to_string().contains("allowed: a number in [0.01, 1000]"), "{error}");
        }
        let stored = serde_json::to_string(&Mixup::new(0.5).unwrap().per_row().folded()).unwrap();
        assert_eq!(serde_json::from_str::<Mixup>(&stored).unwrap(), Mixup::new(0.5).unwrap().per_row().folded());
        assert!(serde_json::from_str::<Mixup>(&stored.replace("0.5", "-0.5")).is_err());
        assert_eq!(serde_json::from_str::<Mixup>(r#"{"alpha": 1}"#).unwrap(), Mixup::new(1.0).unwrap());
    }

    /// Beta(α, α) has mean 1/2 and variance 1/(4(2α + 1)); its fourth central moment is 3/(16(2α + 1)(2α + 3)).
    #[test]
    fn weights_have_the_moments_of_beta() {
        const DRAWS: usize = 20_000;
        for alpha in [0.01_f32, 0.1, 0.5, 0.75, 1.0, 2.0, 10.0, 1000.0] {
            let mix = Mixup::new(alpha).unwrap().per_row().draw(3, 5, DRAWS);
            let mean = |power: i32, center: f64| {
                mix.weights.iter().map(|weight| (f64::from(*weight) - center).powi(power)).sum::<f64>() / DRAWS as f64
            };
            let a = f64::from(alpha);
            let variance = 1.0 / (4.0 * (2.0 * a + 1.0));
            let fourth = 3.0 / (16.0 * (2.0 * a + 1.0) * (2.0 * a + 3.0));
            // Four standard errors.
            let tolerance = 4.0 * (variance / DRAWS as f64).sqrt();
            assert!((mean(1, 0.5)).abs() < tolerance, "α {alpha}: mean {}", mean(1, 0.5) + 0.5);
            let tolerance = 4.0 * ((fourth - variance * variance) / DRAWS as f64).sqrt() + 1e-7;
            assert!((mean(2, 0.5) - variance).abs() < tolerance, "α {alpha}: {} for {variance}", mean(2, 0.5));
        }
    }
}
