//! The loss against a queue with its gradient, beside its two matrix products as Burn's backend does them.

// The harness makes public functions of its own.
#![allow(missing_docs)]

use burn::tensor::{Device, Tensor};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use slowburn_benches::{CONTRASTS, Contrasted, unit_rows};

fn losses(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("info_nce");
    let device = Device::flex();
    for (_, n, count) in CONTRASTS {
        let inputs = Contrasted::new(n, count);
        let id = format!("{n}x{count}");
        group.bench_function(BenchmarkId::new("forward and backward", &id), |bencher| {
            bencher.iter(|| inputs.gradient());
        });
        let (queries, keys) = (unit_rows(n, 1, &device), unit_rows(count, 2, &device));
        let weights = Tensor::<2>::ones([n, count], &device);
        group.bench_function(BenchmarkId::new("two matrix products", &id), |bencher| {
            bencher.iter(|| (queries.clone().matmul(keys.clone().transpose()), weights.clone().matmul(keys.clone())));
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
