//! Convolution, normalisation, leaky rectifier.

use burn::{
    config::Config,
    module::{Module, Param, ParamId},
    tensor::{Device, Tensor, activation::leaky_relu},
};
use slowburn_layers::{Activation, BatchNorm, BatchNormConfig, Conv2d, Maps};

use super::{MeanOnlyBatchNorm, MeanOnlyBatchNormConfig, WeightNormConv2d, WeightNormConv2dConfig, convolution};
use crate::{
    ModelError,
    error::{at_least_one, negative_slope, new_value_weight},
};

/// Added to a variance before its root divides, in data-dependent initialisation.
const EPSILON: f64 = 1e-8;

/// How the pre-activations of a convolution are normalised.
#[derive(Config, Debug, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Normalization {
    /// Batch normalisation (Ioffe & Szegedy, arXiv 1502.03167).
    Batch,
    /// Weight normalisation with mean-only batch normalisation (Salimans & Kingma,
    /// arXiv 1602.07868), as in the experiments of Mean Teacher.
    WeightNormMeanOnly,
}

/// Configures a [`ConvUnit`].
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `channels` | required | channels in, channels out | ≥ 1 |
/// | `kernel_size` | required | side of the square kernel, in pixels | ≥ 1 |
/// | `padding` | 0 | zeros on each side, in pixels | |
/// | `normalization` | `Batch` | how pre-activations are normalised | |
/// | `momentum` | 0.1 | weight of the new batch in running statistics | [0, 1] |
/// | `negative_slope` | 0.1 | slope of the rectifier below 0; 0 is ReLU | [0, 1] |
#[derive(Config, Debug, PartialEq)]
pub struct ConvUnitConfig {
    /// The number of channels of the input and of the output.
    pub channels: [usize; 2],
    /// The side of the square kernel, in pixels.
    pub kernel_size: usize,
    /// The zeros that are added on each side, in pixels.
    #[config(default = 0)]
    pub padding: usize,
    /// How pre-activations are normalised.
    #[config(default = "Normalization::Batch")]
    pub normalization: Normalization,
    /// The weight of the **new** batch in running statistics.
    #[config(default = 0.1)]
    pub momentum: f64,
    /// The slope of the rectifier below zero.
    #[config(default = 0.1)]
    pub negative_slope: f64,
}

/// A convolution with stride 1, a normalisation and a leaky rectifier.
///
/// Should be created with [`ConvUnitConfig`].
#[derive(Module, Debug)]
pub enum ConvUnit {
    /// With [`Normalization::Batch`].
    Batch(BatchNormUnit),
    /// With [`Normalization::WeightNormMeanOnly`].
    WeightNorm(WeightNormUnit),
}

/// A [`ConvUnit`] with batch normalisation.
#[derive(Module, Debug)]
pub struct BatchNormUnit {
    /// The convolution, without bias.
    pub conv: Conv2d,
    /// The normalisation.
    pub norm: BatchNorm,
    /// The slope of the rectifier below zero.
    pub negative_slope: f64,
}

/// A [`ConvUnit`] with weight normalisation and mean-only batch normalisation.
#[derive(Module, Debug)]
pub struct WeightNormUnit {
    /// The convolution, without bias.
    pub conv: WeightNormConv2d,
    /// The normalisation.
    pub norm: MeanOnlyBatchNorm,
    /// The slope of the rectifier below zero.
    pub negative_slope: f64,
}

impl ConvUnitConfig {
    /// Checks every field.
    ///
    /// # Errors
    ///
    /// [`ModelError::OutOfRange`] names the first field outside its range.
    pub fn validate(&self) -> Result<(), ModelError> {
        at_least_one("channels[0]", self.channels[0])?;
        at_least_one("channels[1]", self.channels[1])?;
        at_least_one("kernel_size", self.kernel_size)?;
        new_value_weight("momentum", self.momentum)?;
        negative_slope("negative_slope", self.negative_slope)
    }

