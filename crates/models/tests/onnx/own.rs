//! Networks of one's own.

use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{AvgPool2d, AvgPool2dConfig, MaxPool2d, MaxPool2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d, Relu, Sigmoid};
use burn::tensor::{Device, Tensor, TensorData};
use slowburn_layers::{Activation, Maps, global_average_pool};
use slowburn_models::onnx::{Normalise, OnnxOptions, Output, export};

use crate::support::{error, metadata, pixels, run, values, varied};

const IMAGE: [usize; 3] = [3, 12, 12];

/// Layers of Burn alone, among them a convolution in groups, whose batch normalisation is folded too.
#[derive(Module, Debug)]
struct Mine {
    conv: Conv2d,
    norm: BatchNorm,
    relu: Relu,
    deep: Conv2d,
    deep_norm: BatchNorm,
    max: MaxPool2d,
    average: AvgPool2d,
    hidden: Linear,
    sigmoid: Sigmoid,
    /// Called as the graph's output.
    features: Linear,
    scale: Param<Tensor<1>>,
}

impl Mine {
    fn new(device: &Device) -> Self {
        let same = PaddingConfig2d::Explicit(1, 1, 1, 1);
        varied(Self {
            conv: Conv2dConfig::new([3, 6], [3, 3]).with_padding(same.clone()).init(device),
            norm: BatchNormConfig::new(6).init(device),
            relu: Relu::new(),
            deep: Conv2dConfig::new([6, 6], [3, 3]).with_groups(3).with_padding(same).with_bias(false).init(device),
            deep_norm: BatchNormConfig::new(6).init(device),
            max: MaxPool2dConfig::new([2, 2]).init(),
            average: AvgPool2dConfig::new([2, 2]).init(),
            hidden: LinearConfig::new(6 * 3 * 3, 8).init(device),
            sigmoid: Sigmoid::new(),
            features: LinearConfig::new(8, 4).init(device),
            scale: Param::from_tensor(Tensor::zeros([4], device)),
        })
    }

    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let x = self.max.forward(self.relu.forward(self.norm.forward(self.conv.forward(images))));
        let x = self.average.forward(self.deep_norm.forward(self.deep.forward(x.clone())) + x);
        let x = self.sigmoid.forward(self.hidden.forward(x.flatten(1, 3)));
        self.features.forward(x) * (self.scale.val() * 2.0).unsqueeze()
    }
}

#[test]
fn layers_of_burn_are_exported() {
    let mine = Mine::new(&Device::flex());
    for fold_batch_norm in [false, true] {
        let options = OnnxOptions { normalise: Normalise::Outside, fold_batch_norm };
        let onnx = export(&mine, Output::Features, &options, &metadata(IMAGE), Mine::forward).unwrap();
        assert_eq!(onnx.operations().contains_key("BatchNormalization"), !fold_batch_norm);
        agrees(&onnx, |images| mine.forward(images));
        let names: Vec<&str> = onnx.tensors().map(|(name, _)| name).collect();
        for name in ["conv.bias", "deep.weight", "hidden.weight", "features.weight", "features.bias"] {
            assert!(names.contains(&name), "{name}: {names:?}");
        }
        let operations = onnx.operations();
        assert_eq!((operations["Gemm"], operations["Reshape"], operations["Mul"]), (2, 1, 1), "{operations:?}");
    }
}

/// Layers of this project take the place of what burn-onnx refuses.
#[derive(Module, Debug)]
struct Leaky {
    conv: slowburn_layers::Conv2d,
}

impl Leaky {
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let maps = self.conv.forward_maps(Maps::new(images));
        let maps = maps.map(|maps| Activation::LeakyRelu(0.2).apply(maps));
        let features = global_average_pool(maps);
        Activation::leaky(0.0).apply(features.clone() - 0.1) + features.exp().sqrt().log().tanh().abs()
    }
}

#[test]
fn layers_of_this_project_are_exported() {
    let conv = slowburn_layers::Conv2dConfig::new([3, 5], [3, 3]).with_stride([2, 2]).init(&Device::flex());
    let leaky = Leaky { conv: varied(conv) };
    let options = OnnxOptions { normalise: Normalise::Outside, ..OnnxOptions::default() };
    let onnx = export(&leaky, Output::Embeddings, &options, &metadata(IMAGE), Leaky::forward).unwrap();
    assert_eq!(onnx.operations()["LeakyRelu"], 1);
    agrees(&onnx, |images| leaky.forward(images));
}

#[test]
fn constants_of_a_forward_pass_are_called_after_their_nodes() {
    let conv = slowburn_layers::Conv2dConfig::new([3, 5], [3, 3]).init(&Device::flex());
    let leaky = Leaky { conv: varied(conv) };
    let forward = |model: &Leaky, images: Tensor<4>| {
        let weights = Tensor::<2>::from_floats([[1.0, 2.0, 3.0, 4.0, 5.0]], &images.device());
        model.forward(images) * weights / 3.0
    };
    let options = OnnxOptions { normalise: Normalise::Outside, ..OnnxOptions::default() };
    let onnx = export(&leaky, Output::Features, &options, &metadata(IMAGE), forward).unwrap();
    let names: Vec<&str> = onnx.tensors().map(|(name, _)| name).collect();
    assert_eq!(names, ["conv.bias", "conv.weight", "div_1.scalar", "mul_1.constant", "sub_1.scalar"]);
    agrees(&onnx, |images| forward(&leaky, images));
}

fn agrees(onnx: &slowburn_models::onnx::Onnx, forward: impl Fn(Tensor<4>) -> Tensor<2>) {
    for batch in [1, 4] {
        let images = pixels(batch, IMAGE);
        let [channels, height, width] = IMAGE;
        let data = TensorData::new(images.clone(), [batch, channels, height, width]);
        let expected = values(forward(Tensor::from_data(data, &Device::flex())));
        let (_, found) = run(onnx, &images, IMAGE);
        assert!(expected.iter().all(|value| value.is_finite()));
        assert!(error(&found, &expected) <= 1e-5, "{found:?}, not {expected:?}");
    }
}
