//! The wide residual network up to its pooled features.

use burn::{
    module::Module,
    tensor::{Tensor, assert_shape},
};
use slowburn_layers::{Activation, BatchNorm, Conv2d, global_average_pool, in_pool};

use super::WideBlock;
use crate::{Encoder, encoder::maps};

/// A wide residual network without its classification layer, which
/// [`Classifier`](crate::Classifier) adds (Zagoruyko & Komodakis, *Wide residual networks*,
/// arXiv 1605.07146, table 1).
///
/// Should be created with [`WideResNetConfig`](super::WideResNetConfig).
#[derive(Module, Debug)]
pub struct WideResNet {
    /// The stem: 3×3, stride 1.
    pub conv1: Conv2d,
    /// Blocks at full resolution.
    pub block1: Vec<WideBlock>,
    /// Blocks at half the resolution.
    pub block2: Vec<WideBlock>,
    /// Blocks at a quarter of the resolution.
    pub block3: Vec<WideBlock>,
    /// Normalises the last block.
    pub bn1: BatchNorm,
    /// The slope of the rectifiers below zero.
    pub negative_slope: f64,
    /// The number of channels of the images.
    pub in_channels: usize,
    /// The length of a feature vector.
    pub feature_dim: usize,
}

impl Encoder for WideResNet {
    /// # Panics
    ///
    /// If the images have another number of channels than configured.
    fn features(&self, images: Tensor<4>) -> Tensor<2> {
        self.encode(images, None)
    }

    fn features_in_groups(&self, images: Tensor<4>, group: usize) -> Tensor<2> {
        self.encode(images, Some(group))
    }

    fn feature_dim(&self) -> usize {
        self.feature_dim
    }
}

impl WideResNet {
    fn encode(&self, images: Tensor<4>, group: Option<usize>) -> Tensor<2> {
        let in_channels = self.in_channels;
        assert_shape!(images, [_, in_channels, _, _]);

        in_pool(&images.device(), || {
            let mut x = self.conv1.forward_maps(maps(images, group));
            for stage in [&self.block1, &self.block2, &self.block3] {
                x = stage.iter().fold(x, |x, block| block.forward_maps(x));
            }
            let x = self.bn1.forward_maps(x, Activation::leaky(self.negative_slope));
            global_average_pool(x) // [N, feature_dim]
        })
    }
}
