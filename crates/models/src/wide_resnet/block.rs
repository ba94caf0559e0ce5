//! The pre-activation block.

use burn::{
    module::Module,
    nn::{Dropout, DropoutConfig},
    tensor::{Device, Tensor},
};
use slowburn_layers::{Activation, BatchNorm, Conv2d, Maps, dropout};

use super::WideResNetConfig;
use crate::layers::convolution;

/// A residual block that normalises and rectifies **before** each convolution:
/// `shortcut(x) + conv₂(φ(bn₂(conv₁(φ(bn₁(x))))))`, φ a leaky rectifier (Zagoruyko & Komodakis,
/// *Wide residual networks*, arXiv 1605.07146, figure 1).
#[derive(Module, Debug)]
pub struct WideBlock {
    /// Normalises the input.
    pub bn1: BatchNorm,
    /// 3×3, with the block's stride.
    pub conv1: Conv2d,
    /// Normalises the first convolution.
    pub bn2: BatchNorm,
    /// Dropout between the convolutions.
    pub dropout: Dropout,
    /// 3×3.
    pub conv2: Conv2d,
    /// The projection 1×1 where the block changes the shape; elsewhere the shortcut is the
    /// identity.
    pub shortcut: Option<Conv2d>,
    /// Whether the projection sees the normalised and rectified input; see
    /// [`ProjectionInput`](super::ProjectionInput).
    pub activated_projection: bool,
    /// The slope of the rectifiers below zero.
    pub negative_slope: f64,
}

impl WideBlock {
    pub(super) fn new(
        config: &WideResNetConfig,
        channels: [usize; 2],
        stride: usize,
        activated_projection: bool,
        device: &Device,
    ) -> Self {
        let [channels_in, channels_out] = channels;
        let changes_shape = stride != 1 || channels_in != channels_out;
        Self {
            bn1: config.norm(channels_in).init(device),
            conv1: convolution(channels, 3, stride, 1, device),
            bn2: config.norm(channels_out).init(device),
            dropout: DropoutConfig::new(config.dropout).init(),
            conv2: convolution([channels_out, channels_out], 3, 1, 1, device),
            shortcut: changes_shape.then(|| convolution(channels, 1, stride, 0, device)),
            activated_projection,
            negative_slope: config.negative_slope,
        }
    }

    /// Applies the block.
    ///
    /// # Shapes
    ///
    /// - `input`: `[N, channels_in, H, W]`
    /// - output: `[N, channels_out, ⌈H/stride⌉, ⌈W/stride⌉]`
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        self.forward_maps(Maps::new(input)).into_tensor()
    }

    /// Applies the block to maps.
    ///
    /// # Shapes
    ///
    /// As [`forward`](Self::forward).
    pub fn forward_maps(&self, input: Maps) -> Maps {
        let rectifier = Activation::leaky(self.negative_slope);
        let activated = self.bn1.forward_maps(input.clone(), rectifier);
        let shortcut = match &self.shortcut {
            Some(projection) if self.activated_projection => projection.forward_maps(activated.clone()),
            Some(projection) => projection.forward_maps(input),
            None => input,
        };
        let x = self.conv1.forward_maps(activated);
        let x = self.bn2.forward_maps(x, rectifier);
        shortcut + self.conv2.forward_maps(dropout(x, &self.dropout))
    }
}
