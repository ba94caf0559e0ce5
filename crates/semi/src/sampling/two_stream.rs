use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use super::generator;
use crate::SemiError;

const LABELED: u64 = 2;
const UNLABELED: u64 = 3;

/// How a batch is put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Mix {
    /// A fixed number of labelled samples in every batch, the rest unlabelled.
    Fixed {
        /// Labelled samples in a batch, between 1 and the batch size.
        labeled: usize,
    },
    /// One stream over all samples: labels come up as often as they occur (the authors' `n_labeled_per_batch =
    /// 'vary'`). A batch may hold none.
    Natural,
}

/// The samples of one batch, by index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TwoStreamBatch {
    /// Samples whose labels are used.
    pub labeled: Vec<usize>,
    /// Samples whose labels, if any, are not.
    pub unlabeled: Vec<usize>,
}

impl TwoStreamBatch {
    /// All samples: the labelled ones first.
    pub fn samples(&self) -> Vec<usize> {
        self.labeled.iter().chain(&self.unlabeled).copied().collect()
    }

    /// The number of samples.
    pub fn len(&self) -> usize {
        self.labeled.len() + self.unlabeled.len()
    }

    /// Whether the batch holds no sample.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Batches with a labelled share: an epoch is one pass over the unlabelled samples, in an order of its own, while the
/// labelled ones, of which there are few, come round as often as needed (arXiv 1703.01780, §B; the order of both is a
/// pure function of seed and epoch).
///
/// What is left of the unlabelled samples when no whole batch can be made is dropped; with a new order every epoch
/// that is a different part each time. Without unlabelled samples, batches are wholly labelled and an epoch is one
/// pass over the labelled samples: supervised training. Where a stream is shorter than its share of one batch, an
/// epoch is one batch: with all unlabelled samples, and with some labelled ones twice or more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TwoStream {
    labeled: Vec<usize>,
    unlabeled: Vec<usize>,
    batch: usize,
    mix: Mix,
    seed: u64,
}

impl TwoStream {
    /// Batches of `batch` samples.
    ///
    /// # Errors
    /// [`SemiError::NoLabels`] without labelled samples, [`SemiError::LabeledBatch`] if the labelled share is 0 or larger than
    /// the batch, [`SemiError::OutOfRange`] for a batch of 0.
    pub fn new(
        mut labeled: Vec<usize>,
        mut unlabeled: Vec<usize>,
        batch: usize,
        mix: Mix,
        seed: u64,
    ) -> Result<Self, SemiError> {
        if labeled.is_empty() {
            return Err(SemiError::NoLabels);
        }
        if batch == 0 {
            return Err(SemiError::OutOfRange { field: "batch", value: 0.0, range: "at least 1" });
        }
        labeled.sort_unstable();
        if mix == Mix::Natural {
            // One stream holds each sample once.
            unlabeled.retain(|sample| labeled.binary_search(sample).is_err());
        }
        match mix {
            Mix::Fixed { labeled } if labeled == 0 || labeled > batch => {
                Err(SemiError::LabeledBatch { labeled, batch })
            }
            _ => Ok(Self { labeled, unlabeled, batch, mix, seed }),
        }
    }

    /// The number of batches in an epoch, at least 1.
    pub fn batches(&self) -> usize {
        let (stream, share) = match self.mix {
            Mix::Natural => (self.labeled.len() + self.unlabeled.len(), self.batch),
            _ if self.unlabeled.is_empty() => (self.labeled.len(), self.batch),
            Mix::Fixed { labeled } if labeled == self.batch => (self.labeled.len(), self.batch),
            Mix::Fixed { labeled } => (self.unlabeled.len(), self.batch - labeled),
        };
        (stream / share).max(1)
    }

    /// The mean share of labelled samples in a batch, in (0, 1].
    pub fn labeled_fraction(&self) -> f64 {
        match self.mix {
            _ if self.unlabeled.is_empty() => 1.0,
            Mix::Fixed { labeled } => {
                let rest = (self.batch - labeled).min(self.unlabeled.len());
                labeled as f64 / (labeled + rest) as f64
            }
            Mix::Natural => self.labeled.len() as f64 / (self.labeled.len() + self.unlabeled.len()) as f64,
        }
    }

    /// The batches of an epoch, in order.
    pub fn epoch(&self, epoch: u64) -> impl Iterator<Item = TwoStreamBatch> + '_ {
        let count = self.batches();
        let (labeled, unlabeled) = match self.mix {
            Mix::Natural => (Vec::new(), Vec::new()),
            Mix::Fixed { labeled } => {
                let share = if self.unlabeled.is_empty() { self.batch } else { labeled };
                let rest = (self.batch - share).min(self.unlabeled.len());
                (self.cycle(epoch, share * count), self.order(&self.unlabeled, UNLABELED, epoch, 0, rest * count))
            }
        };
        let natural = match self.mix {
            Mix::Natural => self.natural(epoch),
            Mix::Fixed { .. } => Vec::new(),
        };
        (0..count).map(move |index| match self.mix {
            Mix::Natural => self.split(part(&natural, index, count)),
            Mix::Fixed { .. } => TwoStreamBatch {
                labeled: part(&labeled, index, count).to_vec(),
                unlabeled: part(&unlabeled, index, count).to_vec(),
            },
        })
    }

    /// As many labelled samples as asked for: one shuffled pass after the other.
    fn cycle(&self, epoch: u64, length: usize) -> Vec<usize> {
        let mut samples = Vec::with_capacity(length + self.labeled.len());
        for pass in 0.. {
            if samples.len() >= length {
                break;
            }
            samples.extend(self.order(&self.labeled, LABELED, epoch, pass, self.labeled.len()));
        }
        samples.truncate(length);
        samples
    }

    fn order(&self, samples: &[usize], stream: u64, epoch: u64, pass: u64, length: usize) -> Vec<usize> {
        let mut samples = samples.to_vec();
        samples.shuffle(&mut generator(self.seed, stream, epoch, pass));
        samples.truncate(length);
        samples
    }

    fn natural(&self, epoch: u64) -> Vec<usize> {
        let mut all: Vec<usize> = self.labeled.iter().chain(&self.unlabeled).copied().collect();
        all.sort_unstable();
        let length = self.batches() * self.batch.min(all.len());
        self.order(&all, UNLABELED, epoch, 0, length)
    }

    fn split(&self, samples: &[usize]) -> TwoStreamBatch {
        let (labeled, unlabeled) = samples.iter().partition(|sample| self.labeled.binary_search(sample).is_ok());
        TwoStreamBatch { labeled, unlabeled }
    }
}

/// The `index`-th of `count` equal parts.
fn part(samples: &[usize], index: usize, count: usize) -> &[usize] {
    let length = samples.len() / count;
    &samples[index * length..(index + 1) * length]
}
