//! The queue beside a `VecDeque`.

use std::collections::VecDeque;

use burn::module::Module;
use burn::store::ModuleRecord;
use burn::tensor::{Device, Tensor, TensorData};
use proptest::prelude::*;
use slowburn_contrastive::{ContrastiveError, KeyQueue, KeyQueueConfig, Stream, Unfilled, Warning, permutation};

use crate::support::{read, tensors};

fn queue(size: usize, dim: usize, unfilled: Unfilled) -> KeyQueue {
    KeyQueueConfig { size, dim, unfilled, seed: 5 }.init(&Device::flex()).unwrap()
}

/// Keys that say their number.
fn keys(first: usize, count: usize) -> Tensor<2> {
    let values: Vec<f32> = (first..first + count).flat_map(|key| [key as f32, -(key as f32)]).collect();
    Tensor::from_data(TensorData::new(values, [count, 2]), &Device::flex())
}

/// The keys in a queue, oldest first.
fn contents(queue: &KeyQueue) -> Vec<f64> {
    let rows: Vec<f64> = read(queue.rows()).chunks(2).map(|row| row[0]).collect();
    let start = if queue.filled() < queue.size() { 0 } else { queue.pointer() };
    (0..queue.filled()).map(|offset| rows[(start + offset) % queue.size()]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn is_a_deque_of_the_last_keys(size in 1usize..12, batches in prop::collection::vec(0usize..30, 0..12)) {
        let mut queue = queue(size, 2, Unfilled::Mask);
        let random = read(queue.rows());
        let (mut deque, mut next) = (VecDeque::new(), 1);
        for batch in batches {
            queue = queue.enqueue(keys(next, batch)).unwrap();
            for key in next..next + batch {
                deque.push_back(key as f64);
                if deque.len() > size {
                    deque.pop_front();
                }
            }
            next += batch;
            prop_assert_eq!(contents(&queue), deque.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(queue.filled(), deque.len());
            prop_assert_eq!(queue.pointer(), (next - 1) % size);
            let held: Vec<f64> = read(queue.negatives()).chunks(2).map(|row| row[0]).collect();
            prop_assert_eq!(held.len(), deque.len(), "random rows are masked");
            let left = 2 * queue.filled();
            prop_assert_eq!(&read(queue.rows())[left..], &random[left..], "and stay until replaced");
        }
    }
}

#[test]
fn starts_with_unit_rows_that_differ_by_seed_alone() {
    let queue = queue(64, 16, Unfilled::Keep);
    let rows = read(queue.rows());
    for row in rows.chunks(16) {
        let length: f64 = row.iter().map(|value| value * value).sum();
        assert!((length - 1.0).abs() < 1e-6, "{length}");
    }
    // A mean of 1,024 numbers of deviation 1/4: four standard errors.
    let mean = rows.iter().sum::<f64>() / rows.len() as f64;
    assert!(mean.abs() < 0.032, "{mean}");
    let config = KeyQueueConfig { size: 64, dim: 16, unfilled: Unfilled::Keep, seed: 5 };
    assert_eq!(read(config.init(&Device::flex()).unwrap().rows()), rows);
    let other = KeyQueueConfig { seed: 6, ..config };
    assert_ne!(read(other.init(&Device::flex()).unwrap().rows()), rows);
}

#[test]
fn initial_rows_are_negatives_only_where_kept() {
    let kept = queue(6, 2, Unfilled::Keep);
    assert_eq!(kept.negatives().dims(), [6, 2]);
    assert_eq!(kept.enqueue(keys(1, 2)).unwrap().negatives().dims(), [6, 2]);
    let masked = queue(6, 2, Unfilled::Mask);
    assert_eq!(masked.negatives().dims(), [0, 2]);
    assert_eq!(masked.enqueue(keys(1, 2)).unwrap().negatives().dims(), [2, 2]);
}

/// A library drops the end of a batch that does not fit before the end of the memory.
#[test]
fn a_batch_that_wraps_loses_nothing() {
    let queue = queue(5, 2, Unfilled::Keep).enqueue(keys(1, 3)).unwrap().enqueue(keys(4, 4)).unwrap();
    let rows: Vec<f64> = read(queue.rows()).chunks(2).map(|row| row[0]).collect();
    assert_eq!(rows, [6.0, 7.0, 3.0, 4.0, 5.0]);
    assert_eq!((queue.pointer(), queue.filled()), (2, 5));
}

#[test]
fn reading_does_not_enqueue_and_what_was_read_does_not_change() {
    let queue = queue(4, 2, Unfilled::Keep).enqueue(keys(1, 4)).unwrap();
    let before = queue.negatives();
    let values = read(before.clone());
    assert_eq!((queue.pointer(), queue.filled()), (0, 4));
    let after = queue.clone().enqueue(keys(9, 2)).unwrap();
    assert_eq!(read(before), values);
    assert_ne!(read(after.rows()), values);
    assert_eq!(read(queue.rows()), values, "a clone is another queue");
}

#[test]
fn the_record_holds_rows_pointer_and_filled_count() {
    let queue = queue(5, 2, Unfilled::Mask).enqueue(keys(1, 3)).unwrap();
    let bytes = queue.clone().into_record().into_bytes().unwrap();
    let other = KeyQueueConfig { size: 5, dim: 2, unfilled: Unfilled::Mask, seed: 99 }.init(&Device::flex()).unwrap();
    let loaded = other.load_record(ModuleRecord::from_bytes(bytes).unwrap());
    assert_eq!((loaded.pointer(), loaded.filled()), (3, 3));
    assert_eq!(tensors(&loaded), tensors(&queue));
    let (one, two) = (queue.enqueue(keys(4, 4)).unwrap(), loaded.enqueue(keys(4, 4)).unwrap());
    assert_eq!(tensors(&one), tensors(&two));
}

#[test]
fn survives_modes_and_freezing_without_becoming_learnable() {
    let device = Device::flex().autodiff();
    let queue = KeyQueueConfig { size: 3, dim: 2, ..KeyQueueConfig::default() }.init(&device).unwrap();
    for queue in [queue.clone().train(), queue.clone().unfreeze(), queue.valid().train()] {
        assert!(!queue.rows().is_autodiff());
        assert_eq!(read(queue.enqueue(keys(1, 3)).unwrap().rows())[0], 1.0);
    }
}

#[test]
fn settings_and_keys_that_do_not_fit_are_refused() {
    let config = KeyQueueConfig { size: 0, ..KeyQueueConfig::default() };
    assert_eq!(config.validate().unwrap_err().to_string(), "queue size is 0: it must be in [1, 2³¹)");
    assert!(KeyQueueConfig { dim: 0, ..KeyQueueConfig::default() }.validate().is_err());
    let full = queue(4, 2, Unfilled::Keep).enqueue(keys(1, 3)).unwrap();
    let (back, error) = full.clone().enqueue(Tensor::ones([2, 3], &Device::flex())).unwrap_err().into_parts();
    assert_eq!(error, ContrastiveError::Dim { found: 3, expected: 2 });
    assert_eq!(back.rows().into_data(), full.rows().into_data());
    assert_eq!((back.pointer(), back.filled()), (full.pointer(), full.filled()));
}

#[test]
fn a_queue_longer_than_the_rest_of_the_data_is_noticed() {
    assert_eq!(KeyQueue::check(96, 128, 32), None);
    let warning = KeyQueue::check(97, 128, 32).unwrap();
    assert_eq!(warning, Warning::QueueHoldsPositives { queue: 97, samples: 128, batch: 32 });
    assert!(warning.to_string().contains("more than 96 samples"), "{warning}");
    assert!(KeyQueue::check(1, 10, 32).is_some(), "a batch larger than the data");
}

/// What [`KeyQueue::check`] says of epochs that each have an order of their own, counted.
#[test]
fn shuffled_epochs_have_own_keys_in_the_queue_below_the_bound_too() {
    // One sample a batch: where each of them is in an epoch.
    let (batches, epochs) = (20, 400);
    let places = |epoch| {
        let mut places = vec![0; batches];
        for (place, sample) in permutation(batches, 5, epoch, Stream::Keys).into_iter().enumerate() {
            places[sample] = place;
        }
        places
    };
    // The share of samples whose key of the epoch before is among the last `queue` batches of keys.
    let share = |queue: usize| {
        let met = |epoch| {
            let pairs = places(epoch).into_iter().zip(places(epoch + 1));
            pairs.filter(|(before, now)| batches + now - before <= queue).count()
        };
        (0..epochs).map(met).sum::<usize>() as f64 / (batches as u64 * epochs) as f64
    };
    for queue in [4, 8, 19, 20] {
        let expected = (queue * (queue + 1)) as f64 / (2 * batches * batches) as f64;
        // 8,000 samples: a deviation of 0.006 at most, three of them.
        assert!((share(queue) - expected).abs() < 0.018, "{queue}: {} and {expected}", share(queue));
    }
    assert_eq!(share(2 * batches - 1), 1.0, "all meet theirs from two epochs of keys on");
    let (k, n): (f64, f64) = (4096.0 / 128.0, 78.0);
    assert!((k * (k + 1.0) / (2.0 * n * n) - 0.087).abs() < 0.0005, "the documented number");
}
