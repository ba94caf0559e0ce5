use serde::{Deserialize, Serialize};

use super::{FeatureSet, ProbeConfig, ProbeReport};
use crate::{ContrastiveError, Stream, permutation};

/// A linear probe whose learning rate is chosen on a part of the *training* features.
///
/// Published protocols have learning rates from 0.1 to 30, each for its encoder's scale of features; choosing on the
/// test set would flatter whichever is tried most often. Here each rate is trained on the kept part and scored on the
/// held-out part, the best is trained again on all training features, and only that probe sees the test set.
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `learning_rates` | 0.01, 0.03, … 30 | candidates; of equal scores the first wins | each > 0 |
/// | `held_out` | 0.1 | fraction of each class that is held out (at least one sample) | (0, 1) |
/// | `probe` | [`ProbeConfig::simclr`] | everything else | |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SweepConfig {
    /// Candidates.
    pub learning_rates: Vec<f64>,
    /// The fraction of each class that is held out.
    pub held_out: f64,
    /// Everything else.
    pub probe: ProbeConfig,
}

impl Default for SweepConfig {
    fn default() -> Self {
        let learning_rates = vec![0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0];
        Self { learning_rates, held_out: 0.1, probe: ProbeConfig::simclr() }
    }
}

/// One learning rate of a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// The learning rate.
    pub learning_rate: f64,
    /// Its accuracy on the held-out part; none where training diverged.
    pub accuracy: Option<f64>,
}

/// A sweep's choice, how it came about, and its score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SweepReport {
    /// The score of the chosen learning rate on the test set.
    pub probe: ProbeReport,
    /// All candidates, in the order tried.
    pub candidates: Vec<Candidate>,
    /// The fraction of each class that was held out.
    pub held_out: f64,
    /// Samples held out.
    pub held_out_samples: usize,
}

impl SweepConfig {
    /// Checks every setting.
    ///
    /// # Errors
    /// [`ContrastiveError::OutOfRange`] or [`ContrastiveError::Empty`].
    pub fn validate(&self) -> Result<(), ContrastiveError> {
        let fraction = self.held_out;
        ContrastiveError::unless(fraction > 0.0 && fraction < 1.0, "held_out", fraction, "in (0, 1)")?;
        if self.learning_rates.is_empty() {
            return Err(ContrastiveError::Empty { what: "the list of learning rates" });
        }
        self.learning_rates.iter().try_for_each(|&learning_rate| self.with(learning_rate).validate())
    }

    /// Chooses on a part of `train`, then scores on `test`.
    ///
    /// # Errors
    /// Those of [`validate`](Self::validate); [`ContrastiveError::Empty`] where no class has two samples, so that nothing can be
    /// held out; [`ContrastiveError::NotFinite`] where every candidate diverged.
    pub fn evaluate(&self, train: &FeatureSet, test: &FeatureSet) -> Result<SweepReport, ContrastiveError> {
        self.validate()?;
        train.check_beside(test)?;
        let (kept, held_out) = self.split(train)?;
        let mut candidates = Vec::with_capacity(self.learning_rates.len());
        for &learning_rate in &self.learning_rates {
            let accuracy = match self.with(learning_rate).fit(&kept) {
                Ok(probe) => Some(probe.accuracy(&held_out)),
                Err(ContrastiveError::NotFinite { .. } | ContrastiveError::Diverged { .. }) => None,
                Err(error) => return Err(error),
            };
            candidates.push(Candidate { learning_rate, accuracy });
        }
        let finished = candidates.iter().filter_map(|candidate| Some((candidate.learning_rate, candidate.accuracy?)));
        let best = finished.reduce(|best, next| if next.1 > best.1 { next } else { best });
        let (chosen, _) = best.ok_or(ContrastiveError::NotFinite { what: "every linear probe of the sweep" })?;
        Ok(SweepReport {
            probe: self.with(chosen).evaluate(train, test)?,
            candidates,
            held_out: self.held_out,
            held_out_samples: held_out.samples(),
        })
    }

    fn with(&self, learning_rate: f64) -> ProbeConfig {
        ProbeConfig { learning_rate, ..self.probe.clone() }
    }

    /// The kept and the held-out part of the training set, each class in proportion.
    fn split(&self, train: &FeatureSet) -> Result<(FeatureSet, FeatureSet), ContrastiveError> {
        let order = permutation(train.samples(), self.probe.seed, 0, Stream::HeldOut);
        let (mut kept, mut held_out) = (Vec::new(), Vec::new());
        for class in 0..train.classes() {
            let rows: Vec<usize> = order.iter().copied().filter(|&row| train.labels()[row] == class).collect();
            // A class of one sample is kept: it could not be learned otherwise.
            let most = rows.len().saturating_sub(1);
            let count = ((rows.len() as f64 * self.held_out).round() as usize).max(1).min(most);
            held_out.extend(&rows[..count]);
            kept.extend(&rows[count..]);
        }
        match held_out.is_empty() {
            true => Err(ContrastiveError::Empty { what: "the held-out part of the training features" }),
            false => Ok((train.select(&kept), train.select(&held_out))),
        }
    }
}
