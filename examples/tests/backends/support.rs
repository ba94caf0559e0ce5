//! Backends, numbers and comparisons.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor, TensorData};
use slowburn::device;

/// The backends of this program but the one that the others are compared with; only that in the variable
/// `SLOWBURN_BACKEND`, where it is set.
pub(crate) fn others() -> Vec<(&'static str, Device)> {
    let only = std::env::var("SLOWBURN_BACKEND").ok();
    let wanted = |name: &str| only.as_deref().is_none_or(|only| only == name);
    #[allow(deprecated)] // Burn deprecates the backend; it stays available and tested here
    let mut others = if wanted("ndarray") { vec![("ndarray", Device::ndarray())] } else { vec![] };
    // What the program calls by the same name is the same.
    for name in device::built_in() {
        if wanted(name) && !["flex", "ndarray"].contains(&name) {
            others.push((name, device::parse(name).unwrap_or_else(|error| panic!("{name}: {error}"))));
        }
    }
    assert!(!others.is_empty(), "SLOWBURN_BACKEND names none of this program's backends");
    others
}

/// Numbers in (−1, 1) that differ by `seed`, of any shape.
pub(crate) fn numbers<const D: usize>(seed: u32, shape: [usize; D], device: &Device) -> Tensor<D> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12_345);
    let mut number = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| number()).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// What a product of matrices on this backend may be off by, relative to its largest terms: Burn's tuner takes CUDA's tensor
/// cores for f32, which read 11 bits of each number (TF32); the others compute in f32.
pub(crate) fn product_rounding(name: &str) -> f64 {
    if name == "cuda" { 2f64.powi(-11) } else { 2f64.powi(-24) }
}

/// A tensor's values.
pub(crate) fn read<const D: usize>(tensor: &Tensor<D>) -> Vec<f64> {
    tensor.to_data().try_into_vec_as::<f64>().unwrap()
}

/// All float tensors of a module, running statistics included, in the order of a traversal.
pub(crate) fn values<M: Module>(module: &M) -> Vec<Vec<f64>> {
    struct All(Vec<Vec<f64>>);
    impl ModuleVisitor for All {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.push(read(&param.val()));
        }
    }
    let mut all = All(Vec::new());
    module.visit(&mut all);
    all.0
}

/// The module with weights that depend on `seed` alone, and not on the backend's generator.
pub(crate) fn filled<M: Module>(module: M, seed: u32) -> M {
    struct Fill(u32);
    impl ModuleMapper for Fill {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            self.0 += 1;
            let (shape, gradient) = (param.val().dims(), param.is_require_grad());
            // Running variances must be positive, and deep networks want weights of the size of their fan-in.
            let fan_in = shape[1..].iter().product::<usize>().max(1) as f64;
            let new = match D {
                1 => numbers(self.0, shape, &param.val().device()).mul_scalar(0.1) + 1.0,
                _ => numbers(self.0, shape, &param.val().device()).mul_scalar(fan_in.sqrt().recip()),
            };
            param.map(|_| if gradient { new.require_grad() } else { new })
        }
    }
    module.map(&mut Fill(seed.wrapping_mul(1000)))
}

/// Fails unless all numbers are within `relative` of the largest expected one.
#[track_caller]
pub(crate) fn assert_close(what: &str, ours: &[f64], expected: &[f64], relative: f64) {
    assert_eq!(ours.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(0f64, |largest, value| largest.max(value.abs()));
    for (index, (a, b)) in ours.iter().zip(expected).enumerate() {
        // In this form NaN fails.
        let close = (a - b).abs() <= relative * largest + 1e-30;
        assert!(close, "{what}: {a} instead of {b} at {index}, where the largest is {largest}");
    }
}

/// The same for every tensor of a module.
#[track_caller]
pub(crate) fn assert_all_close(what: &str, ours: &[Vec<f64>], expected: &[Vec<f64>], relative: f64) {
    assert_eq!(ours.len(), expected.len(), "{what}");
    for (index, (ours, expected)) in ours.iter().zip(expected).enumerate() {
        assert_close(&format!("{what}, tensor {index}"), ours, expected, relative);
    }
}
