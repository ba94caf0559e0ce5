//! One update of the average of a network's weights, beside a copy of as much memory on one thread.

// The harness makes public functions of its own.
#![allow(missing_docs)]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use slowburn_benches::{backend, work};
use slowburn_models::ResNetConfig;

fn updates(criterion: &mut Criterion) {
    let device = backend::first().expect("a backend is built in").device;
    let mut group = criterion.benchmark_group("average");
    for (name, config) in [("resnet18", ResNetConfig::resnet18()), ("resnet50", ResNetConfig::resnet50())] {
        let (mut update, weights) = work::average::update(&config, &device).expect("valid");
        group.throughput(Throughput::Elements(weights as u64));
        group.bench_function(BenchmarkId::new("update", name), |bencher| bencher.iter(|| update().expect("it runs")));
        let (from, mut to) = (vec![1f32; weights], vec![0f32; weights]);
        group.bench_function(BenchmarkId::new("copy on one thread", name), |bencher| {
            bencher.iter(|| black_box(&mut to).copy_from_slice(black_box(&from)));
        });
    }
    group.finish();
}

criterion_group! {
    name = averages;
    config = Criterion::default().sample_size(20);
    targets = updates
}
criterion_main!(averages);
