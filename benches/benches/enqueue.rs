//! A batch of keys into queues of several sizes, in use as in a step: it must cost the same in each.

// The harness makes public functions of its own.
#![allow(missing_docs)]

use burn::tensor::Device;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use slowburn_benches::unit_rows;
use slowburn_contrastive::KeyQueueConfig;

fn enqueue(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("enqueue");
    let device = Device::flex();
    for size in [4096, 16_384, 65_536, 262_144] {
        let config = KeyQueueConfig { size, ..KeyQueueConfig::default() };
        let mut queue = Some(config.init(&device).expect("valid"));
        let keys = unit_rows(256, 1, &device);
        group.bench_function(BenchmarkId::new("256 keys", size), |bencher| {
            bencher.iter(|| queue = queue.take().map(|queue| queue.enqueue(keys.clone()).expect("as long")));
        });
    }
    group.finish();
}

criterion_group! {
    name = queues;
    config = Criterion::default().sample_size(20);
    targets = enqueue
}
criterion_main!(queues);
