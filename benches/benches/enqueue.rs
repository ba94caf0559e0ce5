//! A batch of keys into queues of several sizes, in use as in a step: it must cost the same in each.

// The harness makes public functions of its own.
#![allow(missing_docs)]

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use slowburn_benches::{backend, work};

fn enqueue(criterion: &mut Criterion) {
    let device = backend::first().expect("a backend is built in").device;
    let mut group = criterion.benchmark_group("enqueue");
    for size in [4096, 16_384, 65_536, 262_144] {
        let mut enqueue = work::queue::enqueue(256, size, &device).expect("valid");
        group
            .bench_function(BenchmarkId::new("256 keys", size), |bencher| bencher.iter(|| enqueue().expect("it runs")));
    }
    group.finish();
}

criterion_group! {
    name = queues;
    config = Criterion::default().sample_size(20);
    targets = enqueue
}
criterion_main!(queues);
