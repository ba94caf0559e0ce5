//! Forward passes without gradient, as a teacher or a key encoder makes them, and forward and backward passes.

use anyhow::Result;
use burn::module::{ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};
use slowburn_ema::detached_copy;
use slowburn_models::Encoder;

use super::drop_in::ResNet18;
use super::images::SIDE;
use super::networks::{conv_net13, resnet18_cifar, resnet50, small, wide_resnet};
use super::{Run, images};
use crate::backend::Backend;

/// Which network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// ResNet-18 with a 3×3 stem.
    ResNet18Cifar,
    /// The same as a user of Burn writes it, with our layers in place of Burn's.
    DropIn,
    /// Mean Teacher's 13-layer ConvNet.
    ConvNet13,
    /// The network of the examples' default runs.
    Small,
    /// Wide-ResNet-28-2.
    WideResNet,
    /// ResNet-50 on images of ImageNet's size, with its 1×1 convolutions.
    ResNet50,
}

impl Network {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::ResNet18Cifar, Self::DropIn, Self::ConvNet13, Self::Small, Self::WideResNet, Self::ResNet50];

    /// Its name in ids.
    pub fn name(self) -> &'static str {
        match self {
            Self::ResNet18Cifar => "resnet18-cifar",
            Self::DropIn => "resnet18-drop-in",
            Self::ConvNet13 => "conv_net13",
            Self::Small => "small",
            Self::WideResNet => "wrn_28_2",
            Self::ResNet50 => "resnet50",
        }
    }

    /// What it is.
    pub fn title(self) -> &'static str {
        match self {
            Self::ResNet18Cifar => "ResNet-18 with a 3×3 stem",
            Self::DropIn => "ResNet-18 with a 3×3 stem, a user's own on Burn's tensors",
            Self::ConvNet13 => "13-layer ConvNet, weight norm and mean-only batch norm",
            Self::Small => "small network of the default run",
            Self::WideResNet => "Wide-ResNet-28-2",
            Self::ResNet50 => "ResNet-50",
        }
    }

    /// The channels, the height and the width of its images.
    pub fn image(self) -> [usize; 3] {
        match self {
            Self::ResNet18Cifar | Self::DropIn | Self::ConvNet13 | Self::WideResNet => [3, SIDE, SIDE],
            Self::Small => [1, 28, 28],
            Self::ResNet50 => [3, 224, 224],
        }
    }

    /// Images in the batches that are measured: what a GPU is made for, and what a few cores do in a second.
    pub fn batches(self, backend: &Backend) -> &'static [usize] {
        match (self, backend.is_cpu()) {
            (Self::ResNet18Cifar, true) => &[16, 64],
            (Self::ConvNet13 | Self::DropIn, true) => &[16],
            (Self::Small, true) => &[64],
            (Self::WideResNet, true) => &[32],
            (Self::ResNet50, true) => &[8],
            (Self::ResNet50, false) => &[64],
            (_, false) => &[256],
        }
    }

    /// A batch of its images, on autodiff.
    pub fn images(self, batch: usize, device: &Device) -> Tensor<4> {
        let [channels, height, width] = self.image();
        images::batch([batch, channels, height, width], 1, &device.clone().autodiff())
    }
}

/// Which way through a network in training mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// The features of a batch, without gradient.
    Forward,
    /// The features of a batch, and the gradients of the mean of their squares with respect to all weights.
    ForwardBackward,
}

impl Pass {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Forward, Self::ForwardBackward];

    /// Its name in ids.
    pub fn name(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::ForwardBackward => "forward_backward",
        }
    }

    /// Passes of `batch` images through a network.
    ///
    /// # Errors
    /// None with these settings.
    pub fn run(self, network: Network, batch: usize, device: &Device) -> Result<Run> {
        let images = network.images(batch, device);
        Ok(match network {
            Network::ResNet18Cifar => self.through(resnet18_cifar(1, device)?, images, device),
            Network::DropIn => self.through(ResNet18::new(&device.clone().autodiff()), images, device),
            Network::ConvNet13 => self.through(conv_net13(device)?, images, device),
            Network::Small => self.through(small(device)?, images, device),
            Network::WideResNet => self.through(wide_resnet(device)?, images, device),
            Network::ResNet50 => self.through(resnet50(device)?, images, device),
        })
    }

    fn through(self, network: impl Encoder + 'static, images: Tensor<4>, device: &Device) -> Run {
        let device = device.clone();
        match self {
            Self::Forward => {
                let network = detached_copy(&network);
                Box::new(move || {
                    let features = network.features(images.clone());
                    device.sync()?;
                    std::hint::black_box(features);
                    Ok(1)
                })
            }
            Self::ForwardBackward => {
                network.visit(&mut Draw);
                Box::new(move || {
                    let features = network.features(images.clone());
                    let gradients = features.powi_scalar(2).mean().backward();
                    device.sync()?;
                    std::hint::black_box(gradients);
                    Ok(1)
                })
            }
        }
    }
}

/// Draws the first weights, which Burn leaves to the first pass: they are there before memory is counted.
struct Draw;

impl ModuleVisitor for Draw {
    fn visit_float<const D: usize>(&mut self, weight: &Param<Tensor<D>>) {
        drop(weight.val());
    }
}
