use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::SemiError;
use crate::sampling::generator;

const PURPOSE: u64 = 4;

/// How often a weight is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MixDraw {
    /// Once a batch.
    #[default]
    Batch,
    /// For every row.
    Row,
}

/// What is mixed with what: `λ·u_i + (1−λ)·u_j`, λ from Beta(α, α), j from a permutation.
///
/// A pure function of seed and step: neither earlier draws nor a resumed run change it.
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `alpha` | 1 | α; at 1 every λ is as likely, towards 0 images are hardly mixed | above 0, finite |
/// | `draw` | `Batch` | how often λ is drawn | |
/// | `seed` | 0 | of all draws | |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mixing {
    /// α of the Beta distribution.
    pub alpha: f64,
    /// How often λ is drawn.
    pub draw: MixDraw,
    /// The seed of all draws.
    pub seed: u64,
}

impl Default for Mixing {
    fn default() -> Self {
        Self { alpha: 1.0, draw: MixDraw::Batch, seed: 0 }
    }
}

/// The draws of one step.
#[derive(Debug, Clone, PartialEq)]
pub struct MixDraws {
    /// j for each row: a permutation, in which a row may be its own partner.
    pub partners: Vec<usize>,
    /// λ for each row, in [0, 1].
    pub weights: Vec<f32>,
}

impl Mixing {
    /// Checks every setting.
    ///
    /// # Errors
    /// [`SemiError::OutOfRange`], which names the setting, its value and its range.
    pub fn validate(&self) -> Result<(), SemiError> {
        let holds = self.alpha > 0.0 && self.alpha < f64::INFINITY;
        SemiError::unless(holds, "alpha", self.alpha, "above 0 and finite")
    }

    /// The draws of a step for this many rows.
    pub fn draws(&self, rows: usize, step: u64) -> MixDraws {
        // A stream each, so that the permutation does not depend on how many weights are drawn.
        let (mut order, mut beta) = (generator(self.seed, PURPOSE, step, 0), generator(self.seed, PURPOSE, step, 1));
        let mut partners: Vec<usize> = (0..rows).collect();
        partners.shuffle(&mut order);
        let weights = match self.draw {
            MixDraw::Batch => vec![symmetric_beta(self.alpha, &mut beta) as f32; rows],
            MixDraw::Row => (0..rows).map(|_| symmetric_beta(self.alpha, &mut beta) as f32).collect(),
        };
        MixDraws { partners, weights }
    }
}

/// A draw from Beta(α, α): `g/(g + g')` of two draws from Gamma(α), by their logarithms, which do not underflow for small α.
fn symmetric_beta(alpha: f64, generator: &mut ChaCha8Rng) -> f64 {
    let (first, second) = (ln_gamma_draw(alpha, generator), ln_gamma_draw(alpha, generator));
    1.0 / (1.0 + (second - first).exp())
}

/// The logarithm of a draw from Gamma(α): Marsaglia & Tsang (2000) for α + 1, times `u^(1/α)`.
fn ln_gamma_draw(alpha: f64, generator: &mut ChaCha8Rng) -> f64 {
    let d = alpha + 1.0 - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = normal(generator);
        let v = (1.0 + c * x).powi(3);
        if v > 0.0 && uniform(generator).ln() < 0.5 * x * x + d - d * v + d * v.ln() {
            return (d * v).ln() + uniform(generator).ln() / alpha;
        }
    }
}

/// A standard normal number, by Box and Muller.
fn normal(generator: &mut ChaCha8Rng) -> f64 {
    let radius = (-2.0 * uniform(generator).ln()).sqrt();
    radius * (std::f64::consts::TAU * uniform(generator)).cos()
}

/// Uniform in (0, 1]: its logarithm is finite.
fn uniform(generator: &mut ChaCha8Rng) -> f64 {
    1.0 - generator.random::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean and variance of many draws.
    fn moments(alpha: f64) -> [f64; 2] {
        let mixing = Mixing { alpha, draw: MixDraw::Row, seed: 3 };
        let draws = mixing.draws(40_000, 0).weights;
        assert!(draws.iter().all(|weight| (0.0..=1.0).contains(weight)), "alpha {alpha}");
        let mean = draws.iter().map(|&weight| f64::from(weight)).sum::<f64>() / draws.len() as f64;
        let square = draws.iter().map(|&weight| (f64::from(weight) - mean).powi(2)).sum::<f64>();
        [mean, square / draws.len() as f64]
    }

    #[test]
    fn draws_have_the_moments_of_the_distribution() {
        for alpha in [0.01, 0.1, 0.5, 1.0, 2.0, 50.0] {
            let [mean, variance] = moments(alpha);
            let expected = 1.0 / (4.0 * (2.0 * alpha + 1.0));
            // Six deviations of the mean of 40,000 draws, and 4 %: six of the variance's own.
            assert!((mean - 0.5).abs() < 6.0 * (expected / 40_000.0).sqrt(), "alpha {alpha}: mean {mean}");
            assert!((variance / expected - 1.0).abs() < 0.04, "alpha {alpha}: {variance} instead of {expected}");
        }
    }

    #[test]
    fn alpha_one_is_uniform() {
        let mut draws = Mixing { draw: MixDraw::Row, ..Mixing::default() }.draws(10_000, 5).weights;
        draws.sort_by(f32::total_cmp);
        let far = (0..10_000).map(|rank| (f64::from(draws[rank]) - (rank as f64 + 0.5) / 1e4).abs());
        // Kolmogorov's distance; 0.0195 has a probability of one in a thousand.
        assert!(far.fold(0.0, f64::max) < 0.0195);
    }
}
