//! Integration tests.

// A test stops at the first thing that is not as it should be.
#![allow(clippy::unwrap_used)]

mod buffers;
mod burn_facts;
mod closed_forms;
mod detached;
mod errors;
mod fixture;
mod kernel;
mod narrow;
mod oracle;
mod paths;
mod record;
mod state_matrix;

use burn::module::Module;
use burn::nn::{BatchNorm, BatchNormConfig, Dropout, DropoutConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor, TensorData};
use slowburn_testkit::{numbers, set, tensors};

/// A network with all that an average must take care of: weights, running statistics, dropout.
#[derive(Module, Debug)]
struct Network {
    first: Linear,
    norm: BatchNorm,
    dropout: Dropout,
    last: Linear,
}

impl Network {
    /// Weights that differ by `seed`, without any random number: tests run at the same time and share one generator.
    fn new(seed: u32, device: &Device) -> Self {
        let network = Self {
            first: LinearConfig::new(3, 4).init(device),
            norm: BatchNormConfig::new(4).init(device),
            dropout: DropoutConfig::new(0.5).init(),
            last: LinearConfig::new(4, 2).init(device),
        };
        fill(network, seed)
    }

    fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        let hidden = self.norm.forward(self.first.forward(input));
        self.last.forward(self.dropout.forward(hidden))
    }
}

/// A batch of two or more rows for [`Network`].
fn batch(seed: u32, device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(numbers(seed, 15), [5, 3]), device)
}

/// The module with other numbers in every float tensor but running statistics, which a fresh module has at 0 and 1.
fn fill<M: Module>(module: M, seed: u32) -> M {
    let mut seed = seed.wrapping_mul(1000);
    set(module, |path, length| {
        if path.rsplit('.').next().is_some_and(|name| name.starts_with("running_")) {
            return None;
        }
        seed += 1;
        Some(numbers(seed, length))
    })
}

/// The tensor at a path.
fn tensor<M: Module>(module: &M, path: &str) -> Vec<f64> {
    let found = tensors(module);
    let names: Vec<&String> = found.iter().map(|(name, _)| name).collect();
    found.iter().find(|(name, _)| name == path).unwrap_or_else(|| panic!("no {path} in {names:?}")).1.clone()
}

/// Fails unless all numbers are within `relative` of the larger of 1 and the expected one.
#[track_caller]
fn assert_close(ours: &[f64], expected: &[f64], relative: f64) {
    assert_eq!(ours.len(), expected.len());
    for (index, (a, b)) in ours.iter().zip(expected).enumerate() {
        assert!((a - b).abs() <= relative * b.abs().max(1.0), "at {index}: {a} instead of {b}");
    }
}
