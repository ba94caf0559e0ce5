//! One update of the average of a network's weights, beside a pass of copying over as much memory.

// The harness makes public functions of its own.
#![allow(missing_docs)]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use slowburn_benches::{average, student};
use slowburn_models::ResNetConfig;

fn updates(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("average");
    for (name, config, weights) in
        [("resnet18", ResNetConfig::resnet18(), 11_176_512), ("resnet50", ResNetConfig::resnet50(), 23_508_032)]
    {
        group.throughput(Throughput::Elements(weights as u64));
        let student = student(&config).expect("valid");
        let mut ema = Some(average(&config).expect("valid"));
        group.bench_function(BenchmarkId::new("update", name), |bencher| {
            bencher.iter(|| ema = ema.take().map(|ema| ema.update(&student).expect("the same network")));
        });
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
