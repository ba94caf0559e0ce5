//! The networks that are measured, as the methods want them.

use anyhow::Result;
use burn::tensor::Device;
use slowburn_models::{
    Classifier, ClassifierConfig, ConvNet13, ConvNet13Config, HeadVersion, Norm, Normalization, ProjectionConfig,
    Projector, ResNet, ResNetConfig, SmallConvNet, SmallConvNetConfig, Stem, WideResNet, WideResNetConfig,
};

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
    Ok(config.init(&device.clone().autodiff())?)
}

/// ResNet-50 for images of 224×224, on autodiff.
///
/// # Errors
/// None with these settings.
pub fn resnet50(device: &Device) -> Result<ResNet> {
    device.seed(SEED);
    Ok(ResNetConfig::resnet50().init(&device.clone().autodiff())?)
}

/// Wide-ResNet-28-2, on autodiff.
///
/// # Errors
/// None with these settings.
pub fn wide_resnet(device: &Device) -> Result<WideResNet> {
    device.seed(SEED);
    Ok(WideResNetConfig::wrn_28_2().init(&device.clone().autodiff())?)
}

/// The network of the examples' default runs, for images of 28×28 with one channel, on autodiff.
///
/// # Errors
/// None with these settings.
pub fn small(device: &Device) -> Result<SmallConvNet> {
    device.seed(SEED);
    Ok(SmallConvNetConfig::new().init(&device.clone().autodiff())?)
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
    Ok(config.init(&device)?.init_from_batch(images::cifar(4, 9, &device)))
}

/// ResNet-18 for CIFAR with MoCo v1's head, on autodiff.
///
/// # Errors
/// For 0 splits.
pub fn projector(splits: usize, device: &Device) -> Result<Projector<ResNet>> {
    let encoder = resnet18_cifar(splits, device)?;
    Ok(ProjectionConfig::new(HeadVersion::V1).with_dim(DIM).init(encoder, &device.clone().autodiff())?)
}

/// The 13-layer ConvNet with a classifier, on autodiff.
///
/// # Errors
/// None with these settings.
pub fn classifier(device: &Device) -> Result<Classifier<ConvNet13>> {
    Ok(ClassifierConfig::new(CLASSES).init(conv_net13(device)?, &device.clone().autodiff())?)
}
