use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use slowburn_ema::{Refused, StateMatrix, StepCount};

use crate::random::directions;
use crate::{ContrastiveError, Warning};

/// What to do with a queue's random initial rows until keys have replaced them.
///
/// They are nearly orthogonal to every query, hence easy negatives: at first the loss is low and the contrastive
/// accuracy near 1, then the loss rises (the original's published curve does so for three epochs).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Unfilled {
    /// They count as negatives, as in the original.
    #[default]
    Keep,
    /// They are left out: the first step has no negatives and a loss of 0.
    Mask,
}

/// The settings of a [`KeyQueue`].
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `size` | 65,536 | keys that it holds, K | ≥ 1 |
/// | `dim` | 128 | length of a key | ≥ 1 |
/// | `unfilled` | `Keep` | how unfilled rows are treated | |
/// | `seed` | 0 | of its random initial rows | |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeyQueueConfig {
    /// The number of keys, K.
    pub size: usize,
    /// The length of a key.
    pub dim: usize,
    /// How unfilled rows are treated.
    pub unfilled: Unfilled,
    /// The seed of the random initial rows.
    pub seed: u64,
}

impl Default for KeyQueueConfig {
    fn default() -> Self {
        Self { size: 65_536, dim: 128, unfilled: Unfilled::Keep, seed: 0 }
    }
}

impl KeyQueueConfig {
    /// Checks every setting.
    ///
    /// # Errors
    /// [`ContrastiveError::OutOfRange`], which names the setting.
    pub fn validate(&self) -> Result<(), ContrastiveError> {
        // Counters travel as 32-bit integers.
        ContrastiveError::unless((1..1 << 31).contains(&self.size), "queue size", self.size as f64, "in [1, 2³¹)")?;
        ContrastiveError::at_least_one("dim", self.dim)
    }

    /// A queue of random unit vectors, none of them a key yet.
    ///
    /// # Errors
    /// Those of [`validate`](Self::validate).
    pub fn init(&self, device: &Device) -> Result<KeyQueue, ContrastiveError> {
        self.validate()?;
        let plain = device.clone().without_autodiff();
        Ok(KeyQueue {
            rows: StateMatrix::new(directions(self.size, self.dim, self.seed, &plain)),
            pointer: StepCount::new(&plain),
            filled: StepCount::new(&plain),
            unfilled: self.unfilled,
        })
    }
}

/// MoCo's dictionary: the K most recent keys, first in, first out (He et al., arXiv 1911.05722, §3.1).
///
/// Reading ([`negatives`](Self::negatives)) and [`enqueue`](Self::enqueue) are separate, so that a step can score its
/// queries against the keys of *earlier* steps before its own go in: a key is never a negative of its own query.
///
/// Batches of any size wrap correctly, as if their keys went in one by one. Rows, pointer and filled count are in the
/// module's record; a queue that is loaded continues exactly. The original keeps `[dim, K]`; ours is `[K, dim]`, where a batch is
/// one piece of memory.
#[derive(Module, Debug)]
pub struct KeyQueue {
    rows: StateMatrix,
    pointer: StepCount,
    filled: StepCount,
    #[module(skip)]
    unfilled: Unfilled,
}

impl KeyQueue {
    /// The rows to score queries against: `[n, dim]`, in no particular order, without gradient.
    ///
    /// n is K with [`Unfilled::Keep`] and [`filled`](Self::filled) with [`Unfilled::Mask`].
    pub fn negatives(&self) -> Tensor<2> {
        let rows = self.rows.value();
        match self.unfilled {
            // The pointer starts at 0: the rows that hold keys are the first ones.
            Unfilled::Mask if self.filled() == 0 => Tensor::zeros([0, self.dim()], &rows.device()),
            Unfilled::Mask if self.filled() < self.size() => rows.narrow(0, 0, self.filled()),
            _ => rows,
        }
    }

    /// Puts keys `[batch, dim]` of unit length in place of the oldest ones.
    ///
    /// Of a batch larger than the queue the last K keys stay, as if all had gone in one by one. Takes the queue by
    /// value, so that its memory may be reused.
    ///
    /// # Errors
    /// [`ContrastiveError::Dim`] for keys of another length. The queue comes back as it was.
    pub fn enqueue(mut self, keys: Tensor<2>) -> Result<Self, Refused<Self, ContrastiveError>> {
        let [batch, found] = keys.dims();
        let (size, expected) = (self.size(), self.dim());
        if let Err(error) = ContrastiveError::dims(found, expected) {
            return Err(Refused::new(self, error));
        }
        // Keys that others of the same batch would overwrite do not go in at all.
        let skipped = batch.saturating_sub(size);
        let start = (self.pointer() + skipped) % size;
        let kept = batch - skipped;
        let before_end = kept.min(size - start);
        self.rows.update(|mut rows| {
            let keys = keys.without_autodiff().cast(rows.dtype()).to_device(&rows.device());
            for (row, first, count) in [(start, skipped, before_end), (0, skipped + before_end, kept - before_end)] {
                if count > 0 {
                    rows = rows.slice_assign([row..row + count, 0..expected], keys.clone().narrow(0, first, count));
                }
            }
            rows
        });
        self.pointer.set(((self.pointer() + batch) % size) as u64);
        self.filled.set((self.filled() + batch).min(size) as u64);
        Ok(self)
    }

    /// All K rows, `[K, dim]`: keys, and random initial rows from [`filled`](Self::filled) on.
    pub fn rows(&self) -> Tensor<2> {
        self.rows.value()
    }

    /// The row that the next key goes to: the oldest key's, once the queue is full.
    pub fn pointer(&self) -> usize {
        self.pointer.get() as usize
    }

    /// The number of rows that hold keys.
    pub fn filled(&self) -> usize {
        self.filled.get() as usize
    }

    /// The number of rows, K.
    pub fn size(&self) -> usize {
        self.rows.dims()[0]
    }

    /// The length of a key.
    pub fn dim(&self) -> usize {
        self.rows.dims()[1]
    }

    /// What a queue of `size` keys, K, is warned of with N `samples` in batches of B: K > N − B.
    ///
    /// A sample's key of the epoch before is then among its negatives, an old one, but of its own image. Where every
    /// epoch has one order, all queries meet theirs beyond the bound and none below it. Where each epoch has an order of
    /// its own, the bound is a rule of thumb and no guarantee: a sample late in one epoch and early in the next meets
    /// its key in any queue, k(k + 1)/(2n²) of them in a queue of k batches where an epoch has n ≥ k. That is about a half
    /// at the bound, and 8.7 % for K = 4,096, N = 10,000 and B = 128.
    pub fn check(size: usize, samples: usize, batch: usize) -> Option<Warning> {
        let holds_positives = size > samples.saturating_sub(batch);
        holds_positives.then_some(Warning::QueueHoldsPositives { queue: size, samples, batch })
    }
}
