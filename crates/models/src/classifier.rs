//! An encoder with one or two linear heads.

use burn::{
    config::Config,
    module::Module,
    nn::{Linear, LinearConfig},
    tensor::{Device, Tensor, assert_shape},
};

use crate::{
    Encoder, ModelError,
    error::{at_least_one, in_range},
};

/// Configures a [`Classifier`].
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `num_classes` | required | classes, and so logits of each head | ≥ 1 |
/// | `consistency_head` | `false` | a second head, for the consistency cost | |
#[derive(Config, Debug, PartialEq)]
pub struct ClassifierConfig {
    /// The number of classes.
    pub num_classes: usize,
    /// Whether there is a second head whose logits only the consistency cost sees.
    #[config(default = false)]
    pub consistency_head: bool,
}

/// An encoder with a linear classification head `fc`, and optionally a second one,
/// `fc_consistency`, for the consistency cost.
///
/// Mean Teacher's residual networks have two heads: the classification cost reaches the first,
/// the consistency cost the second, and a cost on the distance of their logits ties them loosely
/// together (Tarvainen & Valpola, arXiv 1703.01780).
///
/// Should be created with [`ClassifierConfig`].
#[derive(Module, Debug)]
pub struct Classifier<E: Encoder + Module> {
    /// The network below the heads.
    pub encoder: E,
    /// The classification head: `[N, D]` to `[N, num_classes]`.
    pub fc: Linear,
    /// The consistency head, of the same shape.
    pub fc_consistency: Option<Linear>,
}

/// What a [`Classifier`] returns: unnormalised log-probabilities of the classes.
#[derive(Debug, Clone)]
pub struct Logits {
    /// Logits of the classification head: `[N, num_classes]`.
    pub class: Tensor<2>,
    /// Logits of the consistency head, if there is one: `[N, num_classes]`.
    pub consistency: Option<Tensor<2>>,
}

impl ClassifierConfig {
    /// Checks every field.
    ///
    /// # Errors
    ///
    /// [`ModelError::OutOfRange`] names the first field outside its range.
    pub fn validate(&self) -> Result<(), ModelError> {
        at_least_one("num_classes", self.num_classes)
    }

    /// Puts the heads on `encoder`.
    ///
    /// Weights and biases start uniform in ±1/√D, as PyTorch's linear layers do.
    ///
    /// # Errors
    ///
    /// As [`validate`](Self::validate), and if the encoder's features have no dimension.
    pub fn try_init<E: Encoder>(&self, encoder: E, device: &Device) -> Result<Classifier<E>, ModelError> {
        self.validate()?;
        let dim = encoder.feature_dim();
        in_range("feature_dim", dim as f64, dim >= 1, "at least 1")?;
        let head = LinearConfig::new(dim, self.num_classes);
        Ok(Classifier {
            encoder,
            fc: head.init(device),
            fc_consistency: self.consistency_head.then(|| head.init(device)),
        })
    }

    /// Puts the heads on `encoder`.
    ///
    /// # Panics
    ///
    /// Where [`try_init`](Self::try_init) returns an error.
    pub fn init<E: Encoder>(&self, encoder: E, device: &Device) -> Classifier<E> {
        self.try_init(encoder, device).unwrap_or_else(|error| panic!("{error}"))
    }
}

impl<E: Encoder> Classifier<E> {
    /// The logits of a batch of images.
    ///
    /// # Shapes
    ///
    /// - `images`: `[N, C, H, W]`
    /// - output: `[N, num_classes]` for each head
    pub fn forward(&self, images: Tensor<4>) -> Logits {
        self.forward_features(self.encoder.features(images))
    }

    /// The logits of features that the encoder has already computed.
    ///
    /// # Shapes
    ///
    /// - `features`: `[N, D]`
    /// - output: `[N, num_classes]` for each head
    ///
    /// # Panics
    ///
    /// If the second axis is not the encoder's feature dimension.
    pub fn forward_features(&self, features: Tensor<2>) -> Logits {
        let dim = self.encoder.feature_dim();
        assert_shape!(features, [_, dim]);
        Logits {
            consistency: self.fc_consistency.as_ref().map(|head| head.forward(features.clone())),
            class: self.fc.forward(features),
        }
    }

    /// The number of classes.
    pub fn num_classes(&self) -> usize {
        self.fc.weight.lazy_shape()[1]
    }
}

impl Logits {
    /// The logits that a consistency cost compares: those of the consistency head, or with a
    /// single head those of the classification head.
    pub fn for_consistency(&self) -> Tensor<2> {
        self.consistency.as_ref().unwrap_or(&self.class).clone()
    }
}
