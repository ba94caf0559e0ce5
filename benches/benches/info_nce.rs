//! The loss against a queue with its gradient, beside its two matrix products as Burn's backend does them.

// The harness makes public functions of its own.
#![allow(missing_docs)]

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use slowburn_benches::{backend, work::contrast};

fn losses(criterion: &mut Criterion) {
    let device = backend::first().expect("a backend is built in").device;
    let mut group = criterion.benchmark_group("info_nce");
    for (n, count) in contrast::SIZES {
        let id = format!("{n}x{count}");
        let mut loss = contrast::loss(n, count, &device);
        group.bench_function(BenchmarkId::new("forward and backward", &id), |bencher| {
            bencher.iter(|| loss().expect("it runs"))
        });
        let mut products = contrast::products(n, count, &device);
        group.bench_function(BenchmarkId::new("two matrix products", &id), |bencher| {
            bencher.iter(|| products().expect("it runs"))
        });
    }
    group.finish();
}

criterion_group! {
    name = info_nce;
    config = Criterion::default().sample_size(10);
    targets = losses
}
criterion_main!(info_nce);
