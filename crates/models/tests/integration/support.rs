//! Fixtures, comparisons and devices.

use std::path::Path;

use burn::tensor::{Device, Distribution, Tensor, TensorData};
use safetensors::{Dtype, SafeTensors};
use slowburn_models::StateDict;
pub(crate) use slowburn_testkit::values;

pub(crate) fn plain() -> Device {
    Device::flex()
}

pub(crate) fn training() -> Device {
    Device::flex().autodiff()
}

pub(crate) fn images(shape: [usize; 4], device: &Device) -> Tensor<4> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), device)
}

/// One file of `tests/fixtures`, written by `generate.py` there.
pub(crate) struct Fixture {
    entries: StateDict,
}

impl Fixture {
    pub(crate) fn read(name: &str) -> Self {
        let path = fixture_path(&format!("{name}.safetensors"));
        let bytes = std::fs::read(&path).expect("the fixture exists");
        let file = SafeTensors::deserialize(&bytes).expect("the fixture is a safetensors file");
        let entries = file
            .tensors()
            .into_iter()
            .map(|(name, view)| {
                assert_eq!(view.dtype(), Dtype::F32);
                let numbers = view
                    .data()
                    .chunks_exact(4)
                    .map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
                    .collect();
                (name, TensorData::new::<f32, _>(numbers, view.shape().to_vec()))
            })
            .collect();
        Self { entries }
    }

    /// The entries whose names begin with `prefix`, without it.
    pub(crate) fn part(&self, prefix: &str) -> StateDict {
        self.entries
            .iter()
            .filter_map(|(name, data)| Some((name.strip_prefix(prefix)?.to_string(), data.clone())))
            .collect()
    }

    pub(crate) fn data(&self, name: &str) -> TensorData {
        self.entries[name].clone()
    }

    pub(crate) fn tensor<const D: usize>(&self, name: &str, device: &Device) -> Tensor<D> {
        Tensor::from_data(self.data(name), device)
    }
}

pub(crate) fn fixture_path(file: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(file)
}

/// Compares two tensors; `tolerance` is relative to the largest value expected, since a sum of many
/// products of either sign carries an error of its largest terms.
pub(crate) fn assert_close(what: &str, found: &TensorData, expected: &TensorData, tolerance: f32) {
    assert_eq!(found.shape(), expected.shape(), "{what}: shape");
    let expected: Vec<f32> = expected.iter::<f32>().collect();
    let scale = expected.iter().fold(0_f32, |max, value| max.max(value.abs()));
    assert!(scale > 0.0, "{what}: the fixture is all zero");
    for (index, (found, expected)) in found.iter::<f32>().zip(&expected).enumerate() {
        let error = (found - expected).abs() / scale;
        assert!(error <= tolerance, "{what}[{index}]: {found} instead of {expected} (error {error} of {scale})");
    }
}
