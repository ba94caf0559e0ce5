//! An encoder with one or two linear heads.

use burn::{
    config::Config,
    nn::{Linear, LinearConfig},
    tensor::{Device, Tensor, assert_shape},
};

use crate::{
    Encoder, ModelError,
    error::{at_least_one, in_range},
    named::named,
};

/// Configures a [`Classifier`].
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `num_classes` | required | classes, and so logits of each head | ≥ 1 |
/// | `consistency_head` | `false` | a second head, for the consistency cost | |
/// | `group` | none | images that share batch statistics in training | ≥ 1 |
#[derive(Config, Debug, PartialEq)]
pub struct ClassifierConfig {
    /// The number of classes.
    pub num_classes: usize,
    /// Whether there is a second head whose logits only the consistency cost sees.
    #[config(default = false)]
    pub consistency_head: bool,
    /// How many consecutive images of a batch share batch statistics in training; all of them if `None`.
    pub group: Option<usize>,
}

/// An encoder with a linear classification head `fc`, and optionally a second one,
/// `fc_consistency`, for the consistency cost.
///
/// Mean Teacher's residual networks have two heads: the classification cost reaches the first,
/// the consistency cost the second, and a cost on the distance of their logits ties them loosely
/// together (Tarvainen & Valpola, arXiv 1703.01780).
///
/// In training, consecutive images of a batch may form groups with batch statistics of their own, as if they passed the network one
/// after another (ghost batch normalisation: Hoffer et al., arXiv 1705.08741). With labelled images first and a group as large
/// as their share, the class cost sees the statistics that it would see in supervised training.
///
/// Should be created with [`ClassifierConfig`].
#[derive(Debug, Clone)]
pub struct Classifier<E: Encoder> {
    /// The network below the heads.
    pub encoder: E,
    /// The classification head: `[N, D]` to `[N, num_classes]`.
    pub fc: Linear,
    /// The consistency head, of the same shape.
    pub fc_consistency: Option<Linear>,
    /// How many consecutive images share batch statistics in training; all of them if `None`. A **size**, of neighbours in the batch:
    /// labelled images, which come first in a two-stream batch, have statistics of their own. `splits` of
    /// [`SplitBatchNorm`](crate::SplitBatchNorm) is a **number** of groups, of every n-th image.
    pub group: Option<usize>,
}

named!(Classifier<E: Encoder> { encoder: "", fc: "fc", fc_consistency: "fc_consistency"; group });

impl ClassifierConfig {
    /// Checks every field.
    ///
    /// # Errors
    ///
    /// [`ModelError::OutOfRange`] names the first field outside its range.
    pub fn validate(&self) -> Result<(), ModelError> {
        at_least_one("group", self.group.unwrap_or(1))?;
        at_least_one("num_classes", self.num_classes)
    }

    /// Puts the heads on `encoder`.
    ///
    /// Weights and biases start uniform in ±1/√D, as PyTorch's linear layers do.
    ///
    /// # Errors
    ///
    /// As [`validate`](Self::validate), and if the encoder's features have no dimension.
    pub fn init<E: Encoder>(&self, encoder: E, device: &Device) -> Result<Classifier<E>, ModelError> {
        self.validate()?;
        let dim = encoder.feature_dim();
        in_range("feature_dim", dim as f64, dim >= 1, "at least 1")?;
        let head = LinearConfig::new(dim, self.num_classes);
        Ok(Classifier {
            encoder,
            fc: head.init(device),
            fc_consistency: self.consistency_head.then(|| head.init(device)),
            group: self.group,
        })
    }
}

impl<E: Encoder> Classifier<E> {
    /// The logits of a batch of images: unnormalised log-probabilities of the classes.
    ///
    /// # Shapes
    ///
    /// - `images`: `[N, C, H, W]`
    /// - output: `[N, num_classes]`
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.forward_heads(images).0
    }

    /// The logits of both heads: of the class head, and of the consistency head if there is one.
    ///
    /// # Shapes
    ///
    /// - `images`: `[N, C, H, W]`
    /// - output: `[N, num_classes]` for each head
    pub fn forward_heads(&self, images: Tensor<4>) -> (Tensor<2>, Option<Tensor<2>>) {
        self.heads(self.features(images))
    }

    /// The features of a batch, of whose groups the last has what is left.
    fn features(&self, images: Tensor<4>) -> Tensor<2> {
        let [batch, ..] = images.dims();
        let Some(group) = self.group.filter(|&group| images.device().is_autodiff() && group < batch) else {
            return self.encoder.features(images);
        };
        let whole = batch - batch % group;
        if whole == batch {
            return self.encoder.features_in_groups(images, group);
        }
        let rest = self.encoder.features(images.clone().slice(whole..batch));
        Tensor::cat(vec![self.encoder.features_in_groups(images.slice(0..whole), group), rest], 0)
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
    pub fn heads(&self, features: Tensor<2>) -> (Tensor<2>, Option<Tensor<2>>) {
        let dim = self.encoder.feature_dim();
        assert_shape!(features, [_, dim]);
        let consistency = self.fc_consistency.as_ref().map(|head| head.forward(features.clone()));
        (self.fc.forward(features), consistency)
    }

    /// The number of classes.
    pub fn num_classes(&self) -> usize {
        self.fc.weight.lazy_shape()[1]
    }
}
