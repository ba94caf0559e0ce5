//! The networks that are measured, as the methods want them.

use anyhow::Result;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use slowburn_contrastive::Encode;
use slowburn_models::{
    Classifier, ClassifierConfig, ConvNet13, ConvNet13Config, Encoder, HeadVersion, Norm, Normalization,
    ProjectionConfig, Projector, ResNet, ResNetConfig, SmallConvNet, SmallConvNetConfig, Stem, WideResNet,
    WideResNetConfig,
};
use slowburn_semi::{Logits, Predict};

use super::contrast::DIM;
use super::{SEED, images};

/// Of a ResNet-18 without a head, which `compare` checks.
pub const RESNET18_WEIGHTS: usize = 11_176_512;

/// Of CIFAR-10.
pub const CLASSES: usize = 10;

/// ResNet-18 with a 3×3 stem, its batch normalisation by so many splits, on autodiff.
///
/// # Errors
/// For 0 splits.
pub fn resnet18_cifar(splits: usize, device: &Device) -> Result<ResNet> {
    device.seed(SEED);
    let norm = if splits == 1 { Norm::Plain } else { Norm::Split { splits } };
    let config = ResNetConfig::resnet18().with_stem(Stem::Cifar).with_norm(norm);
    Ok(config.try_init(&device.clone().autodiff())?)
}

/// ResNet-50 for images of 224×224, on autodiff.
///
/// # Errors
/// None with these settings.
pub fn resnet50(device: &Device) -> Result<ResNet> {
    device.seed(SEED);
    Ok(ResNetConfig::resnet50().try_init(&device.clone().autodiff())?)
}

/// Wide-ResNet-28-2, on autodiff.
///
/// # Errors
/// None with these settings.
pub fn wide_resnet(device: &Device) -> Result<WideResNet> {
    device.seed(SEED);
    Ok(WideResNetConfig::wrn_28_2().try_init(&device.clone().autodiff())?)
}

/// The network of the examples' default runs, for images of 28×28 with one channel, on autodiff.
///
/// # Errors
/// None with these settings.
pub fn small(device: &Device) -> Result<SmallConvNet> {
    device.seed(SEED);
    Ok(SmallConvNetConfig::new().try_init(&device.clone().autodiff())?)
}

/// The 13-layer ConvNet as Mean Teacher's authors have it, on autodiff: weight normalisation, mean-only batch
/// normalisation, initialised from a batch.
///
/// # Errors
/// None with these settings.
pub fn conv_net13(device: &Device) -> Result<ConvNet13> {
    device.seed(SEED);
    let device = device.clone().autodiff();
    let config = ConvNet13Config::new().with_normalization(Normalization::WeightNormMeanOnly).with_momentum(0.001);
    Ok(config.try_init(&device)?.init_from_batch(images::cifar(4, 9, &device)))
}

/// ResNet-18 for CIFAR with MoCo v1's head.
#[derive(Module, Debug)]
pub struct Contrast {
    /// Network and head.
    pub projector: Projector<ResNet>,
    #[module(skip)]
    splits: usize,
}

impl Contrast {
    /// On autodiff.
    ///
    /// # Errors
    /// For 0 splits.
    pub fn new(splits: usize, device: &Device) -> Result<Self> {
        let encoder = resnet18_cifar(splits, device)?;
        let head = ProjectionConfig::new(HeadVersion::V1).with_dim(DIM);
        Ok(Self { projector: head.try_init(encoder, &device.clone().autodiff())?, splits })
    }
}

impl Encode for Contrast {
    type Input = Tensor<4>;

    fn embed(&self, images: Tensor<4>) -> Tensor<2> {
        self.projector.forward(images)
    }

    fn features(&self, images: Tensor<4>) -> Tensor<2> {
        self.projector.encoder.features(images)
    }

    fn splits(&self) -> usize {
        self.splits
    }
}

/// The 13-layer ConvNet with a classifier.
#[derive(Module, Debug)]
pub struct Classify {
    /// Network and head.
    pub classifier: Classifier<ConvNet13>,
}

impl Classify {
    /// On autodiff.
    ///
    /// # Errors
    /// None with these settings.
    pub fn new(device: &Device) -> Result<Self> {
        let encoder = conv_net13(device)?;
        Ok(Self { classifier: ClassifierConfig::new(CLASSES).try_init(encoder, &device.clone().autodiff())? })
    }
}

impl Predict for Classify {
    type Input = Tensor<4>;

    fn predict(&self, images: Tensor<4>) -> Logits {
        self.classifier.forward(images).class.into()
    }
}
