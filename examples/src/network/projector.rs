use burn::module::Module;
use burn::tensor::{Device, Tensor};
use slowburn_augment::ImageSize;
use slowburn_contrastive::Encode;
use slowburn_models::{Encoder, HeadVersion, ModelError, ProjectionConfig, Projector};

use super::{Backbone, BackboneConfig};

/// An encoder with MoCo's projection head.
#[derive(Debug, Clone, Copy)]
pub struct ContrastConfig {
    /// The encoder.
    pub backbone: BackboneConfig,
    /// One layer or two.
    pub head: HeadVersion,
    /// The length of an embedding.
    pub dim: usize,
}

/// The network that contrastive learning trains.
#[derive(Module, Debug)]
pub struct Contrast {
    /// Encoder and head, under the names of MoCo's checkpoints.
    pub projector: Projector<Backbone>,
    #[module(skip)]
    splits: usize,
}

impl ContrastConfig {
    /// Builds the network with random weights, from the device's current seed.
    ///
    /// # Errors
    /// For settings out of range.
    pub fn init(&self, image: ImageSize, device: &Device) -> Result<Contrast, ModelError> {
        let head = ProjectionConfig::new(self.head).with_dim(self.dim);
        let projector = head.try_init(self.backbone.init(image, device)?, device)?;
        Ok(Contrast { projector, splits: self.backbone.splits })
    }
}

impl Encode for Contrast {
    type Input = Tensor<4>;

    fn embed(&self, images: Tensor<4>) -> Tensor<2> {
        self.projector.forward(images)
    }

    fn features(&self, images: Tensor<4>) -> Tensor<2> {
        self.projector.encoder.features(images)
    }

    fn splits(&self) -> usize {
        self.splits
    }
}
