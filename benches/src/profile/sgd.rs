//! Where the time of a step of Burn's own SGD goes: its operations, one by one, over the weights of a ResNet-18.

use std::time::Instant;

use anyhow::Result;
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use slowburn_benches::stats::{duration, median};
use slowburn_benches::work::average::student;
use slowburn_benches::work::optimizer::{LEARNING_RATE, MOMENTUM, Sgd, WEIGHT_DECAY, gradients, step};
use slowburn_models::ResNetConfig;

use crate::measure;

/// The operations of burn-optim 0.22.1 in the order of a step, and where each writes.
const OPERATIONS: [&str; 7] = [
    "λ·θ, to new memory: θ is still needed",
    "… + g, in place",
    "(1 − τ)·g, to new memory: g is kept for Nesterov's form",
    "μ·v, in place",
    "… + μ·v, in place",
    "η·v, to new memory: v is kept",
    "θ − η·v, in place",
];

/// The seconds of each operation, added up over the weights.
struct Steps<'a> {
    gradients: &'a GradientsParams,
    device: Device,
    seconds: [f64; OPERATIONS.len()],
}

impl Steps<'_> {
    fn time<T>(&mut self, operation: usize, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let made = work();
        // One that fails does so in the step that is timed as a whole, too.
        let _ = self.device.sync();
        self.seconds[operation] += start.elapsed().as_secs_f64();
        made
    }
}

impl ModuleVisitor for Steps<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some(gradient) = self.gradients.get::<D>(param.id) else { return };
        // Away from 0, where subnormal numbers would be slow.
        let weight = param.val().inner() + 1e-3;
        let velocity = weight.zeros_like() + 1e-3;
        let penalty = self.time(0, || weight.clone().mul_scalar(WEIGHT_DECAY));
        let gradient = self.time(1, || penalty.add(gradient));
        let fresh = self.time(2, || gradient.clone().mul_scalar(1.0));
        let old = self.time(3, || velocity.mul_scalar(MOMENTUM));
        let velocity = self.time(4, || fresh.add(old));
        let delta = self.time(5, || velocity.clone().mul_scalar(LEARNING_RATE));
        drop((self.time(6, || weight.sub(delta)), velocity, gradient));
    }
}

/// A table of the operations, beside whole steps of both optimizers.
pub(super) fn profile(rounds: u32, device: &Device) -> Result<String> {
    let network = student(&ResNetConfig::resnet18(), device)?;
    let gradients = gradients(&network, device);
    let mut seconds = Vec::new();
    for round in 0..=rounds {
        let mut steps = Steps { gradients: &gradients, device: device.clone(), seconds: Default::default() };
        network.visit(&mut steps);
        // The first is slower than the others.
        if round > 0 {
            seconds.push(steps.seconds);
        }
    }
    let mut text =
        "Burn's SGD over a ResNet-18, operation by operation\n\n| Operation | time |\n|---|---|\n".to_owned();
    for (operation, name) in OPERATIONS.iter().enumerate() {
        let each: Vec<f64> = seconds.iter().map(|seconds| seconds[operation]).collect();
        text += &format!("| {name} | {} |\n", duration(median(&each)));
    }
    for sgd in Sgd::ALL {
        let mut run = step(sgd, device)?;
        let seconds = measure::seconds_each(&mut run, rounds, 0.0)?;
        text += &format!("| a whole step, {} | {} |\n", sgd.name(), duration(seconds));
    }
    Ok(text)
}
