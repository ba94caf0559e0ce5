//! Convolutions without bias.

use burn::{
    nn::{Initializer, PaddingConfig2d},
    tensor::Device,
};
use slowburn_layers::{Conv2d, Conv2dConfig};

/// A square convolution without bias, whose weights start normal with variance 2/fan-out (He et
/// al., arXiv 1502.01852), as in torchvision's residual networks and in Wide-ResNet.
pub(crate) fn convolution(
    channels: [usize; 2],
    kernel_size: usize,
    stride: usize,
    padding: usize,
    device: &Device,
) -> Conv2d {
    Conv2dConfig::new(channels, [kernel_size, kernel_size])
        .with_stride([stride, stride])
        .with_padding(PaddingConfig2d::Explicit(padding, padding, padding, padding))
        .with_bias(false)
        .with_initializer(Initializer::KaimingNormal { gain: std::f64::consts::SQRT_2, fan_out_only: true })
        .init(device)
}
