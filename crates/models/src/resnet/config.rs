//! What a residual network is made of.

use burn::{
    config::Config,
    nn::{
        PaddingConfig2d,
        pool::{MaxPool2d, MaxPool2dConfig},
    },
    tensor::Device,
};

use super::{ResNet, ResidualBlock, block::BlockShape};
use crate::{
    ModelError,
    error::{at_least_one, new_value_weight},
    layers::{Norm, convolution},
};

/// What comes before the residual blocks.
#[derive(Config, Debug, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stem {
    /// For images of about 224 pixels: convolution 7×7 with stride 2, then the maximum over 3×3
    /// with stride 2. The blocks see a quarter of the resolution.
    ImageNet,
    /// For images of about 32 pixels: convolution 3×3 with stride 1 and padding 1, and no pooling.
    /// The blocks see the full resolution. This is the stem of MoCo's CIFAR-10 notebook.
    Cifar,
}

/// The kind of residual block.
#[derive(Config, Debug, Copy, PartialEq, Eq)]
pub enum BlockKind {
    /// Two convolutions 3×3.
    Basic,
    /// Convolutions 1×1, 3×3 and 1×1, the last with four times the channels. The stride is at the
    /// 3×3 convolution, as in torchvision ("ResNet v1.5"), not at the first as in the paper.
    Bottleneck,
}

impl BlockKind {
    /// The channels of the block's output for each of its inner channels.
    pub const fn expansion(self) -> usize {
        match self {
            Self::Basic => 1,
            Self::Bottleneck => 4,
        }
    }
}

/// Configures a [`ResNet`].
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `block` | required | kind of block | |
/// | `layers` | required | blocks at each of four resolutions | ≥ 1 |
/// | `stem` | `ImageNet` | what comes before the blocks | |
/// | `in_channels` | 3 | channels of the images | ≥ 1 |
/// | `width` | 64 | inner channels of the first blocks; doubled at each resolution | ≥ 1 |
/// | `norm` | `Plain` | over which samples batch statistics are taken | |
/// | `momentum` | 0.1 | weight of the new batch in running statistics | [0, 1] |
#[derive(Config, Debug, PartialEq)]
pub struct ResNetConfig {
    /// The kind of residual block.
    pub block: BlockKind,
    /// The number of blocks at each of the four resolutions.
    pub layers: [usize; 4],
    /// What comes before the residual blocks.
    #[config(default = "Stem::ImageNet")]
    pub stem: Stem,
    /// The number of channels of the images.
    #[config(default = 3)]
    pub in_channels: usize,
    /// The number of inner channels of the first blocks.
    #[config(default = 64)]
    pub width: usize,
    /// Over which samples of a batch the batch statistics are taken.
    #[config(default = "Norm::Plain")]
    pub norm: Norm,
    /// The weight of the **new** batch in running statistics.
    #[config(default = 0.1)]
    pub momentum: f64,
}

impl ResNetConfig {
    /// ResNet-10: one basic block at each resolution. With a width of 16 it has 13.0 million multiply-adds for an image of 28×28
    /// pixels with [`Stem::Cifar`].
    pub fn resnet10() -> Self {
        Self::new(BlockKind::Basic, [1, 1, 1, 1])
    }

    /// ResNet-18: 11,689,512 learnable parameters with a head of 1,000 classes.
    pub fn resnet18() -> Self {
        Self::new(BlockKind::Basic, [2, 2, 2, 2])
    }

    /// ResNet-34: 21,797,672 learnable parameters with a head of 1,000 classes.
    pub fn resnet34() -> Self {
        Self::new(BlockKind::Basic, [3, 4, 6, 3])
    }

    /// ResNet-50: 25,557,032 learnable parameters with a head of 1,000 classes.
    pub fn resnet50() -> Self {
        Self::new(BlockKind::Bottleneck, [3, 4, 6, 3])
    }

    /// Checks every field.
    ///
    /// # Errors
    ///
    /// [`ModelError::OutOfRange`] names the first field outside its range.
    pub fn validate(&self) -> Result<(), ModelError> {
        for blocks in self.layers {
            at_least_one("layers", blocks)?;
        }
        at_least_one("in_channels", self.in_channels)?;
        at_least_one("width", self.width)?;
        self.norm.validate()?;
        new_value_weight("momentum", self.momentum)
    }

    /// Creates the network with torchvision's initialisation: convolutions normal with variance
    /// 2/fan-out (He et al., arXiv 1502.01852), scales 1, shifts 0.
    ///
    /// # Errors
    ///
    /// As [`validate`](Self::validate).
    pub fn init(&self, device: &Device) -> Result<ResNet, ModelError> {
        self.validate()?;
        let stem = [self.in_channels, self.width];
        let (conv1, maxpool) = match self.stem {
            Stem::ImageNet => (convolution(stem, 7, 2, 3, device), Some(stem_pool())),
            Stem::Cifar => (convolution(stem, 3, 1, 1, device), None),
        };
        let mut channels = self.width;
        let mut stage = |index| self.stage(index, &mut channels, device);
        Ok(ResNet {
            conv1,
            bn1: self.norm.init(self.width, self.momentum, device)?,
            maxpool,
            layer1: stage(0)?,
            layer2: stage(1)?,
            layer3: stage(2)?,
            layer4: stage(3)?,
            in_channels: self.in_channels,
            feature_dim: channels,
        })
    }

    /// The blocks at one resolution, `channels` being those of their input and then of their
    /// output.
    fn stage(&self, index: usize, channels: &mut usize, device: &Device) -> Result<Vec<ResidualBlock>, ModelError> {
        let inner = self.width << index;
        (0..self.layers[index])
            .map(|position| {
                let shape = BlockShape {
                    kind: self.block,
                    channels_in: *channels,
                    inner,
                    stride: if position == 0 && index > 0 { 2 } else { 1 },
                };
                *channels = shape.channels_out();
                ResidualBlock::new(shape, self.norm, self.momentum, device)
            })
            .collect()
    }
}

fn stem_pool() -> MaxPool2d {
    MaxPool2dConfig::new([3, 3]).with_strides([2, 2]).with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1)).init()
}
