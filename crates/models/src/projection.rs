//! An encoder with the projection head of contrastive learning.

use burn::{
    config::Config,
    module::Module,
    nn::{Linear, LinearConfig},
    tensor::{Device, Tensor, activation::relu, assert_shape},
};

use crate::{
    Encoder, MlpHead, ModelError,
    error::{at_least_one, in_range},
    named::named,
};

/// Which projection head.
#[derive(Config, Debug, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeadVersion {
    /// MoCo v1: one linear layer (He et al., arXiv 1911.05722, §3.3).
    V1,
    /// MoCo v2: `Linear(D, D)`, ReLU, `Linear(D, dim)`, without batch normalisation (Chen et al., arXiv 2003.04297).
    V2,
}

/// Configures a [`ProjectionHead`] or a [`Projector`].
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `version` | required | one layer or two | |
/// | `dim` | 128 | length of an embedding | ≥ 1 |
#[derive(Config, Debug, PartialEq)]
pub struct ProjectionConfig {
    /// One layer or two.
    pub version: HeadVersion,
    /// The length of an embedding.
    #[config(default = 128)]
    pub dim: usize,
}

/// Maps features to the embedding that a contrastive loss compares.
///
/// Weights and biases start uniform in ±1/√D, as PyTorch's linear layers do. The output is not of unit length.
/// Should be created with [`ProjectionConfig`], or with [`MlpHeadConfig`](crate::MlpHeadConfig).
#[derive(Module, Debug)]
pub enum ProjectionHead {
    /// `W·x + b`.
    V1(Linear),
    /// `W₂·relu(W₁·x + b₁) + b₂`.
    V2(Mlp),
    /// Layers with batch normalisation: BYOL's, SimSiam's, MoCo v3's.
    Mlp(MlpHead),
}

/// Two linear layers with a rectifier between them.
///
/// Its parameters have the numbers of PyTorch's `Sequential`, in which the rectifier is 1.
#[derive(Debug, Clone)]
pub struct Mlp {
    /// The first layer, `[D, D]`.
    pub hidden: Linear,
    /// The second layer, `[D, dim]`.
    pub output: Linear,
}

named!(Mlp { hidden: "0", output: "2" });

/// An [`Encoder`] with a projection head `fc`: the network that MoCo trains.
///
/// [`state_dict`](crate::state_dict) has the names of MoCo's checkpoints: those of torchvision, `fc` for the head of
/// v1, `fc.0` and `fc.2` for that of v2. Should be created with [`ProjectionConfig`], or with
/// [`MlpHeadConfig`](crate::MlpHeadConfig) for a head with batch normalisation.
#[derive(Debug, Clone)]
pub struct Projector<E: Encoder> {
    /// The network below the head; its features are what evaluation uses.
    pub encoder: E,
    /// The head.
    pub fc: ProjectionHead,
}

named!(Projector<E: Encoder> { encoder: "", fc: "fc" });

impl ProjectionConfig {
    /// Checks every field.
    ///
    /// # Errors
    ///
    /// [`ModelError::OutOfRange`] names the field.
    pub fn validate(&self) -> Result<(), ModelError> {
        at_least_one("dim", self.dim)
    }

    /// Creates a head for features of length `feature_dim`.
    ///
    /// # Errors
    ///
    /// As [`validate`](Self::validate), and if the features have no dimension.
    pub fn init_head(&self, feature_dim: usize, device: &Device) -> Result<ProjectionHead, ModelError> {
        self.validate()?;
        in_range("feature_dim", feature_dim as f64, feature_dim >= 1, "at least 1")?;
        let output = LinearConfig::new(feature_dim, self.dim);
        Ok(match self.version {
            HeadVersion::V1 => ProjectionHead::V1(output.init(device)),
            HeadVersion::V2 => {
                let hidden = LinearConfig::new(feature_dim, feature_dim).init(device);
                ProjectionHead::V2(Mlp { hidden, output: output.init(device) })
            }
        })
    }

    /// Puts a head on `encoder`.
    ///
    /// # Errors
    ///
    /// As [`init_head`](Self::init_head).
    pub fn init<E: Encoder>(&self, encoder: E, device: &Device) -> Result<Projector<E>, ModelError> {
        let fc = self.init_head(encoder.feature_dim(), device)?;
        Ok(Projector { encoder, fc })
    }
}

impl ProjectionHead {
    /// Projects features.
    ///
    /// # Shapes
    ///
    /// - `features`: `[N, D]`
    /// - output: `[N, dim]`
    ///
    /// # Panics
    ///
    /// If the second axis is not the length of the features that the head was made for.
    pub fn forward(&self, features: Tensor<2>) -> Tensor<2> {
        let first = match self {
            Self::V1(linear) => linear,
            Self::V2(mlp) => &mlp.hidden,
            Self::Mlp(head) => return head.forward(features),
        };
        let feature_dim = first.weight.lazy_shape()[0];
        assert_shape!(features, [_, feature_dim]);
        let x = first.forward(features);
        match self {
            Self::V2(mlp) => mlp.output.forward(relu(x)),
            Self::V1(_) | Self::Mlp(_) => x,
        }
    }

    /// The length of an embedding.
    pub fn dim(&self) -> usize {
        let last = match self {
            Self::V1(linear) => linear,
            Self::V2(mlp) => &mlp.output,
            Self::Mlp(head) => return head.dim(),
        };
        last.weight.lazy_shape()[1]
    }
}

impl<E: Encoder> Projector<E> {
    /// The embeddings of a batch of images, not normalised.
    ///
    /// # Shapes
    ///
    /// - `images`: `[N, C, H, W]`
    /// - output: `[N, dim]`
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.fc.forward(self.encoder.features(images))
    }
}
