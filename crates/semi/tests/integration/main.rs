//! Integration tests.

// A test stops at the first thing that is not as it should be.
#![allow(clippy::unwrap_used)]

#[cfg(feature = "train")]
mod burn_train;
mod costs;
mod gradients;
mod learning;
mod models;
mod objective;
mod pi_model;
mod resume;
mod sampling;
mod temporal;
mod training_fixture;

use std::sync::{Mutex, PoisonError};

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::nn::{BatchNorm, BatchNormConfig, Dropout, DropoutConfig, Initializer, Linear, LinearConfig};
use burn::optim::momentum::MomentumConfig;
use burn::optim::{GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Int, Tensor, TensorData};
use slowburn_semi::{Logits, Losses, Predict, SemiBatch, SemiSupervised, Teacher};

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

/// `n` numbers in (−1, 1) that differ by `seed`.
fn numbers(seed: u32, n: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12_345);
    (0..n)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect()
}

fn matrix(values: Vec<f32>, columns: usize, device: &Device) -> Tensor<2> {
    let rows = values.len() / columns;
    Tensor::from_data(TensorData::new(values, [rows, columns]), device)
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

/// Runs `f` with the random numbers of this seed. Burn's CPU backend has one generator for all threads: whatever draws
/// numbers in these tests does so in here.
fn seeded<R>(seed: u64, f: impl FnOnce() -> R) -> R {
    static GENERATOR: Mutex<()> = Mutex::new(());
    let _held = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
    Device::flex().seed(seed);
    f()
}

/// The module with the numbers that `values` gives for a path and a length.
fn set<M: Module>(module: M, values: impl Fn(&str, usize) -> Option<Vec<f32>>) -> M {
    struct Set<F> {
        values: F,
        path: Vec<String>,
    }
    impl<F: Fn(&str, usize) -> Option<Vec<f32>>> ModuleMapper for Set<F> {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.push(name.to_owned());
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.pop();
        }
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let old = param.val();
            let Some(values) = (self.values)(&self.path.join("."), old.shape().num_elements()) else {
                return param;
            };
            let new = Tensor::from_data(TensorData::new(values, old.shape()), &old.device());
            let gradient = param.is_require_grad();
            param.map(|_| if gradient { new.require_grad() } else { new })
        }
    }
    module.map(&mut Set { values, path: Vec::new() })
}

/// Every tensor of a module by path, in the order of a traversal.
fn tensors<M: Module>(module: &M) -> Vec<(String, Vec<f64>)> {
    #[derive(Default)]
    struct All {
        path: Vec<String>,
        found: Vec<(String, Vec<f64>)>,
    }
    impl ModuleVisitor for All {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.push(name.to_owned());
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.found.push((self.path.join("."), read(param.val())));
        }
        fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<D, Int>>) {
            let values = param.val().into_data().try_into_vec_as::<f64>().unwrap();
            self.found.push((self.path.join("."), values));
        }
    }
    let mut all = All::default();
    module.visit(&mut all);
    all.found
}

fn read<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().try_into_vec_as::<f64>().unwrap()
}

fn scalar(tensor: &Tensor<1>) -> f64 {
    read(tensor.clone())[0]
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
