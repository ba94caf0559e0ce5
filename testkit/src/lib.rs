//! What the tests of several crates need: numbers without a generator, every tensor of a module, numbers of a tensor.

#[cfg(doctest)]
mod book;

use std::sync::{Mutex, MutexGuard, PoisonError};

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Device, Int, Tensor, TensorData};

/// `n` numbers in (−1, 1) that differ by `seed`, without the generator that tests at the same time share.
pub fn numbers(seed: u32, n: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12_345);
    let draw = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..n).map(draw).collect()
}

/// [`numbers`] in this shape.
pub fn data<const D: usize>(seed: u32, shape: [usize; D]) -> TensorData {
    TensorData::new(numbers(seed, shape.iter().product()), shape)
}

/// [`numbers`] in this shape, on a device, as a constant.
pub fn tensor<const D: usize>(seed: u32, shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(data(seed, shape), device)
}

/// Values in rows of `columns`.
pub fn matrix(values: Vec<f32>, columns: usize, device: &Device) -> Tensor<2> {
    let rows = values.len() / columns;
    Tensor::from_data(TensorData::new(values, [rows, columns]), device)
}

/// The values of a tensor.
pub fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

/// The values of a tensor, in f64.
pub fn read<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

/// The first value of a tensor.
pub fn scalar(tensor: &Tensor<1>) -> f64 {
    read(tensor.clone())[0]
}

/// The largest difference between numbers at the same place.
pub fn farthest(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

/// Holds Burn's generator: its CPU backend has one for all threads, so whatever draws from it in tests holds it.
pub fn generator() -> MutexGuard<'static, ()> {
    static GENERATOR: Mutex<()> = Mutex::new(());
    GENERATOR.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `f` with the random numbers of this seed, which no other test takes away.
pub fn seeded<R>(seed: u64, f: impl FnOnce() -> R) -> R {
    let _held = generator();
    Device::flex().seed(seed);
    f()
}

/// The path of the parameter that a traversal is at.
#[derive(Default)]
struct Path(Vec<String>);

impl Path {
    fn enter(&mut self, name: &str) {
        self.0.push(name.to_owned());
    }

    fn exit(&mut self) {
        self.0.pop();
    }

    fn joined(&self) -> String {
        self.0.join(".")
    }
}

/// Every tensor of a module by path, as f64, in the order of a traversal. Updates of running statistics that are pending are
/// not seen; those of `module.valid()` are.
pub fn tensors<M: Module>(module: &M) -> Vec<(String, Vec<f64>)> {
    #[derive(Default)]
    struct All {
        path: Path,
        found: Vec<(String, Vec<f64>)>,
    }
    impl ModuleVisitor for All {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.enter(name);
        }

        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.exit();
        }

        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.found.push((self.path.joined(), read(param.val())));
        }

        fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<D, Int>>) {
            self.found.push((self.path.joined(), param.val().into_data().iter::<f64>().collect()));
        }
    }
    let mut all = All::default();
    module.visit(&mut all);
    all.found
}

/// The module with the numbers that `values` gives for a path and a length; a tensor for which it gives none stays.
pub fn set<M: Module>(module: M, values: impl FnMut(&str, usize) -> Option<Vec<f32>>) -> M {
    struct Set<F> {
        values: F,
        path: Path,
    }
    impl<F: FnMut(&str, usize) -> Option<Vec<f32>>> ModuleMapper for Set<F> {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.enter(name);
        }

        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.exit();
        }

        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let old = param.val();
            let Some(values) = (self.values)(&self.path.joined(), old.shape().num_elements()) else {
                return param;
            };
            let new = Tensor::from_data(TensorData::new(values, old.shape()), &old.device());
            let gradient = param.is_require_grad();
            param.map(|_| if gradient { new.require_grad() } else { new })
        }
    }
    module.map(&mut Set { values, path: Path::default() })
}
