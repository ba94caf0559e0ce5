use burn::tensor::Device;
use slowburn_augment::ImageSize;
use slowburn_models::{HeadVersion, ModelError, ProjectionConfig, Projector};

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

impl ContrastConfig {
    /// Builds the network with random weights, from the device's current seed.
    ///
    /// # Errors
    /// For settings out of range.
    pub fn init(&self, image: ImageSize, device: &Device) -> Result<Projector<Backbone>, ModelError> {
        let head = ProjectionConfig::new(self.head).with_dim(self.dim);
        head.init(self.backbone.init(image, device)?, device)
    }
}
