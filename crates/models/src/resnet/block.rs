//! The residual block, basic or bottleneck.

use burn::{
    module::Module,
    tensor::{Device, Tensor},
};
use slowburn_layers::{Activation, Conv2d, Maps};

use super::BlockKind;
use crate::ModelError;
use crate::layers::{Norm, SplitBatchNorm, convolution};

/// A residual block: `relu(f(x) + shortcut(x))`, where `f` is two or three convolutions, each with
/// batch normalisation (He et al., *Deep residual learning*, arXiv 1512.03385, figure 5).
#[derive(Module, Debug)]
pub struct ResidualBlock {
    /// 3×3 in a basic block, 1×1 in a bottleneck.
    pub conv1: Conv2d,
    /// Normalises the first convolution.
    pub bn1: SplitBatchNorm,
    /// 3×3.
    pub conv2: Conv2d,
    /// Normalises the second convolution.
    pub bn2: SplitBatchNorm,
    /// 1×1, in a bottleneck only.
    pub conv3: Option<Conv2d>,
    /// Normalises the third convolution.
    pub bn3: Option<SplitBatchNorm>,
    /// The shortcut where the block changes the shape: convolution 1×1 and batch normalisation.
    /// Elsewhere the shortcut is the identity.
    pub downsample: Option<(Conv2d, SplitBatchNorm)>,
}

/// The channels and the stride of a block.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BlockShape {
    pub(crate) kind: BlockKind,
    pub(crate) channels_in: usize,
    pub(crate) inner: usize,
    pub(crate) stride: usize,
}

impl BlockShape {
    pub(crate) fn channels_out(&self) -> usize {
        self.inner * self.kind.expansion()
    }
}

impl ResidualBlock {
    pub(crate) fn new(shape: BlockShape, norm: Norm, momentum: f64, device: &Device) -> Result<Self, ModelError> {
        let BlockShape { kind, channels_in, inner, stride } = shape;
        let channels_out = shape.channels_out();
        let norm = |channels| norm.init(channels, momentum, device);
        let changes_shape = stride != 1 || channels_in != channels_out;
        let downsample = changes_shape.then(|| {
            let projection = convolution([channels_in, channels_out], 1, stride, 0, device);
            Ok::<_, ModelError>((projection, norm(channels_out)?))
        });
        let (conv1, conv2, conv3) = match kind {
            BlockKind::Basic => (
                convolution([channels_in, inner], 3, stride, 1, device),
                convolution([inner, inner], 3, 1, 1, device),
                None,
            ),
            BlockKind::Bottleneck => (
                convolution([channels_in, inner], 1, 1, 0, device),
                convolution([inner, inner], 3, stride, 1, device),
                Some(convolution([inner, channels_out], 1, 1, 0, device)),
            ),
        };
        Ok(Self {
            conv1,
            bn1: norm(inner)?,
            conv2,
            bn2: norm(inner)?,
            bn3: conv3.is_some().then(|| norm(channels_out)).transpose()?,
            conv3,
            downsample: downsample.transpose()?,
        })
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
        let shortcut = match &self.downsample {
            Some((projection, norm)) => norm.forward_maps(projection.forward_maps(input.clone()), Activation::None),
            None => input.clone(),
        };
        let x = self.bn1.forward_maps(self.conv1.forward_maps(input), Activation::Relu);
        let x = self.conv2.forward_maps(x);
        match (&self.conv3, &self.bn3) {
            (Some(conv3), Some(bn3)) => {
                let x = conv3.forward_maps(self.bn2.forward_maps(x, Activation::Relu));
                bn3.forward_add(x, shortcut, Activation::Relu)
            }
            _ => self.bn2.forward_add(x, shortcut, Activation::Relu),
        }
    }
}
