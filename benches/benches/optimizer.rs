//! One step of SGD with momentum and weight decay over a ResNet-18: Burn's beside ours, through `ModuleOptimizer`.

// The harness makes public functions of its own.
#![allow(missing_docs)]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use slowburn_benches::backend::first;
use slowburn_benches::work::networks::RESNET18_WEIGHTS;
use slowburn_benches::work::optimizer::{Sgd, step};

fn steps(criterion: &mut Criterion) {
    let device = first().expect("a backend is built in").device;
    let mut group = criterion.benchmark_group("optimizer");
    group.throughput(Throughput::Elements(RESNET18_WEIGHTS as u64));
    for sgd in Sgd::ALL {
        let mut run = step(sgd, &device).expect("valid");
        group.bench_function(BenchmarkId::new(sgd.name(), "resnet18"), |bencher| {
            bencher.iter(|| run().expect("it runs"))
        });
    }
    group.finish();
}

criterion_group! {
    name = optimizers;
    config = Criterion::default().sample_size(20);
    targets = steps
}
criterion_main!(optimizers);
