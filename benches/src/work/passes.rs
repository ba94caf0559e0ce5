//! Forward passes without gradient, as a teacher or a key encoder makes them, and forward and backward passes.

use anyhow::Result;
use burn::tensor::Device;
use slowburn_ema::detached_copy;
use slowburn_models::Encoder;

use super::networks::{conv_net13, resnet18_cifar};
use super::{Run, images};

/// Which network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// ResNet-18 with a 3×3 stem.
    ResNet18Cifar,
    /// Mean Teacher's 13-layer ConvNet.
    ConvNet13,
}

impl Network {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::ResNet18Cifar, Self::ConvNet13];

    /// Its name in ids.
    pub fn name(self) -> &'static str {
        match self {
            Self::ResNet18Cifar => "resnet18-cifar",
            Self::ConvNet13 => "conv_net13",
        }
    }

    /// What it is.
    pub fn title(self) -> &'static str {
        match self {
            Self::ResNet18Cifar => "ResNet-18 with a 3×3 stem",
            Self::ConvNet13 => "13-layer ConvNet, weight norm and mean-only batch norm",
        }
    }
}

/// The features of a batch in training mode, without gradient.
///
/// # Errors
/// None with these settings.
pub fn forward(network: Network, batch: usize, device: &Device) -> Result<Run> {
    Ok(match network {
        Network::ResNet18Cifar => ahead(detached_copy(&resnet18_cifar(1, device)?), batch, device),
        Network::ConvNet13 => ahead(detached_copy(&conv_net13(device)?), batch, device),
    })
}

/// The features of a batch, and the gradients of the mean of their squares with respect to all weights.
///
/// # Errors
/// None with these settings.
pub fn forward_backward(network: Network, batch: usize, device: &Device) -> Result<Run> {
    Ok(match network {
        Network::ResNet18Cifar => and_back(resnet18_cifar(1, device)?, batch, device),
        Network::ConvNet13 => and_back(conv_net13(device)?, batch, device),
    })
}

fn ahead(network: impl Encoder + 'static, batch: usize, device: &Device) -> Run {
    let images = images::batch(batch, 1, &device.clone().autodiff());
    let device = device.clone();
    Box::new(move || {
        let features = network.features(images.clone());
        device.sync()?;
        std::hint::black_box(features);
        Ok(1)
    })
}

fn and_back(network: impl Encoder + 'static, batch: usize, device: &Device) -> Run {
    let images = images::batch(batch, 1, &device.clone().autodiff());
    let device = device.clone();
    Box::new(move || {
        let features = network.features(images.clone());
        let gradients = features.powi_scalar(2).mean().backward();
        device.sync()?;
        std::hint::black_box(gradients);
        Ok(1)
    })
}
