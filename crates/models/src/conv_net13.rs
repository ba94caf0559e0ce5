//! The 13-layer convolutional network of Mean Teacher.

use burn::{
    config::Config,
    module::Module,
    nn::{
        Dropout, DropoutConfig, GaussianNoise, GaussianNoiseConfig,
        pool::{MaxPool2d, MaxPool2dConfig},
    },
    tensor::{Device, Tensor},
};
use slowburn_layers::{Maps, dropout, global_average_pool, in_pool, max_pool};

use crate::{
    Encoder, ModelError, Normalization,
    encoder::{assert_images, maps},
    error::{at_least_one, dropout_probability, negative_slope, new_value_weight, standard_deviation},
    layers::{ConvUnit, ConvUnitConfig},
};

/// Configures a [`ConvNet13`].
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `in_channels` | 3 | channels of the images | ≥ 1 |
/// | `width` | 128 | channels of the first block, and length of the features | ≥ 1 |
/// | `input_noise` | 0.15 | standard deviation of the noise on the images, in their units | ≥ 0 |
/// | `dropout` | 0.5 | probability of zeroing a value, after each pooling | [0, 1) |
/// | `normalization` | `Batch` | how pre-activations are normalised | |
/// | `momentum` | 0.1 | weight of the new batch in running statistics | [0, 1] |
/// | `negative_slope` | 0.1 | slope of the rectifiers below 0 | [0, 1] |
///
/// The defaults are the paper's, but for batch normalisation in place of weight normalisation,
/// because it needs no initialisation batch. The network of the authors' code is
/// `.with_normalization(Normalization::WeightNormMeanOnly).with_momentum(0.001)` followed by
/// [`ConvNet13::init_from_batch`]; its classification layers are weight-normalised too, where
/// [`Classifier`](crate::Classifier)'s are plain.
#[derive(Config, Debug, PartialEq)]
pub struct ConvNet13Config {
    /// The number of channels of the images.
    #[config(default = 3)]
    pub in_channels: usize,
    /// The number of channels of the first block; the others are multiples of it.
    #[config(default = 128)]
    pub width: usize,
    /// The standard deviation of the Gaussian noise that training adds to the images, in the units
    /// of the (normalised) images.
    #[config(default = 0.15)]
    pub input_noise: f64,
    /// The probability with which dropout zeroes a value.
    #[config(default = 0.5)]
    pub dropout: f64,
    /// How pre-activations are normalised.
    #[config(default = "Normalization::Batch")]
    pub normalization: Normalization,
    /// The weight of the **new** batch in running statistics.
    #[config(default = 0.1)]
    pub momentum: f64,
    /// The slope of the rectifiers below zero.
    #[config(default = 0.1)]
    pub negative_slope: f64,
}

/// The 13-layer network of Mean Teacher (Tarvainen & Valpola, arXiv 1703.01780, table 5), without
/// its classification layer, which [`Classifier`](crate::Classifier) adds.
///
/// | Layer | With `width` 128, images 32×32 |
/// |---|---|
/// | noise | N(0, 0.15²) |
/// | `block1` | 3 × convolution 3×3, 128 channels, padded |
/// | pooling, dropout | maximum over 2×2; 0.5 |
/// | `block2` | 3 × convolution 3×3, 256 channels, padded |
/// | pooling, dropout | maximum over 2×2; 0.5 |
/// | `block3` | convolution 3×3, 512 channels, not padded; 1×1, 256; 1×1, 128 |
/// | pooling | mean over 6×6 |
///
/// Each convolution is followed by a normalisation and a leaky rectifier of slope 0.1. Any image
/// of at least 12×12 pixels will do.
///
/// Should be created with [`ConvNet13Config`].
#[derive(Module, Debug)]
pub struct ConvNet13 {
    /// Noise on the images.
    pub noise: GaussianNoise,
    /// Convolutions at full resolution.
    pub block1: Vec<ConvUnit>,
    /// Convolutions at half the resolution.
    pub block2: Vec<ConvUnit>,
    /// Convolutions at a quarter of the resolution.
    pub block3: Vec<ConvUnit>,
    /// Pooling after the first and the second block.
    pub pool: MaxPool2d,
    /// Dropout after the first pooling.
    pub dropout1: Dropout,
    /// Dropout after the second pooling.
    pub dropout2: Dropout,
    /// The number of channels of the images.
    pub in_channels: usize,
    /// The length of a feature vector.
    pub width: usize,
}

impl ConvNet13Config {
    /// The shortest side of images that the network takes, in pixels: two poolings and a 3×3 kernel without padding leave one
    /// pixel of this many.
    pub const SMALLEST_SIDE: usize = 12;

