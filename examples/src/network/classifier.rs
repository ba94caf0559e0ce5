use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use slowburn_augment::ImageSize;
use slowburn_models::{Classifier, ClassifierConfig, ModelError, StateDict, load_state_dict};
use slowburn_semi::{Logits, Predict};

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
}

impl NetworkConfig {
    /// Builds the network with random weights, from the device's current seed.
    ///
    /// Images of 64 pixels or more get a ResNet's ImageNet stem.
    ///
    /// # Errors
    /// For settings out of range.
    pub fn init(&self, image: ImageSize, classes: usize, device: &Device) -> Result<Network, ModelError> {
        let head = ClassifierConfig::new(classes).with_consistency_head(self.two_heads);
        let body = head.try_init(self.backbone().init(image, device)?, device)?;
        Ok(Network { body, group: self.group })
    }

    /// The encoder alone.
    pub fn backbone(&self) -> BackboneConfig {
        let &Self { arch, normalization, dropout, input_noise, .. } = self;
        BackboneConfig { arch, normalization, splits: 1, dropout, input_noise }
    }
}

/// A network that classifies images.
///
/// In training, consecutive images of a batch may form groups with batch statistics of their own (ghost batch
/// normalisation, Hoffer et al., arXiv 1705.08741): with labelled images first and a group as large as their share, the
/// class cost sees the statistics that it would see in supervised training.
#[derive(Module, Debug)]
pub struct Network {
    body: Classifier<Backbone>,
    #[module(skip)]
    group: Option<usize>,
}

impl Predict for Network {
    type Input = Tensor<4>;

    fn predict(&self, images: Tensor<4>) -> Logits {
        let [batch, ..] = images.dims();
        match self.group.filter(|&group| images.device().is_autodiff() && group < batch) {
            Some(group) => in_groups(images, group, |images| self.forward(images)),
            None => self.forward(images),
        }
    }
}

/// Predicts group by group and puts the logits together again.
fn in_groups(images: Tensor<4>, group: usize, predict: impl Fn(Tensor<4>) -> Logits) -> Logits {
    let groups: Vec<Logits> = images.split(group, 0).into_iter().map(predict).collect();
    let consistency: Option<Vec<_>> = groups.iter().map(|logits| logits.consistency.clone()).collect();
    Logits {
        class: Tensor::cat(groups.into_iter().map(|logits| logits.class).collect(), 0),
        consistency: consistency.map(|logits| Tensor::cat(logits, 0)),
    }
}

impl Network {
    fn forward(&self, images: Tensor<4>) -> Logits {
        let logits = self.body.forward(images);
        Logits { class: logits.class, consistency: logits.consistency }
    }

    /// Initialises weight-normalised layers from a batch; other networks stay as they are.
    pub fn init_from_batch(mut self, images: Tensor<4>) -> Self {
        self.body.encoder = self.body.encoder.init_from_batch(images);
        self
    }

    /// Starts from a trained encoder; the head stays as it is.
    ///
    /// # Errors
    /// The first name or shape that does not fit.
    pub fn with_encoder(mut self, weights: &StateDict) -> Result<Self, ModelError> {
        self.body.encoder = load_state_dict(self.body.encoder, weights)?;
        Ok(self)
    }

    /// The network whose names are PyTorch's.
    pub fn classifier(&self) -> &Classifier<Backbone> {
        &self.body
    }
}
