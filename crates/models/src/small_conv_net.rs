//! A small network for small images on a CPU.

use burn::{
    config::Config,
    module::Module,
    nn::{Dropout, DropoutConfig, GaussianNoise, GaussianNoiseConfig},
    tensor::{Device, Tensor},
};
use slowburn_layers::{Activation, Conv2d, Maps, dropout, global_average_pool, in_pool};

use crate::{
    Encoder, ModelError,
    encoder::{assert_images, maps},
    error::{at_least_one, dropout_probability, new_value_weight, standard_deviation},
    layers::{Norm, SplitBatchNorm, convolution},
};

const NEGATIVE_SLOPE: f64 = 0.1;

/// Configures a [`SmallConvNet`].
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `in_channels` | 1 | channels of the images | ≥ 1 |
/// | `widths` | 32, 64, 128 | channels of the convolutions; the last is the length of the features | ≥ 1 |
/// | `input_noise` | 0 | standard deviation of the noise on the images, in their units | ≥ 0 |
/// | `dropout` | 0 | probability of zeroing a value, before the last convolution | [0, 1) |
/// | `norm` | `Plain` | over which samples batch statistics are taken | |
/// | `momentum` | 0.1 | weight of the new batch in running statistics | [0, 1] |
#[derive(Config, Debug, PartialEq)]
pub struct SmallConvNetConfig {
    /// The number of channels of the images.
    #[config(default = 1)]
    pub in_channels: usize,
    /// The number of channels of the three convolutions.
    #[config(default = "[32, 64, 128]")]
    pub widths: [usize; 3],
    /// The standard deviation of the Gaussian noise that training adds to the images, in the units
    /// of the (normalised) images.
    #[config(default = 0.0)]
    pub input_noise: f64,
    /// The probability with which dropout zeroes a value.
    #[config(default = 0.0)]
    pub dropout: f64,
    /// Over which samples of a batch the batch statistics are taken.
    #[config(default = "Norm::Plain")]
    pub norm: Norm,
    /// The weight of the **new** batch in running statistics.
    #[config(default = 0.1)]
    pub momentum: f64,
}

/// Three convolutions for images of 28×28 or 32×32 pixels: small enough to try a method on a CPU.
///
/// | Layer | With the default `widths`, images 1×28×28 | Multiply-adds |
/// |---|---|---|
/// | `conv1` | 3×3, stride 2, padded: 32×14×14 | 0.06 million |
/// | `conv2` | 3×3, stride 2, padded: 64×7×7 | 0.90 million |
/// | `conv3` | 3×3, not padded: 128×5×5 | 1.84 million |
/// | pooling | mean over 5×5: 128 | |
///
/// Each convolution is followed by batch normalisation and a leaky rectifier of slope 0.1. That is
/// 2.8 million multiply-adds an image and 92,896 learnable parameters. Any image of at least 9×9
/// pixels will do.
///
/// Should be created with [`SmallConvNetConfig`].
#[derive(Module, Debug)]
pub struct SmallConvNet {
    /// Noise on the images.
    pub noise: GaussianNoise,
    /// 3×3, stride 2.
    pub conv1: Conv2d,
    /// Normalises the first convolution.
    pub bn1: SplitBatchNorm,
    /// 3×3, stride 2.
    pub conv2: Conv2d,
    /// Normalises the second convolution.
    pub bn2: SplitBatchNorm,
    /// Dropout before the last convolution.
    pub dropout: Dropout,
    /// 3×3, without padding.
    pub conv3: Conv2d,
    /// Normalises the last convolution.
    pub bn3: SplitBatchNorm,
    /// The number of channels of the images.
    pub in_channels: usize,
    /// The length of a feature vector.
    pub feature_dim: usize,
}

impl SmallConvNetConfig {
    /// The shortest side of images that the network takes, in pixels: two strides of 2 and a 3×3 kernel without padding leave one
    /// pixel of this many.
    pub const SMALLEST_SIDE: usize = 9;

    /// Checks every field.
    ///
    /// # Errors
    ///
    /// [`ModelError::OutOfRange`] names the first field outside its range.
    pub fn validate(&self) -> Result<(), ModelError> {
        at_least_one("in_channels", self.in_channels)?;
        for width in self.widths {
            at_least_one("widths", width)?;
        }
        standard_deviation("input_noise", self.input_noise)?;
        dropout_probability("dropout", self.dropout)?;
        self.norm.validate()?;
        new_value_weight("momentum", self.momentum)
    }

    /// Creates the network.
    ///
    /// # Errors
    ///
    /// As [`validate`](Self::validate).
    pub fn init(&self, device: &Device) -> Result<SmallConvNet, ModelError> {
        self.validate()?;
        let [width1, width2, width3] = self.widths;
        let norm = |channels| self.norm.init(channels, self.momentum, device);
        Ok(SmallConvNet {
            noise: GaussianNoiseConfig::new(self.input_noise).init(),
            conv1: convolution([self.in_channels, width1], 3, 2, 1, device),
            bn1: norm(width1)?,
            conv2: convolution([width1, width2], 3, 2, 1, device),
            bn2: norm(width2)?,
            dropout: DropoutConfig::new(self.dropout).init(),
            conv3: convolution([width2, width3], 3, 1, 0, device),
            bn3: norm(width3)?,
            in_channels: self.in_channels,
            feature_dim: width3,
        })
    }
}

impl Encoder for SmallConvNet {
    /// # Panics
    ///
    /// If the images have another number of channels than configured or fewer than 9 pixels a
    /// side or, in training, if the splits of [`Norm::Split`] do not divide the batch.
    fn features(&self, images: Tensor<4>) -> Tensor<2> {
        self.encode(images, None)
    }

    fn features_in_groups(&self, images: Tensor<4>, group: usize) -> Tensor<2> {
        self.encode(images, Some(group))
    }

    fn feature_dim(&self) -> usize {
        self.feature_dim
    }

    fn splits(&self) -> usize {
        self.bn1.splits
    }
}

impl SmallConvNet {
    fn encode(&self, images: Tensor<4>, group: Option<usize>) -> Tensor<2> {
        assert_images(&images, self.in_channels, SmallConvNetConfig::SMALLEST_SIDE);

        in_pool(&images.device(), || {
            let x = maps(self.noise.forward(images), group);
            let x = unit(&self.conv1, &self.bn1, x); // [N, w₁, H/2, W/2]
            let x = unit(&self.conv2, &self.bn2, x); // [N, w₂, H/4, W/4]
            let x = dropout(x, &self.dropout);
            let x = unit(&self.conv3, &self.bn3, x); // [N, w₃, H/4 − 2, W/4 − 2]
            global_average_pool(x) // [N, w₃]
        })
    }
}

fn unit(conv: &Conv2d, norm: &SplitBatchNorm, input: Maps) -> Maps {
    norm.forward_maps(conv.forward_maps(input), Activation::leaky(NEGATIVE_SLOPE))
}
