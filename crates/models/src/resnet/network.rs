//! The residual network up to its pooled features.

use burn::{
    module::Module,
    nn::pool::MaxPool2d,
    tensor::{Tensor, assert_shape},
};
use slowburn_layers::{Activation, Conv2d, SplitBatchNorm, global_average_pool, in_pool, max_pool};

use super::ResidualBlock;
use crate::{Encoder, encoder::maps};

/// A residual network without its classification layer, which
/// [`Classifier`](crate::Classifier) adds (He et al., *Deep residual learning*, arXiv 1512.03385,
/// table 1).
///
/// Fields are called as in torchvision, so that [`state_dict`](crate::state_dict) of a classifier
/// has torchvision's names. Should be created with [`ResNetConfig`](super::ResNetConfig).
#[derive(Module, Debug)]
pub struct ResNet {
    /// The convolution of the stem.
    pub conv1: Conv2d,
    /// Normalises the stem.
    pub bn1: SplitBatchNorm,
    /// The pooling of the stem, in [`Stem::ImageNet`](super::Stem::ImageNet) only.
    pub maxpool: Option<MaxPool2d>,
    /// Blocks at the stem's resolution.
    pub layer1: Vec<ResidualBlock>,
    /// Blocks at a half of it.
    pub layer2: Vec<ResidualBlock>,
    /// Blocks at a quarter of it.
    pub layer3: Vec<ResidualBlock>,
    /// Blocks at an eighth of it.
    pub layer4: Vec<ResidualBlock>,
    /// The number of channels of the images.
    pub in_channels: usize,
    /// The length of a feature vector.
    pub feature_dim: usize,
}

impl Encoder for ResNet {
    /// # Panics
    ///
    /// If the images have another number of channels than configured or, in training, if the splits of
    /// [`Norm::Split`](crate::Norm) do not divide the batch.
    fn features(&self, images: Tensor<4>) -> Tensor<2> {
        self.encode(images, None)
    }

    fn features_in_groups(&self, images: Tensor<4>, group: usize) -> Tensor<2> {
        self.encode(images, Some(group))
    }

    fn feature_dim(&self) -> usize {
        self.feature_dim
    }

    fn splits(&self) -> usize {
        self.bn1.splits
    }
}

impl ResNet {
    fn encode(&self, images: Tensor<4>, group: Option<usize>) -> Tensor<2> {
        let in_channels = self.in_channels;
        assert_shape!(images, [_, in_channels, _, _]);

        in_pool(&images.device(), || {
            let mut x = self.bn1.forward_maps(self.conv1.forward_maps(maps(images, group)), Activation::Relu);
            if let Some(maxpool) = &self.maxpool {
                x = max_pool(x, maxpool);
            }
            for layer in [&self.layer1, &self.layer2, &self.layer3, &self.layer4] {
                x = layer.iter().fold(x, |x, block| block.forward_maps(x));
            }
            global_average_pool(x) // [N, feature_dim]
        })
    }
}
