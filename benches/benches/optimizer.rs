//! One step of SGD with momentum and weight decay over a ResNet-18: Burn's beside ours, through `ModuleOptimizer`.

// The harness makes public functions of its own.
#![allow(missing_docs)]

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::Tensor;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use slowburn_benches::student;
use slowburn_models::ResNetConfig;

/// Adds the gradient of one weight.
type Register = Box<dyn Fn(&mut GradientsParams)>;

/// A small gradient for every weight, in memory of its own and in the order in which a backward pass leaves it: those
/// of convolutions with their first two axes swapped.
#[derive(Default)]
struct Gradients(Vec<Register>);

impl ModuleVisitor for Gradients {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if !param.is_require_grad() {
            return;
        }
        // Away from 0, where subnormal numbers would be slow.
        let (id, like) = (param.id, param.val().inner());
        let like = if D == 4 { like.swap_dims(0, 1) } else { like };
        self.0.push(Box::new(move |gradients| {
            // Written in the order of its memory; a product, since `full_like` alone may be one number for all.
            let gradient = like.zeros_like() + 1e-3;
            gradients.register(id, if D == 4 { gradient.swap_dims(0, 1) } else { gradient });
        }));
    }
}

impl Gradients {
    fn params(&self) -> GradientsParams {
        let mut gradients = GradientsParams::new();
        self.0.iter().for_each(|register| register(&mut gradients));
        gradients
    }
}

fn burn_sgd() -> ModuleOptimizer {
    burn::optim::SgdConfig::new()
        .with_momentum(Some(MomentumConfig::new().with_momentum(0.9).with_dampening(0.0)))
        .with_weight_decay(Some(WeightDecayConfig::new(1e-4)))
        .init()
}

fn our_sgd() -> ModuleOptimizer {
    slowburn_optim::SgdConfig::new().with_momentum(0.9).with_weight_decay(1e-4).init().expect("valid")
}

fn steps(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("optimizer");
    group.throughput(Throughput::Elements(11_176_512));
    for (name, mut optimizer) in [("burn", burn_sgd()), ("slowburn", our_sgd())] {
        let mut network = Some(student(&ResNetConfig::resnet18()).expect("valid"));
        let mut gradients = Gradients::default();
        network.iter().for_each(|network| network.visit(&mut gradients));
        // The velocity is there before the first measured step.
        network = network.map(|network| optimizer.step(1e-3, network, gradients.params()));
        group.bench_function(BenchmarkId::new(name, "resnet18"), |bencher| {
            bencher.iter_batched(
                || gradients.params(),
                |gradients| network = network.take().map(|network| optimizer.step(1e-3, network, gradients)),
                BatchSize::PerIteration,
            );
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
