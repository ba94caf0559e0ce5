use burn::module::Module;
use burn::tensor::{Device, Tensor};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use slowburn_augment::ImageSize;
use slowburn_models::{
    ConvNet13, ConvNet13Config, Encoder, ModelError, Norm, ResNet, ResNet9, ResNet9Config, ResNetConfig, SmallConvNet,
    SmallConvNetConfig, Stem, WideResNet, WideResNetConfig,
};

/// Which encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Arch {
    /// Three convolutions, for 28×28 images on a CPU.
    Small,
    /// The 13-layer ConvNet of the Mean Teacher paper.
    #[value(name = "convnet13")]
    #[serde(rename = "convnet13")]
    ConvNet13,
    /// Eight convolutions with two residual blocks, a quarter as wide as usual.
    #[value(name = "resnet9-quarter")]
    #[serde(rename = "resnet9-quarter")]
    ResNet9Quarter,
    /// The same half as wide as usual, for CIFAR-10 on a CPU.
    #[value(name = "resnet9-half")]
    #[serde(rename = "resnet9-half")]
    ResNet9Half,
    /// The same in its usual width.
    #[value(name = "resnet9")]
    #[serde(rename = "resnet9")]
    ResNet9,
    /// ResNet-10 with a quarter of the channels, for small images on a CPU; stem as of ResNet-18.
    #[value(name = "resnet10-quarter")]
    #[serde(rename = "resnet10-quarter")]
    ResNet10Quarter,
    /// ResNet-18 with half the channels, a quarter of the multiplications; stem as of ResNet-18.
    #[value(name = "resnet18-half")]
    #[serde(rename = "resnet18-half")]
    ResNet18Half,
    /// ResNet-18; stem of 3×3, for images of 64 pixels or more of 7×7.
    #[value(name = "resnet18")]
    #[serde(rename = "resnet18")]
    ResNet18,
    /// ResNet-34; stem of 3×3, for images of 64 pixels or more of 7×7.
    #[value(name = "resnet34")]
    #[serde(rename = "resnet34")]
    ResNet34,
    /// ResNet-50; stem of 3×3, for images of 64 pixels or more of 7×7.
    #[value(name = "resnet50")]
    #[serde(rename = "resnet50")]
    ResNet50,
    /// Wide-ResNet-28-2.
    #[value(name = "wrn28-2")]
    #[serde(rename = "wrn28-2")]
    WideResNet28x2,
}

/// How an encoder normalises, where it has a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalization {
    /// Batch normalisation whose running statistics follow over tens of steps.
    Batch,
    /// The same over thousands of steps, as in TorchSSL and USB (Wide-ResNet only).
    SlowBatch,
    /// Weight normalisation with mean-only batch normalisation, initialised from a batch (13-layer ConvNet only).
    Weight,
}

/// An encoder with its settings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BackboneConfig {
    /// Which encoder.
    pub arch: Arch,
    /// How it normalises.
    pub normalization: Normalization,
    /// Groups of a batch with batch statistics of their own, where the encoder has a choice; 1 without.
    pub splits: usize,
    /// Probability of dropping a feature, where the encoder has dropout.
    pub dropout: f64,
    /// Standard deviation of the noise on the (normalised) input, where the encoder has it.
    pub input_noise: f64,
    /// A ResNet's stem; by the images if nothing is said: [`Stem::ImageNet`] from 64 pixels.
    pub stem: Option<Stem>,
}

impl Arch {
    /// Every encoder.
    pub const ALL: [Self; 11] = [
        Self::Small,
        Self::ConvNet13,
        Self::ResNet18,
        Self::ResNet34,
        Self::ResNet50,
        Self::ResNet10Quarter,
        Self::ResNet18Half,
        Self::ResNet9,
        Self::ResNet9Half,
        Self::ResNet9Quarter,
        Self::WideResNet28x2,
    ];

    /// Its name on the command line.
    pub fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Whether its batch normalisation can be split.
    pub fn splits(self) -> bool {
        self == Self::Small || self.is_resnet9() || self.is_resnet()
    }

