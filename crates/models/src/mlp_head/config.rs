//! Settings of heads, and those of the papers.

use burn::{config::Config, nn::LinearConfig, tensor::Device};

use super::{HeadNorm, MlpHead, MlpLayer};
use crate::{
    Encoder, ModelError, ProjectionHead, Projector,
    error::{at_least_one, in_range},
};

/// What normalises the output of an [`MlpHead`].
#[derive(Config, Debug, Copy, PartialEq, Eq)]
pub enum OutputNorm {
    /// Nothing.
    None,
    /// Batch normalisation without scale and shift.
    Plain,
    /// Batch normalisation with both.
    Affine,
}

/// Configures an [`MlpHead`].
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `hidden` | required | widths of the hidden layers, in order; none for one linear layer | each ≥ 1 |
/// | `dim` | required | length of the output | ≥ 1 |
/// | `hidden_bias` | false | hidden layers have biases | |
/// | `hidden_norm` | true | hidden layers have batch normalisation | |
/// | `output_bias` | false | the last layer has a bias | |
/// | `output_norm` | `None` | batch normalisation of the output | |
///
/// The heads of the papers are values of it. Linear layers without their normalisations and rectifiers:
///
/// | | Layers | Hidden | Output |
/// |---|---|---|---|
/// | [`byol`](Self::byol), projector and predictor | 4096, 256 | bias, normalised | no bias |
/// | [`simsiam_projector`](Self::simsiam_projector) | 2048, 2048, 2048 | no bias, normalised | no bias, normalised without scale and shift |
/// | [`simsiam_predictor`](Self::simsiam_predictor) | 512, 2048 | no bias, normalised | bias |
/// | [`moco_v3_projector`](Self::moco_v3_projector) | 4096, 256 | no bias, normalised | no bias, normalised without scale and shift |
/// | [`moco_v3_predictor`](Self::moco_v3_predictor) | 4096, 256 | no bias, normalised | no bias |
///
/// ```
/// use burn::tensor::Device;
/// use slowburn_models::{MlpHeadConfig, SmallConvNetConfig, num_learnable_params, parameters};
///
/// let device = Device::flex();
/// let encoder = SmallConvNetConfig::new().init(&device)?;
/// let projector = MlpHeadConfig::byol().with_dim(64).init_projector(encoder, &device)?;
/// let names: Vec<String> = parameters(&projector.fc).into_iter().map(|parameter| parameter.name).collect();
/// assert_eq!(names[..2], ["0.weight", "0.bias"]);
/// assert_eq!(names[names.len() - 1], "3.weight");
///
/// let predictor = MlpHeadConfig::byol().with_dim(64).init(64, &device)?;
/// assert_eq!(num_learnable_params(&predictor), 64 * 4096 + 3 * 4096 + 4096 * 64);
/// # Ok::<(), slowburn_models::ModelError>(())
/// ```
#[derive(Config, Debug, PartialEq)]
pub struct MlpHeadConfig {
    /// The widths of the hidden layers, in order.
    pub hidden: Vec<usize>,
    /// The length of the output.
    pub dim: usize,
    /// Whether hidden layers have biases.
    #[config(default = false)]
    pub hidden_bias: bool,
    /// Whether hidden layers have batch normalisation.
    #[config(default = true)]
    pub hidden_norm: bool,
    /// Whether the last layer has a bias.
    #[config(default = false)]
    pub output_bias: bool,
    /// What normalises the output.
    #[config(default = "OutputNorm::None")]
    pub output_norm: OutputNorm,
}

impl MlpHeadConfig {
    /// BYOL's projector and predictor (Grill et al., arXiv 2006.07733): hidden 4,096 with bias and batch normalisation,
    /// output 256 without either.
    pub fn byol() -> Self {
        Self::new(vec![4096], 256).with_hidden_bias(true)
    }

    /// SimSiam's projector on ImageNet (Chen & He, arXiv 2011.10566, §3): three layers of 2,048 without biases, each
    /// with batch normalisation, the last without scale and shift.
    pub fn simsiam_projector() -> Self {
        Self::new(vec![2048, 2048], 2048).with_output_norm(OutputNorm::Plain)
    }

    /// SimSiam's projector on CIFAR-10 (arXiv 2011.10566, appendix D): two layers of that kind.
    pub fn simsiam_projector_cifar() -> Self {
        Self { hidden: vec![2048], ..Self::simsiam_projector() }
    }

    /// SimSiam's predictor (arXiv 2011.10566, §3): a bottleneck of 512 with batch normalisation and without bias, an
    /// output of 2,048 with a bias and without batch normalisation.
    pub fn simsiam_predictor() -> Self {
        Self::new(vec![512], 2048).with_output_bias(true)
    }

    /// The projector of MoCo v3 on residual networks (Chen et al., arXiv 2104.02057): hidden 4,096, output 256, no
    /// biases, batch normalisation of both, the last without scale and shift.
    pub fn moco_v3_projector() -> Self {
        Self::new(vec![4096], 256).with_output_norm(OutputNorm::Plain)
    }

    /// The predictor of MoCo v3 on residual networks (arXiv 2104.02057): as its projector, the output not normalised.
    pub fn moco_v3_predictor() -> Self {
        Self::new(vec![4096], 256)
    }

    /// Sets the length of the output.
    pub fn with_dim(self, dim: usize) -> Self {
        Self { dim, ..self }
    }

    /// Sets the widths of the hidden layers, in order.
    pub fn with_hidden(self, hidden: Vec<usize>) -> Self {
        Self { hidden, ..self }
    }

    /// Checks every field.
    ///
    /// # Errors
    ///
    /// [`ModelError::OutOfRange`] names the field.
    pub fn validate(&self) -> Result<(), ModelError> {
        self.hidden.iter().try_for_each(|&width| at_least_one("hidden", width))?;
        at_least_one("dim", self.dim)
    }

    /// Creates a head for features of length `feature_dim`, or a predictor for projections of this length.
    ///
    /// # Errors
    ///
    /// As [`validate`](Self::validate), and if the features have no dimension.
    pub fn init(&self, feature_dim: usize, device: &Device) -> Result<MlpHead, ModelError> {
        self.validate()?;
        in_range("feature_dim", feature_dim as f64, feature_dim >= 1, "at least 1")?;
        let mut layers = Vec::with_capacity(self.hidden.len() + 1);
        let mut inputs = feature_dim;
        for &width in &self.hidden {
            let linear = LinearConfig::new(inputs, width).with_bias(self.hidden_bias).init(device);
            let norm = self.hidden_norm.then(|| HeadNorm::new(true, width, device));
            layers.push(MlpLayer { linear, norm });
            inputs = width;
        }
        let linear = LinearConfig::new(inputs, self.dim).with_bias(self.output_bias).init(device);
        let norm = match self.output_norm {
            OutputNorm::None => None,
            OutputNorm::Plain => Some(HeadNorm::new(false, self.dim, device)),
            OutputNorm::Affine => Some(HeadNorm::new(true, self.dim, device)),
        };
        layers.push(MlpLayer { linear, norm });
        Ok(MlpHead { layers })
    }

    /// Puts such a head on `encoder`.
    ///
    /// # Errors
    ///
    /// As [`init`](Self::init).
    pub fn init_projector<E: Encoder>(&self, encoder: E, device: &Device) -> Result<Projector<E>, ModelError> {
        let fc = ProjectionHead::Mlp(self.init(encoder.feature_dim(), device)?);
        Ok(Projector { encoder, fc })
    }
}