    /// Creates the layers.
    ///
    /// # Errors
    ///
    /// As [`validate`](Self::validate).
    pub fn init(&self, device: &Device) -> Result<ConvUnit, ModelError> {
        self.validate()?;
        let channels_out = self.channels[1];
        let negative_slope = self.negative_slope;
        Ok(match self.normalization {
            Normalization::Batch => ConvUnit::Batch(BatchNormUnit {
                conv: convolution(self.channels, self.kernel_size, 1, self.padding, device),
                norm: BatchNormConfig::new(channels_out).with_momentum(self.momentum).init(device),
                negative_slope,
            }),
            Normalization::WeightNormMeanOnly => ConvUnit::WeightNorm(WeightNormUnit {
                conv: WeightNormConv2dConfig::new(self.channels, self.kernel_size)
                    .with_padding(self.padding)
                    .init(device)?,
                norm: MeanOnlyBatchNormConfig::new(channels_out).with_momentum(self.momentum).init(device)?,
                negative_slope,
            }),
        })
    }
}

impl ConvUnit {
    /// Convolves, normalises and rectifies.
    ///
    /// # Shapes
    ///
    /// - `input`: `[N, channels_in, H, W]`
    /// - output: `[N, channels_out, H + 2·padding − k + 1, W + 2·padding − k + 1]`
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        self.forward_maps(Maps::new(input)).into_tensor()
    }

    /// Convolves, normalises and rectifies maps.
    ///
    /// # Shapes
    ///
    /// - `input`: `[N, channels_in, H, W]`
    /// - output: `[N, channels_out, H + 2·padding − k + 1, W + 2·padding − k + 1]`
    pub fn forward_maps(&self, input: Maps) -> Maps {
        match self {
            Self::Batch(unit) => {
                let t = unit.conv.forward_maps(input);
                unit.norm.forward_maps(t, Activation::leaky(unit.negative_slope))
            }
            Self::WeightNorm(unit) => {
                let t = unit.conv.forward_maps(input);
                unit.norm.forward_maps(t, Activation::leaky(unit.negative_slope))
            }
        }
    }

    /// Sets the scale and the running mean of weight-normalised layers from one batch, so that the
    /// pre-activations of this batch have mean 0 and variance 1 per channel; returns the unit and
    /// its output for the batch, without gradient.
    ///
    /// With `t = v∗x/‖v‖`: `g ← 1/σ[t]`, `b ← 0`, running mean `← μ[t]/σ[t]` (Salimans & Kingma,
    /// arXiv 1602.07868, equation 6; mean-only batch norm takes the place of their
    /// `b ← −μ[t]/σ[t]`). A unit with batch normalisation does not need this and is
    /// returned as it is; its running statistics follow the batch if it is in training mode.
    pub(crate) fn init_from_batch(self, input: Tensor<4>) -> (Self, Tensor<4>) {
        let unit = match self {
            Self::Batch(_) => {
                let output = self.forward(input).detach();
                return (self, output);
            }
            Self::WeightNorm(unit) => unit,
        };
        let WeightNormUnit { mut conv, mut norm, negative_slope } = unit;

        conv.g = set(conv.g, |g| g.ones_like());
        let t = conv.forward(input).detach(); // [N, C, H, W]
        let [_, channels, _, _] = t.dims();
        let mean = t.clone().mean_dims(&[0, 2, 3]); // [1, C, 1, 1]
        let centred = t - mean.clone();
        let variance = centred.clone().powi_scalar(2).mean_dims(&[0, 2, 3]);
        let scale = (variance + EPSILON).sqrt().recip();

        let running_mean = (mean * scale.clone()).reshape([channels]);
        conv.g = set(conv.g, |_| scale.clone().reshape([channels]));
        norm.bias = set(norm.bias, |bias| bias.zeros_like());
        norm = norm.with_running_mean(running_mean);

        let output = leaky_relu(centred * scale, negative_slope);
        let unit = WeightNormUnit { conv, norm, negative_slope };
        (Self::WeightNorm(unit), output)
    }
}

/// Gives a parameter a new value; it keeps its identity and whether it is learned.
fn set(param: Param<Tensor<1>>, value: impl FnOnce(Tensor<1>) -> Tensor<1>) -> Param<Tensor<1>> {
    let id: ParamId = param.id;
    let value = value(param.val()).detach();
    param.transform_for_load(value, id)
}
