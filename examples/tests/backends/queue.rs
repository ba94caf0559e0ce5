//! Keys go in where they should, exactly, and nobody else's memory changes.

use std::time::{Duration, Instant};

use burn::tensor::Device;
use slowburn_contrastive::{KeyQueue, KeyQueueConfig};

use crate::support::{numbers, others, read};

const SIZE: usize = 37;
const DIM: usize = 5;

fn queue(device: &Device) -> KeyQueue {
    KeyQueueConfig { size: SIZE, dim: DIM, ..KeyQueueConfig::default() }.init(device).unwrap()
}

#[test]
fn batches_of_any_size_wrap() {
    for (name, device) in others() {
        let (mut ours, mut expected) = (queue(&device), queue(&Device::flex()));
        for (seed, batch) in [8, 8, 16, 16, 1, 37, 40, 90].into_iter().enumerate() {
            let keys = |device: &Device| numbers(seed as u32, [batch, DIM], device);
            ours = ours.enqueue(keys(&device)).unwrap();
            expected = expected.enqueue(keys(&Device::flex())).unwrap();
            assert_eq!(read(&ours.rows()), read(&expected.rows()), "{name}, batch {batch}");
            assert_eq!((ours.pointer(), ours.filled()), (expected.pointer(), expected.filled()), "{name}");
        }
    }
}

#[test]
fn what_was_read_before_stays_as_it_was() {
    for (name, device) in others() {
        let queue = queue(&device);
        let (negatives, copy) = (queue.negatives(), queue.clone());
        let before = read(&negatives);
        let queue = queue.enqueue(numbers(1, [8, DIM], &device)).unwrap();
        assert_eq!(read(&negatives), before, "{name}");
        assert_eq!(read(&copy.rows()), before, "{name}");
        assert_ne!(read(&queue.rows()), before, "{name}");
    }
}

/// The least of several times that `work` and the device take. What it makes is kept for so long: fusion leaves out what
/// nobody has any more.
fn least<T>(device: &Device, mut work: impl FnMut() -> T) -> Duration {
    let once = |_| {
        let start = Instant::now();
        let made = work();
        device.sync().unwrap();
        let time = start.elapsed();
        drop(made);
        time
    };
    (0..10).map(once).min().unwrap()
}

#[test]
fn a_batch_costs_itself_and_not_the_queue() {
    const LENGTH: usize = 64;
    for (name, device) in others() {
        // 128 MiB, which a GPU fills in the time of a launch; and 1 GiB.
        let size = if ["cuda", "vulkan", "metal"].contains(&name) { 1 << 22 } else { 1 << 19 };
        let config = KeyQueueConfig { size, dim: LENGTH, ..KeyQueueConfig::default() };
        let mut queue = Some(config.init(&device).unwrap());
        let keys = numbers(1, [64, LENGTH], &device);
        let enqueue = least(&device, || queue = Some(queue.take().unwrap().enqueue(keys.clone()).unwrap()));
        let rows = queue.unwrap().rows();
        let copy = least(&device, || rows.clone().add_scalar(1.0));
        println!("{name}: {enqueue:?} for 64 keys, {copy:?} for new memory of all {size}");
        assert!(3 * enqueue < copy, "{name}: {enqueue:?} for 64 keys, {copy:?} for new memory of all {size}");
    }
}
