//! What Burn and burn-onnx do that the export relies on, or works around: a later version that does otherwise is noticed here.

use burn::module::Module;
use burn::nn::{BatchNorm, BatchNormConfig};
use burn::tensor::activation::{leaky_relu, softmax};
use burn::tensor::{Device, Tensor};
use burn_onnx::export::{ExportError, OnnxExporter};
use slowburn_layers::{ComputePath, fast_path};

fn export(forward: impl Fn(Tensor<4>) -> Tensor<4>) -> Result<(), ExportError> {
    let device = Device::flex();
    let norm = BatchNormConfig::new(2).init(&device);
    let input = Tensor::zeros([3, 2, 4, 4], &device);
    OnnxExporter::new().export(&norm, input, |norm: &BatchNorm, input| forward(norm.forward(input))).map(drop)
}

#[test]
fn the_recording_device_takes_burns_operations() {
    assert_eq!(fast_path(&Device::flex()), ComputePath::Kernels);
    assert_eq!(fast_path(&Device::capture()), ComputePath::Burn);
}

/// Layers record others in their place, and the export adds the softmax itself.
#[test]
fn some_operations_are_refused() {
    assert_eq!(export(|x| x), Ok(()));
    let refused = |forward: fn(Tensor<4>) -> Tensor<4>, name: &str| {
        let error = export(forward).unwrap_err();
        assert!(matches!(&error, ExportError::UnsupportedOperation { kind, .. } if kind.contains(name)), "{error}");
    };
    refused(|x| leaky_relu(x, 0.1), "LeakyRelu");
    refused(|x| softmax(x, 1), "Softmax");
    refused(|x| x.mean_dim(2), "MeanDim");
    refused(|x| x.sum_dims(&[2, 3]), "SumDims");
}

/// Why a copy of the running statistics is exported, and not they.
#[test]
fn the_exporter_moves_the_statistics_of_what_it_is_given() {
    let device = Device::flex();
    let norm = BatchNormConfig::new(2).init(&device);
    let input = Tensor::<4>::zeros([3, 2, 4, 4], &device);
    OnnxExporter::new().export(&norm, input, |norm: &BatchNorm, input| norm.forward(input)).unwrap();
    assert_ne!(norm.running_mean.value().device(), device);
    assert_eq!(norm.gamma.val().device(), device);
}

#[test]
fn a_copy_for_evaluation_has_its_own_statistics() {
    let device = Device::flex();
    let norm = BatchNormConfig::new(2).init(&device);
    drop(norm.valid().to_device(&Device::flex().autodiff()));
    assert_eq!(norm.running_mean.value().device(), device);
}

#[test]
#[should_panic(expected = "Cannot move a tensor to a capture device with autodiff enabled")]
fn a_network_on_autodiff_cannot_be_recorded() {
    let device = Device::flex().autodiff();
    let norm = BatchNormConfig::new(2).init(&device);
    let input = Tensor::<4>::zeros([3, 2, 4, 4], &device);
    drop(OnnxExporter::new().export(&norm, input, |norm: &BatchNorm, input| norm.forward(input)));
}
