use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use slowburn_augment::ImageSize;
use slowburn_models::{Classifier, ClassifierConfig, ModelError, Stem};

use super::{Arch, Backbone, BackboneConfig, Normalization};

/// An encoder with its settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NetworkConfig {
    /// Which encoder.
    pub arch: Arch,
    /// How it normalises.
    pub normalization: Normalization,
    /// Two classification heads instead of one.
    pub two_heads: bool,
    /// Probability of dropping a feature, where the encoder has dropout.
    pub dropout: f64,
    /// Standard deviation of the noise on the (normalised) input, where the encoder has it.
    pub input_noise: f64,
    /// Images that share batch statistics in training; the whole batch without.
    pub group: Option<usize>,
    /// Whether the first convolution of a network with random weights starts by whitening the patches of the first batch
    /// (ResNet-9 only).
    #[serde(default)]
    pub whiten_patches: bool,
    /// A ResNet's stem, where weights that it starts from have another than the images' size asks for.
    #[serde(default)]
    pub stem: Option<Stem>,
}

impl NetworkConfig {
    /// Builds the network with random weights, from the device's current seed.
    ///
    /// # Errors
    /// For settings out of range.
    pub fn init(&self, image: ImageSize, classes: usize, device: &Device) -> Result<Classifier<Backbone>, ModelError> {
        let head = ClassifierConfig::new(classes).with_consistency_head(self.two_heads).with_group(self.group);
        head.init(self.backbone().init(image, device)?, device)
    }

    /// Takes another encoder. It starts by whitening patches if that was asked for and it can.
    pub fn set_arch(&mut self, arch: Arch) {
        self.arch = arch;
        self.whiten_patches &= arch.whitens_patches();
    }

    /// Sets what the encoder has no part for to nothing.
    pub fn forget_what_it_lacks(&mut self) {
        if !self.arch.has_dropout() {
            (self.dropout, self.input_noise) = (0.0, 0.0);
        }
        if !self.arch.has(self.normalization) {
            self.normalization = Normalization::Batch;
        }
    }

    /// Checks that the encoder has what is asked of it.
    ///
    /// # Errors
    /// An error that names the setting.
    pub fn validate(&self) -> anyhow::Result<()> {
        let name = self.arch.name();
        for (flag, value) in [("--dropout", self.dropout), ("--input-noise", self.input_noise)] {
            anyhow::ensure!(
                value == 0.0 || self.arch.has_dropout(),
                "{flag} is {value}, which says nothing to {name}: small and convnet13 have it"
            );
        }
        anyhow::ensure!(
            self.arch.has(self.normalization),
            "network.normalization is {:?}, which {name} has not: say \"batch\"",
            self.normalization
        );
        Ok(())
    }

    /// Whether a network with random weights is to be initialised from a batch.
    pub fn starts_from_batch(&self) -> bool {
        self.whiten_patches || (self.arch == Arch::ConvNet13 && self.normalization == Normalization::Weight)
    }

    /// The encoder alone.
    pub fn backbone(&self) -> BackboneConfig {
        let &Self { arch, normalization, dropout, input_noise, stem, .. } = self;
        BackboneConfig { arch, normalization, splits: 1, dropout, input_noise, stem }
    }
}
