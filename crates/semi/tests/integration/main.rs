//! Integration tests.

// A test stops at the first thing that is not as it should be.
#![allow(clippy::unwrap_used)]

#[cfg(feature = "train")]
mod burn_train;
mod costs;
mod gradients;
mod ict;
mod learning;
mod models;
mod objective;
mod pi_model;
mod pseudo;
mod pseudo_fixture;
mod resume;
mod sampling;
mod selection;
mod temporal;
mod training_fixture;

use burn::module::Module;
use burn::nn::{BatchNorm, BatchNormConfig, Dropout, DropoutConfig, Initializer, Linear, LinearConfig};
use burn::optim::momentum::MomentumConfig;
use burn::optim::{GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use slowburn_semi::{Logits, Losses, Predict, SemiBatch, SemiSupervised, Teacher};
use slowburn_testkit::{farthest, matrix, numbers, read, scalar, seeded, set, tensors};

const INPUT: usize = 4;
const HIDDEN: usize = 6;
const CLASSES: usize = 3;

/// A network with all that a method must take care of: running statistics, dropout, a second head.
#[derive(Module, Debug)]
struct Network {
    first: Linear,
    norm: BatchNorm,
    dropout: Dropout,
    head: Linear,
    second: Option<Linear>,
}

impl Network {
    fn new(seed: u32, inputs: usize, dropout: f64, two_heads: bool, device: &Device) -> Self {
        // Zeros, so that no random number is drawn here: see `seeded`.
        let linear = |from, to, bias| {
            LinearConfig::new(from, to).with_bias(bias).with_initializer(Initializer::Zeros).init(device)
        };
        let network = Self {
            first: linear(inputs, HIDDEN, false),
            norm: BatchNormConfig::new(HIDDEN).init(device),
            dropout: DropoutConfig::new(dropout).init(),
            head: linear(HIDDEN, CLASSES, true),
            second: two_heads.then(|| linear(HIDDEN, CLASSES, true)),
        };
        set(network, |path, length| {
            let number = path.bytes().fold(seed, |hash, byte| hash.wrapping_mul(31).wrapping_add(u32::from(byte)));
            match path.rsplit('.').next() {
                Some("running_mean" | "running_var") => None,
                Some("gamma") => Some(numbers(number, length).iter().map(|n| 1.0 + 0.2 * n).collect()),
                _ => Some(numbers(number, length)),
            }
        })
    }

    /// Four inputs, one head, no dropout.
    fn plain(seed: u32, device: &Device) -> Self {
        Self::new(seed, INPUT, 0.0, false, device)
    }
}

impl Predict for Network {
    type Input = Tensor<2>;

    fn predict(&self, input: Tensor<2>) -> Logits {
        let hidden = self.dropout.forward(relu(self.norm.forward(self.first.forward(input))));
        Logits {
            class: self.head.forward(hidden.clone()),
            consistency: self.second.as_ref().map(|second| second.forward(hidden)),
        }
    }
}

/// Eight samples of two views, three of them with a label.
fn batch(seed: u32, device: &Device) -> SemiBatch<Tensor<2>> {
    SemiBatch {
        student: matrix(numbers(2 * seed, 8 * INPUT), INPUT, device),
        teacher: matrix(numbers(2 * seed + 1, 8 * INPUT), INPUT, device),
        labels: vec![Some(0), None, Some(2), None, None, Some(1), None, None],
        samples: (0..8).map(|sample| (sample + seed as usize * 3) % 16).collect(),
    }
}

/// Momentum and weight decay: an optimizer with a state, and one that moves what it should not see.
fn optimizer() -> ModuleOptimizer {
    SgdConfig::new()
        .with_momentum(Some(MomentumConfig::new().with_dampening(0.0).with_nesterov(true)))
        .with_weight_decay(Some(burn::optim::decay::WeightDecayConfig::new(0.01)))
        .init()
}

/// One whole step.
fn step<T: Teacher<Network>>(
    method: SemiSupervised<Network, T>,
    optimizer: &mut ModuleOptimizer,
    rate: f64,
    batch: SemiBatch<Tensor<2>>,
) -> (SemiSupervised<Network, T>, Losses) {
    let losses = method.losses(batch).unwrap();
    let gradients = GradientsParams::from_grads(losses.total.backward(), &method.student);
    (method.optimize(optimizer, rate, gradients).unwrap(), losses)
}

/// The head's weights after a step with each of these batches.
fn head_after<T: Teacher<Network>>(
    mut method: SemiSupervised<Network, T>,
    seeds: impl IntoIterator<Item = u32>,
    device: &Device,
) -> Vec<f64> {
    let mut optimizer = optimizer();
    for seed in seeds {
        method = step(method, &mut optimizer, 0.1, batch(seed, device)).0;
    }
    read(method.student.head.weight.val())
}

/// Fails if two trainings ended at the same weights.
#[track_caller]
fn assert_elsewhere(a: &[f64], b: &[f64], what: &str) {
    let difference = farthest(a, b);
    assert!(difference > 1e-3, "{what}: {difference}");
}

/// Fails unless every number is within `relative` of the largest expected one.
#[track_caller]
fn assert_close(ours: &[f64], expected: &[f64], relative: f64, what: &str) {
    assert_eq!(ours.len(), expected.len(), "{what}");
    let scale = expected.iter().fold(0.0f64, |scale, value| scale.max(value.abs()));
    for (index, (a, b)) in ours.iter().zip(expected).enumerate() {
        assert!((a - b).abs() <= relative * scale, "{what}, at {index}: {a} instead of {b}");
    }
}
