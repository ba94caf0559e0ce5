//! Full training steps of both methods, from images on the device to new weights.

// The harness makes public functions of its own.
#![allow(missing_docs)]

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use slowburn_benches::backend;
use slowburn_benches::work::steps::{batch, mean_teacher_step, moco_step};

fn steps(criterion: &mut Criterion) {
    let backend = backend::first().expect("a backend is built in");
    let (device, batch) = (&backend.device, batch(&backend));
    let mut group = criterion.benchmark_group("step");
    group.throughput(Throughput::Elements(batch as u64));
    let mut step = mean_teacher_step(batch, device).expect("valid");
    group.bench_function(BenchmarkId::new("mean teacher, conv_net13", batch), |bencher| {
        bencher.iter(|| step().expect("it runs"))
    });
    let mut step = moco_step(batch, device).expect("valid");
    group.bench_function(BenchmarkId::new("moco, resnet18-cifar", batch), |bencher| {
        bencher.iter(|| step().expect("it runs"))
    });
    group.finish();
}

criterion_group! {
    name = methods;
    config = Criterion::default().sample_size(10).warm_up_time(Duration::from_secs(1));
    targets = steps
}
criterion_main!(methods);
