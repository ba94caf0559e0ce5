//! Passes through the networks of both papers: forward without gradient, and forward and backward.

// The harness makes public functions of its own.
#![allow(missing_docs)]

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use slowburn_benches::backend;
use slowburn_benches::work::passes::{Network, forward, forward_backward};
use slowburn_benches::work::steps::batch;

fn passes(criterion: &mut Criterion) {
    let backend = backend::first().expect("a backend is built in");
    let (device, batch) = (&backend.device, batch(&backend));
    for network in Network::ALL {
        let mut group = criterion.benchmark_group(network.name());
        group.throughput(Throughput::Elements(batch as u64));
        let mut ahead = forward(network, batch, device).expect("valid");
        group.bench_function(BenchmarkId::new("forward", batch), |bencher| bencher.iter(|| ahead().expect("it runs")));
        drop(ahead);
        let mut both = forward_backward(network, batch, device).expect("valid");
        group.bench_function(BenchmarkId::new("forward and backward", batch), |bencher| {
            bencher.iter(|| both().expect("it runs"))
        });
        group.finish();
    }
}

criterion_group! {
    name = networks;
    config = Criterion::default().sample_size(10).warm_up_time(Duration::from_secs(1));
    targets = passes
}
criterion_main!(networks);
