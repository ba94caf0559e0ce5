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

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::nn::{BatchNorm, BatchNormConfig, Dropout, DropoutConfig, Linear, LinearConfig};
use burn::tensor::{Device, Int, Tensor, TensorData};

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

/// A batch of two or more rows for [`Network`].
fn batch(seed: u32, device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(numbers(seed, 15), [5, 3]), device)
}

/// The module with other numbers in every float tensor but running statistics, which a fresh module has at 0 and 1.
fn fill<M: Module>(module: M, seed: u32) -> M {
    struct Fill {
        seed: u32,
        path: Vec<String>,
    }
    impl ModuleMapper for Fill {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.push(name.to_owned());
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.pop();
        }
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            if self.path.last().is_some_and(|name| name.starts_with("running_")) {
                return param;
            }
            self.seed += 1;
            let shape = param.val().shape();
            let data = TensorData::new(numbers(self.seed, shape.num_elements()), shape);
            let new = Tensor::from_data(data, &param.val().device());
            let gradient = param.is_require_grad();
            param.map(|_| if gradient { new.require_grad() } else { new })
        }
    }
    module.map(&mut Fill { seed: seed.wrapping_mul(1000), path: Vec::new() })
}

/// Every tensor of a module by path, as f64, in the order of a traversal.
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
            let values = param.val().into_data().try_into_vec_as::<f64>().unwrap();
            self.found.push((self.path.join("."), values));
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
