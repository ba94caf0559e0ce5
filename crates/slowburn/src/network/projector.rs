use burn::tensor::Device;
use slowburn_augment::ImageSize;
use slowburn_models::{HeadVersion, MlpHeadConfig, ModelError, ProjectionConfig, Projector};

use super::{Backbone, BackboneConfig};

/// What is behind an encoder in pre-training.
#[derive(Debug, Clone, PartialEq)]
pub enum Head {
    /// MoCo's, which gives embeddings of this length.
    Moco(HeadVersion, usize),
    /// Of normalised layers: that of BYOL, SimSiam and MoCo v3.
    Mlp(MlpHeadConfig),
}

/// An encoder with a projection head.
#[derive(Debug, Clone)]
pub struct ContrastConfig {
    /// The encoder.
    pub backbone: BackboneConfig,
    /// The head.
    pub head: Head,
}

impl ContrastConfig {
    /// Builds the network with random weights, from the device's current seed.
    ///
    /// # Errors
    /// For settings out of range.
    pub fn init(&self, image: ImageSize, device: &Device) -> Result<Projector<Backbone>, ModelError> {
        let encoder = self.backbone.init(image, device)?;
        match &self.head {
            Head::Moco(version, dim) => ProjectionConfig::new(*version).with_dim(*dim).init(encoder, device),
            Head::Mlp(head) => head.init_projector(encoder, device),
        }
    }
}
