//! A ResNet-18 as a user of Burn writes it, on tensors and with Burn's rectifier and addition. Only the line that brings in
//! the layers names Slowburn.

use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use slowburn_layers::{BatchNorm, BatchNormConfig, Conv2d, Conv2dConfig};
use slowburn_models::Encoder;

/// ResNet-18 with a 3×3 stem.
#[derive(Module, Debug)]
pub struct ResNet18 {
    conv: Conv2d,
    norm: BatchNorm,
    blocks: Vec<Block>,
}

#[derive(Module, Debug)]
struct Block {
    conv1: Conv2d,
    norm1: BatchNorm,
    conv2: Conv2d,
    norm2: BatchNorm,
    projection: Option<(Conv2d, BatchNorm)>,
}

fn conv(channels: [usize; 2], kernel: usize, stride: usize, device: &Device) -> Conv2d {
    let padding = kernel / 2;
    Conv2dConfig::new(channels, [kernel; 2])
        .with_stride([stride; 2])
        .with_padding(PaddingConfig2d::Explicit(padding, padding, padding, padding))
        .with_bias(false)
        .init(device)
}

impl ResNet18 {
    /// With first weights as Burn draws them.
    pub fn new(device: &Device) -> Self {
        let widths = [
            (64, 64, 1),
            (64, 64, 1),
            (64, 128, 2),
            (128, 128, 1),
            (128, 256, 2),
            (256, 256, 1),
            (256, 512, 2),
            (512, 512, 1),
        ];
        Self {
            conv: conv([3, 64], 3, 1, device),
            norm: BatchNormConfig::new(64).init(device),
            blocks: widths.map(|(channels, width, stride)| Block::new([channels, width], stride, device)).into(),
        }
    }
}

impl Block {
    fn new(channels: [usize; 2], stride: usize, device: &Device) -> Self {
        let [_, width] = channels;
        let norm = || BatchNormConfig::new(width).init(device);
        Self {
            conv1: conv(channels, 3, stride, device),
            norm1: norm(),
            conv2: conv([width, width], 3, 1, device),
            norm2: norm(),
            projection: (stride != 1).then(|| (conv(channels, 1, stride, device), norm())),
        }
    }

    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let shortcut = match &self.projection {
            Some((conv, norm)) => norm.forward(conv.forward(input.clone())),
            None => input.clone(),
        };
        let x = relu(self.norm1.forward(self.conv1.forward(input)));
        relu(self.norm2.forward(self.conv2.forward(x)) + shortcut)
    }
}

impl Encoder for ResNet18 {
    fn features(&self, images: Tensor<4>) -> Tensor<2> {
        let x = relu(self.norm.forward(self.conv.forward(images)));
        let x = self.blocks.iter().fold(x, |x, block| block.forward(x));
        x.mean_dims(&[2, 3]).flatten(1, 3)
    }

    fn feature_dim(&self) -> usize {
        512
    }
}
