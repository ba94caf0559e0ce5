use std::collections::HashMap;
use std::ops::Range;

use rand::seq::SliceRandom;

use crate::Key;

/// An image's turn in an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Visit {
    pub(super) sample: usize,
    /// How often the image came before in the epoch.
    pub(super) occurrence: u64,
}

/// In which order the images of an epoch are visited.
#[derive(Debug)]
pub(super) enum Order {
    /// Each of so many images once, by index.
    Plain(usize),
    /// Each image once, in a random order.
    Shuffled(Vec<usize>),
    /// What a sampler chose, batch by batch.
    Sampled(Vec<Vec<Visit>>),
}

impl Order {
    /// A pure function of (seed, epoch, number of images).
    pub(super) fn new(samples: usize, shuffle: bool, seed: u64, epoch: u64) -> Self {
        if !shuffle {
            return Self::Plain(samples);
        }
        let mut indices: Vec<usize> = (0..samples).collect();
        // A key that no image has.
        let key = Key { seed, epoch, sample: u64::MAX, view: u64::MAX };
        indices.shuffle(&mut key.stream(0));
        Self::Shuffled(indices)
    }

    /// The given batches, with each image's occurrences counted.
    pub(super) fn sampled(batches: Vec<Vec<usize>>) -> Self {
        let mut seen = HashMap::new();
        let mut visit = |sample| {
            let next = seen.entry(sample).or_insert(0);
            *next += 1;
            Visit { sample, occurrence: *next - 1 }
        };
        Self::Sampled(batches.into_iter().map(|batch| batch.into_iter().map(&mut visit).collect()).collect())
    }

    /// The images of batch `batch`; of an epoch's own batches, fewer than `batch_size` at the end.
    pub(super) fn batch(&self, batch: usize, batch_size: usize) -> Vec<Visit> {
        let range = |samples: usize| -> Range<usize> {
            let start = batch.saturating_mul(batch_size).min(samples);
            start..start.saturating_add(batch_size).min(samples)
        };
        let once = |sample| Visit { sample, occurrence: 0 };
        match self {
            Self::Plain(samples) => range(*samples).map(once).collect(),
            Self::Shuffled(indices) => indices[range(indices.len())].iter().copied().map(once).collect(),
            Self::Sampled(batches) => batches.get(batch).cloned().unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_image_comes_once_in_an_order_of_the_epoch() {
        let all = |shuffle, epoch| {
            let order = Order::new(23, shuffle, 1, epoch);
            (0..5).flat_map(|batch| order.batch(batch, 5)).map(|visit| visit.sample).collect::<Vec<_>>()
        };
        let sorted: Vec<usize> = (0..23).collect();
        assert_eq!(all(false, 0), sorted);
        let shuffled = all(true, 0);
        assert_eq!(shuffled, all(true, 0));
        assert!(shuffled != all(true, 1) && shuffled != sorted);
        let mut back = shuffled;
        back.sort_unstable();
        assert_eq!(back, sorted);
        assert!(Order::new(23, false, 0, 0).batch(usize::MAX, 5).is_empty());
    }

    #[test]
    fn repeated_images_are_counted_through_the_epoch() {
        let order = Order::sampled(vec![vec![4, 1], vec![], vec![1, 4, 4]]);
        let visits = |batch| order.batch(batch, 2).iter().map(|v| (v.sample, v.occurrence)).collect::<Vec<_>>();
        assert_eq!(visits(0), [(4, 0), (1, 0)]);
        assert_eq!(visits(1), []);
        assert_eq!(visits(2), [(1, 1), (4, 1), (4, 2)]);
        assert_eq!(visits(3), []);
    }
}
