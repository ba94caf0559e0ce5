use std::ops::Range;

use rand::seq::SliceRandom;

use crate::Key;

/// In which order the images of an epoch are visited: a pure function of (seed, epoch, number of images).
#[derive(Debug)]
pub(super) struct Order {
    samples: usize,
    /// Nothing for the order of the indices.
    shuffled: Option<Vec<usize>>,
}

impl Order {
    pub(super) fn new(samples: usize, shuffle: bool, seed: u64, epoch: u64) -> Self {
        let shuffled = shuffle.then(|| {
            let mut indices: Vec<usize> = (0..samples).collect();
            // A key that no image has.
            let key = Key { seed, epoch, sample: u64::MAX, view: u64::MAX };
            indices.shuffle(&mut key.stream(0));
            indices
        });
        Self { samples, shuffled }
    }

    /// The images of batch `batch`, fewer than `batch_size` at the end.
    pub(super) fn batch(&self, batch: usize, batch_size: usize) -> Vec<usize> {
        let start = batch.saturating_mul(batch_size).min(self.samples);
        let range: Range<usize> = start..start.saturating_add(batch_size).min(self.samples);
        match &self.shuffled {
            Some(indices) => indices[range].to_vec(),
            None => range.collect(),
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
            (0..5).flat_map(|batch| order.batch(batch, 5)).collect::<Vec<_>>()
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
}