    /// Whether it drops features and has noise on its input.
    pub fn has_dropout(self) -> bool {
        matches!(self, Self::Small | Self::ConvNet13)
    }

    /// Whether it can normalise so.
    pub fn has(self, normalization: Normalization) -> bool {
        match normalization {
            Normalization::Batch => true,
            Normalization::SlowBatch => self == Self::WideResNet28x2,
            Normalization::Weight => self == Self::ConvNet13,
        }
    }

    /// Whether its first convolution can start by whitening patches.
    pub fn whitens_patches(self) -> bool {
        self.is_resnet9()
    }

    /// Checks that patches are whitened by a network that can, if that is asked for.
    ///
    /// # Errors
    /// An error that names the settings.
    pub fn validate_whitening(self, asked: bool) -> anyhow::Result<()> {
        anyhow::ensure!(
            !asked || self.whitens_patches(),
            "network.whiten_patches is for resnet9 and its narrower kin alone, and network.arch is {}: say false",
            self.name()
        );
        Ok(())
    }

    /// The shortest side of images that it takes, in pixels.
    fn shortest_side(self) -> usize {
        match self {
            Self::Small => SmallConvNetConfig::SMALLEST_SIDE,
            Self::ConvNet13 => ConvNet13Config::SMALLEST_SIDE,
            Self::ResNet9 | Self::ResNet9Half | Self::ResNet9Quarter => ResNet9Config::SMALLEST_SIDE,
            _ => 1,
        }
    }

    /// Checks that images are not too small for it.
    ///
    /// # Errors
    /// An error that names both sizes.
    pub fn validate_size(self, ImageSize { height, width, .. }: ImageSize) -> anyhow::Result<()> {
        let shortest = self.shortest_side();
        anyhow::ensure!(
            height.min(width) >= shortest,
            "--arch {} takes images of at least {shortest}×{shortest} pixels, and these are {height}×{width}: use another, \
             or photos with a larger --size",
            self.name()
        );
        Ok(())
    }

    /// Whether it is a [`ResNet9`], of any width.
    fn is_resnet9(self) -> bool {
        matches!(self, Self::ResNet9 | Self::ResNet9Half | Self::ResNet9Quarter)
    }

    /// Whether it is a residual network with a stem.
    pub fn is_resnet(self) -> bool {
        matches!(self, Self::ResNet10Quarter | Self::ResNet18Half | Self::ResNet18 | Self::ResNet34 | Self::ResNet50)
    }
}

