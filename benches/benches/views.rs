//! Views on one thread: drawing and applying, by recipe and by operation.

// The harness makes public functions of its own.
#![allow(missing_docs)]

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use slowburn_augment::{Image, Pipeline, presets};
use slowburn_benches::work::images::{key, picture, rgb};

const IMAGES: usize = 64;

/// Draws and applies one view of each picture.
fn run(criterion: &mut Criterion, group: &str, name: &str, pipeline: &Pipeline, (height, width): (usize, usize)) {
    let size = rgb(height, width);
    let pictures: Vec<Vec<u8>> = (0..IMAGES).map(|seed| picture(height, width, seed as u32)).collect();
    let mut out = vec![0.0; pipeline.output_size(size).values()];
    let mut group = criterion.benchmark_group(group);
    group.throughput(Throughput::Elements(IMAGES as u64));
    group.bench_function(BenchmarkId::new(name, format!("{height}x{width}")), |bencher| {
        bencher.iter(|| {
            for (sample, pixels) in pictures.iter().enumerate() {
                let view = pipeline.draw(key(sample, 0), size).expect("valid for this size");
                let image = Image::new(size, pixels).expect("as many bytes");
                pipeline.apply(&view, image, black_box(&mut out)).expect("drawn for it");
            }
        });
    });
    group.finish();
}

fn recipes(criterion: &mut Criterion) {
    for (pipeline, size) in [
        (presets::moco_cifar(32), (32, 32)),
        (presets::mean_teacher_cifar(), (32, 32)),
        (presets::moco_v1(224), (375, 500)),
        (presets::moco_v2(224), (375, 500)),
    ] {
        run(criterion, "recipe", pipeline.name(), &pipeline, size);
    }
}

/// Each operation of MoCo v2 alone, always applied, on a picture that has the view's size already.
fn operations(criterion: &mut Criterion) {
    let recipe = presets::moco_v2(224);
    for operation in recipe.operations() {
        let always = match operation {
            slowburn_augment::Operation::RandomApply { operations, .. } => operations.clone(),
            other => vec![other.clone()],
        };
        let name = always[0].name();
        let size = if name == "RandomResizedCrop" { (375, 500) } else { (224, 224) };
        let pipeline = recipe.clone().with_operations(always).expect("operations of a recipe");
        run(criterion, "operation", name, &pipeline, size);
    }
}

criterion_group! {
    name = views;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = recipes, operations
}
criterion_main!(views);
