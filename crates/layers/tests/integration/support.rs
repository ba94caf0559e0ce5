//! Devices, numbers, and the comparison of two ways to compute the same.

use burn::tensor::{DType, Device, Distribution, Gradients, Tensor, TensorData};
pub(crate) use slowburn_testkit::{data as numbers, tensor as random, values};

pub(crate) fn plain() -> Device {
    Device::flex()
}

pub(crate) fn training() -> Device {
    Device::flex().autodiff()
}

pub(crate) fn images(shape: [usize; 4], device: &Device) -> Tensor<4> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), device)
}

/// The same values without a gradient. (`detach` keeps a leaf's.)
pub(crate) fn constant<const D: usize>(tensor: &Tensor<D>) -> Tensor<D> {
    Tensor::from_data(tensor.to_data(), (&tensor.device(), tensor.dtype()))
}

/// Tensors that have gradients.
#[derive(Debug, Clone)]
pub(crate) struct Leaves {
    pub(crate) maps: Vec<Tensor<4>>,
    pub(crate) vectors: Vec<Tensor<1>>,
}

impl Leaves {
    /// Random maps and vectors of these shapes, of `f32`, on the plain device.
    pub(crate) fn random(maps: &[[usize; 4]], vectors: &[usize]) -> Self {
        let seed = |index: usize, of: u32| of + index as u32;
        let device = plain();
        Self {
            maps: maps.iter().enumerate().map(|(i, shape)| random(seed(i, 10), *shape, &device)).collect(),
            vectors: vectors.iter().enumerate().map(|(i, length)| random(seed(i, 20), [*length], &device)).collect(),
        }
    }

    /// The same values of a type on a device, each to have a gradient if that is an autodiff device.
    pub(crate) fn on(&self, device: &Device, dtype: DType) -> Self {
        let leaf = |data: TensorData| data.convert_dtype(dtype);
        Self {
            maps: self.maps.iter().map(|map| track(Tensor::from_data(leaf(map.to_data()), (device, dtype)))).collect(),
            vectors: self
                .vectors
                .iter()
                .map(|vector| track(Tensor::from_data(leaf(vector.to_data()), (device, dtype))))
                .collect(),
        }
    }

    fn gradients(&self, gradients: &Gradients) -> Vec<Option<Vec<f32>>> {
        let maps = self.maps.iter().map(|map| map.grad(gradients).map(values));
        let vectors = self.vectors.iter().map(|vector| vector.grad(gradients).map(values));
        maps.chain(vectors).collect()
    }
}

fn track<const D: usize>(tensor: Tensor<D>) -> Tensor<D> {
    if tensor.is_autodiff() { tensor.require_grad() } else { tensor }
}

/// An output and the gradients of all leaves.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) shape: Vec<usize>,
    pub(crate) output: Vec<f32>,
    pub(crate) gradients: Vec<Option<Vec<f32>>>,
}

/// Computes something of the leaves, and its gradients for a fixed random gradient of the output.
pub(crate) fn outcome<const D: usize>(leaves: &Leaves, function: impl Fn(&Leaves) -> Tensor<D>) -> Outcome {
    let output = function(leaves);
    let shape: [usize; D] = output.dims();
    let weights = Tensor::from_data(numbers(99, shape), (&output.device(), output.dtype()));
    let gradients = (output.clone() * weights).sum().backward();
    Outcome { shape: shape.to_vec(), output: values(output), gradients: leaves.gradients(&gradients) }
}

/// Holds our way in `f32` against another in `f64`: values and all gradients.
pub(crate) fn assert_same<const D: usize>(
    what: &str,
    leaves: &Leaves,
    ours: impl Fn(&Leaves) -> Tensor<D>,
    theirs: impl Fn(&Leaves) -> Tensor<D>,
) {
    let ours = outcome(&leaves.on(&training(), DType::F32), ours);
    let theirs = outcome(&leaves.on(&training(), DType::F64), theirs);
    assert_alike(what, &ours, &theirs);
}

/// Relative to the largest value expected, since a sum of many products of either sign carries an error of its largest
/// terms; the fastest convolutions leave 1 to 2 millionths of it.
const TOLERANCE: f32 = 1e-5;

pub(crate) fn assert_alike(what: &str, ours: &Outcome, theirs: &Outcome) {
    assert_eq!(ours.shape, theirs.shape, "{what}: shape");
    assert_near(&format!("{what}: output"), &ours.output, &theirs.output);
    for (index, (ours, theirs)) in ours.gradients.iter().zip(&theirs.gradients).enumerate() {
        let what = format!("{what}: gradient {index}");
        match (ours, theirs) {
            (Some(ours), Some(theirs)) => assert_near(&what, ours, theirs),
            (None, None) => {}
            _ => panic!("{what}: only one of the two has it"),
        }
    }
}

pub(crate) fn assert_near(what: &str, ours: &[f32], theirs: &[f32]) {
    assert_eq!(ours.len(), theirs.len(), "{what}: length");
    let largest = theirs.iter().filter(|value| value.is_finite()).fold(0.0_f32, |most, value| most.max(value.abs()));
    for (index, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        let alike = ours == theirs || ours.is_nan() && theirs.is_nan() || (ours - theirs).abs() <= TOLERANCE * largest;
        assert!(alike, "{what}[{index}]: {ours} instead of {theirs}, the largest being {largest}");
    }
}