impl BackboneConfig {
    /// Builds the encoder with random weights, from the device's current seed.
    ///
    /// # Errors
    /// For settings out of range.
    pub fn init(&self, image: ImageSize, device: &Device) -> Result<Backbone, ModelError> {
        let channels = image.channels;
        let norm = if self.splits == 1 { Norm::Plain } else { Norm::Split { splits: self.splits } };
        let resnet = |config: ResNetConfig| -> Result<Backbone, ModelError> {
            let by_size = if image.height >= 64 { Stem::ImageNet } else { Stem::Cifar };
            let stem = self.stem.unwrap_or(by_size);
            let config = config.with_in_channels(channels).with_stem(stem).with_norm(norm);
            Ok(Backbone::ResNet(config.init(device)?))
        };
        let resnet9 = |config: ResNet9Config| -> Result<Backbone, ModelError> {
            Ok(Backbone::ResNet9(config.with_in_channels(channels).with_norm(norm).init(device)?))
        };
        match self.arch {
            Arch::Small => {
                let config = SmallConvNetConfig::new()
                    .with_in_channels(channels)
                    .with_norm(norm)
                    .with_dropout(self.dropout)
                    .with_input_noise(self.input_noise);
                Ok(Backbone::Small(config.init(device)?))
            }
            Arch::ConvNet13 => {
                let normalization = match self.normalization {
                    Normalization::Weight => slowburn_models::Normalization::WeightNormMeanOnly,
                    Normalization::Batch | Normalization::SlowBatch => slowburn_models::Normalization::Batch,
                };
                let config = ConvNet13Config::new()
                    .with_in_channels(channels)
                    .with_normalization(normalization)
                    .with_dropout(self.dropout)
                    .with_input_noise(self.input_noise);
                Ok(Backbone::ConvNet13(config.init(device)?))
            }
            Arch::ResNet9 => resnet9(ResNet9Config::new()),
            Arch::ResNet9Half => resnet9(ResNet9Config::new().with_width(32)),
            Arch::ResNet9Quarter => resnet9(ResNet9Config::new().with_width(16)),
            Arch::ResNet10Quarter => resnet(ResNetConfig::resnet10().with_width(16)),
            Arch::ResNet18Half => resnet(ResNetConfig::resnet18().with_width(32)),
            Arch::ResNet18 => resnet(ResNetConfig::resnet18()),
            Arch::ResNet34 => resnet(ResNetConfig::resnet34()),
            Arch::ResNet50 => resnet(ResNetConfig::resnet50()),
            Arch::WideResNet28x2 => {
                let config = match self.normalization {
                    Normalization::SlowBatch => WideResNetConfig::wrn_28_2_usb(),
                    Normalization::Batch | Normalization::Weight => WideResNetConfig::wrn_28_2(),
                };
                Ok(Backbone::WideResNet(config.with_in_channels(channels).init(device)?))
            }
        }
    }
}

/// The encoders there are.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant)] // few values exist per run
pub enum Backbone {
    /// Three convolutions.
    Small(SmallConvNet),
    /// The Mean Teacher paper's 13 layers.
    ConvNet13(ConvNet13),
    /// A residual network.
    ResNet(ResNet),
    /// A short residual network.
    ResNet9(ResNet9),
    /// A wide residual network.
    WideResNet(WideResNet),
}

impl Encoder for Backbone {
    fn features(&self, images: Tensor<4>) -> Tensor<2> {
        match self {
            Self::Small(network) => network.features(images),
            Self::ConvNet13(network) => network.features(images),
            Self::ResNet(network) => network.features(images),
            Self::ResNet9(network) => network.features(images),
            Self::WideResNet(network) => network.features(images),
        }
    }

    fn features_in_groups(&self, images: Tensor<4>, group: usize) -> Tensor<2> {
        match self {
            Self::Small(network) => network.features_in_groups(images, group),
            Self::ConvNet13(network) => network.features_in_groups(images, group),
            Self::ResNet(network) => network.features_in_groups(images, group),
            Self::ResNet9(network) => network.features_in_groups(images, group),
            Self::WideResNet(network) => network.features_in_groups(images, group),
        }
    }

    fn feature_dim(&self) -> usize {
        match self {
            Self::Small(network) => network.feature_dim(),
            Self::ConvNet13(network) => network.feature_dim(),
            Self::ResNet(network) => network.feature_dim(),
            Self::ResNet9(network) => network.feature_dim(),
            Self::WideResNet(network) => network.feature_dim(),
        }
    }

    fn splits(&self) -> usize {
        match self {
            Self::Small(network) => network.splits(),
            Self::ConvNet13(network) => network.splits(),
            Self::ResNet(network) => network.splits(),
            Self::ResNet9(network) => network.splits(),
            Self::WideResNet(network) => network.splits(),
        }
    }
}

impl Backbone {
    /// Initialises from a batch what can be: weight-normalised layers, and the first convolution of a ResNet-9, which then
    /// whitens patches. Other networks stay as they are.
    ///
    /// # Errors
    /// If a pixel is not finite.
    pub fn init_from_batch(self, images: Tensor<4>) -> Result<Self, ModelError> {
        Ok(match self {
            Self::ConvNet13(network) => Self::ConvNet13(network.init_from_batch(images)),
            Self::ResNet9(network) => Self::ResNet9(network.init_from_batch(images)?),
            other => other,
        })
    }
}
