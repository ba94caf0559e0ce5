//! What Burn and burn-onnx do that the export relies on, or works around: a later version that does otherwise is noticed here.

use burn::module::Module;
use burn::nn::conv::{ConvTranspose2d, ConvTranspose2dConfig};
use burn::nn::interpolate::Interpolate2dConfig;
use burn::nn::pool::AvgPool2dConfig;
use burn::nn::{BatchNorm, BatchNormConfig, DropoutConfig, GroupNorm, GroupNormConfig, LayerNorm, LayerNormConfig};
use burn::tensor::activation::{gelu, leaky_relu, silu, softmax, tanh};
use burn::tensor::{Device, Int, Tensor};
use burn_onnx::export::{AxisSpec, ExportError, InputSpec, OnnxExporter};
use slowburn_layers::{ComputePath, fast_path};

type Forward = Box<dyn Fn(Tensor<4>) -> Tensor<4>>;

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

/// The documentation of the module `onnx` lists them.
#[test]
fn operations_that_are_known() {
    let device = Device::flex();
    let indices = || Tensor::<1, Int>::from_ints([1, 0], &Device::flex());
    let known: Vec<(&str, Forward)> = vec![
        ("silu", Box::new(silu)),
        ("tanh", Box::new(tanh)),
        ("arithmetic", Box::new(|x| (x.clone() * 2.0 - 1.0) / (x + 3.0))),
        ("powers", Box::new(|x| x.powi_scalar(2).sqrt().exp().log().neg().abs())),
        ("matmul", Box::new(|x| x.clone().matmul(x))),
        ("sum", Box::new(|x| x.sum_dim(1))),
        ("maximum", Box::new(|x| x.max_dim_with_indices(1).0)),
        ("minimum", Box::new(|x| x.min_dim_with_indices(1).0)),
        ("shapes", Box::new(|x| x.flatten::<3>(2, 3).unsqueeze_dim(3))),
        ("cat", Box::new(|x| Tensor::cat(vec![x.clone(), x], 1))),
        ("pad", Box::new(|x| x.pad((1, 1, 1, 1), 0.0))),
        ("pools", Box::new(|x| AvgPool2dConfig::new([2, 2]).init().forward(x))),
        ("size", Box::new(|x| Interpolate2dConfig::new().with_output_size(Some([8, 8])).init().forward(x))),
        ("dropout", Box::new(|x| DropoutConfig::new(0.5).init().forward(x))),
        ("select", Box::new(move |x| x.clone().select(1, indices().to_device(&x.device())))),
    ];
    for (name, forward) in known {
        let norm = BatchNormConfig::new(2).init(&device);
        let images = |batch| Tensor::<4>::zeros([batch, 2, 4, 4], &device);
        let axes = [AxisSpec::dynamic("batch"), AxisSpec::Static, AxisSpec::Static, AxisSpec::Static];
        let exported = OnnxExporter::new().export_dynamic(&norm, images(2), images(3), &[InputSpec::new(axes)], {
            |norm: &BatchNorm, input| forward(norm.forward(input))
        });
        assert!(exported.is_ok(), "{name}: {exported:?}");
    }
    assert!(export(|x| x.argmax(1).float()).is_err(), "a conversion is refused, but not what is converted");
}

#[test]
fn operations_that_nothing_stands_for() {
    for (name, forward) in [
        ("Gelu", gelu as fn(Tensor<4>) -> Tensor<4>),
        ("Clamp", |x| x.clamp(0.0, 6.0)),
        ("Recip", |x| x.recip()),
        ("Permute", |x| x.permute([0, 2, 3, 1])),
        ("RepeatDim", |x| x.repeat_dim(1, 2)),
    ] {
        let error = export(forward).unwrap_err();
        assert!(matches!(&error, ExportError::UnsupportedOperation { kind, .. } if kind.contains(name)), "{error}");
    }
    let device = Device::flex();
    let input = || Tensor::<4>::zeros([3, 2, 4, 4], &device);
    let layer = LayerNormConfig::new(4).init(&device);
    assert!(OnnxExporter::new().export(&layer, input(), |layer: &LayerNorm, input| layer.forward(input)).is_err());
    let group = GroupNormConfig::new(1, 2).init(&device);
    assert!(OnnxExporter::new().export(&group, input(), |group: &GroupNorm, input| group.forward(input)).is_err());
    let conv = ConvTranspose2dConfig::new([2, 2], [3, 3]).init(&device);
    assert!(OnnxExporter::new().export(&conv, input(), |conv: &ConvTranspose2d, input| conv.forward(input)).is_err());
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