    /// Checks every field.
    ///
    /// # Errors
    ///
    /// [`ModelError::OutOfRange`] names the first field outside its range.
    pub fn validate(&self) -> Result<(), ModelError> {
        at_least_one("in_channels", self.in_channels)?;
        at_least_one("width", self.width)?;
        standard_deviation("input_noise", self.input_noise)?;
        dropout_probability("dropout", self.dropout)?;
        new_value_weight("momentum", self.momentum)?;
        negative_slope("negative_slope", self.negative_slope)
    }

    /// Creates the network.
    ///
    /// # Errors
    ///
    /// As [`validate`](Self::validate).
    pub fn init(&self, device: &Device) -> Result<ConvNet13, ModelError> {
        self.validate()?;
        let width = self.width;
        let unit = |channels_in, channels_out, kernel_size, padding| {
            ConvUnitConfig::new([channels_in, channels_out], kernel_size)
                .with_padding(padding)
                .with_normalization(self.normalization)
                .with_momentum(self.momentum)
                .with_negative_slope(self.negative_slope)
                .init(device)
        };
        let dropout = DropoutConfig::new(self.dropout);
        Ok(ConvNet13 {
            noise: GaussianNoiseConfig::new(self.input_noise).init(),
            block1: vec![unit(self.in_channels, width, 3, 1)?, unit(width, width, 3, 1)?, unit(width, width, 3, 1)?],
            block2: vec![
                unit(width, 2 * width, 3, 1)?,
                unit(2 * width, 2 * width, 3, 1)?,
                unit(2 * width, 2 * width, 3, 1)?,
            ],
            block3: vec![
                unit(2 * width, 4 * width, 3, 0)?,
                unit(4 * width, 2 * width, 1, 0)?,
                unit(2 * width, width, 1, 0)?,
            ],
            pool: MaxPool2dConfig::new([2, 2]).init(),
            dropout1: dropout.init(),
            dropout2: dropout.init(),
            in_channels: self.in_channels,
            width,
        })
    }
}

impl Encoder for ConvNet13 {
    /// # Panics
    ///
    /// If the images have another number of channels than configured or fewer than 12 pixels a
    /// side.
    fn features(&self, images: Tensor<4>) -> Tensor<2> {
        self.encode(images, None)
    }

    fn features_in_groups(&self, images: Tensor<4>, group: usize) -> Tensor<2> {
        self.encode(images, Some(group))
    }

    fn feature_dim(&self) -> usize {
        self.width
    }
}

impl ConvNet13 {
    fn encode(&self, images: Tensor<4>, group: Option<usize>) -> Tensor<2> {
        assert_images(&images, self.in_channels, ConvNet13Config::SMALLEST_SIDE);
        in_pool(&images.device(), || {
            let x = maps(self.noise.forward(images), group);
            let x = through(&self.block1, x); // [N, w, H, W]
            let x = dropout(max_pool(x, &self.pool), &self.dropout1); // [N, w, H/2, W/2]
            let x = through(&self.block2, x); // [N, 2w, H/2, W/2]
            let x = dropout(max_pool(x, &self.pool), &self.dropout2); // [N, 2w, H/4, W/4]
            let x = through(&self.block3, x); // [N, w, H/4 − 2, W/4 − 2]
            global_average_pool(x) // [N, w]
        })
    }
}

impl ConvNet13 {
    /// Initialises weight-normalised layers from one batch, after which the pre-activations of
    /// this batch have mean 0 and variance 1 in every channel (Salimans & Kingma,
    /// arXiv 1602.07868, section 3).
    ///
    /// Noise and dropout follow the device of the images, as in [`Encoder::features`]: on an
    /// autodiff device they are on, as in the authors' code. With
    /// [`Normalization::Batch`] there is nothing to initialise.
    ///
    /// Call it before training and before the teacher is cloned.
    ///
    /// # Shapes
    ///
    /// - `images`: `[N, C, H, W]`, a typical batch
    ///
    /// # Panics
    ///
    /// As [`features`](Encoder::features).
    #[must_use]
    pub fn init_from_batch(mut self, images: Tensor<4>) -> Self {
        assert_images(&images, self.in_channels, ConvNet13Config::SMALLEST_SIDE);
        let x = self.noise.forward(images);
        let x = initialise(&mut self.block1, x);
        let x = self.dropout1.forward(self.pool.forward(x));
        let x = initialise(&mut self.block2, x);
        let x = self.dropout2.forward(self.pool.forward(x));
        initialise(&mut self.block3, x);
        self
    }
}

fn through(units: &[ConvUnit], input: Maps) -> Maps {
    units.iter().fold(input, |x, unit| unit.forward_maps(x))
}

fn initialise(units: &mut Vec<ConvUnit>, input: Tensor<4>) -> Tensor<4> {
    let mut x = input;
    let mut initialised = Vec::with_capacity(units.len());
    for unit in units.drain(..) {
        let (unit, output) = unit.init_from_batch(x);
        initialised.push(unit);
        x = output;
    }
    *units = initialised;
    x
}
