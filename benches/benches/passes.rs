//! Passes through the networks of both papers: forward without gradient, and forward and backward.

// The harness makes public functions of its own.
#![allow(missing_docs)]

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use slowburn_benches::backend;
use slowburn_benches::work::passes::{Network, Pass};

fn passes(criterion: &mut Criterion) {
    let backend = backend::first().expect("a backend is built in");
    for network in [Network::ResNet18Cifar, Network::ConvNet13] {
        let batch = network.batches(&backend)[0];
        let mut group = criterion.benchmark_group(network.name());
        group.throughput(Throughput::Elements(batch as u64));
        for (pass, name) in Pass::ALL.into_iter().zip(["forward", "forward and backward"]) {
            let mut run = pass.run(network, batch, &backend.device).expect("valid");
            group.bench_function(BenchmarkId::new(name, batch), |bencher| bencher.iter(|| run().expect("it runs")));
        }
        group.finish();
    }
}

criterion_group! {
    name = networks;
    config = Criterion::default().sample_size(10).warm_up_time(Duration::from_secs(1));
    targets = passes
}
criterion_main!(networks);
