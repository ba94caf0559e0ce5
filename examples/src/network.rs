//! The networks a program can train, behind one type.

use std::path::Path;

use anyhow::Context;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use safetensors::{Dtype, tensor::TensorView};
use serde::{Deserialize, Serialize};
use slowburn_augment::ImageSize;
use slowburn_models::{
    Classifier, ClassifierConfig, ConvNet13, ConvNet13Config, Encoder, ModelError, ResNet, ResNetConfig, SmallConvNet,
    SmallConvNetConfig, Stem, WideResNet, WideResNetConfig, state_dict,
};
use slowburn_semi::{Logits, Predict};

use crate::run::write_atomically;

/// Which encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Arch {
    /// Three convolutions, for 28×28 images on a CPU.
    Small,
    /// The 13-layer ConvNet of the Mean Teacher paper.
    #[value(name = "convnet13")]
    #[serde(rename = "convnet13")]
    ConvNet13,
    /// ResNet-18 with a 3×3 stem.
    #[value(name = "resnet18")]
    #[serde(rename = "resnet18")]
    ResNet18,
    /// ResNet-34 with a 3×3 stem.
    #[value(name = "resnet34")]
    #[serde(rename = "resnet34")]
    ResNet34,
    /// ResNet-50 with a 3×3 stem.
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NetworkConfig {
    /// Which encoder.
    pub arch: Arch,
    /// How it normalises.
    pub normalization: Normalization,
    /// Two classification heads instead of one.
    pub two_heads: bool,
    /// Probability of dropping a feature, where the encoder has dropout.
    pub dropout: f64,
    /// Standard deviation of the noise on the (normalised) input, where the encoder has it.
    pub input_noise: f64,
    /// Images that share batch statistics in training; the whole batch without.
    pub group: Option<usize>,
}

impl NetworkConfig {
    /// Builds the network with random weights, from the device's current seed.
    ///
    /// Images of 64 pixels or more get a ResNet's ImageNet stem.
    ///
    /// # Errors
    /// For settings out of range.
    pub fn init(&self, image: ImageSize, classes: usize, device: &Device) -> Result<Network, ModelError> {
        let body = self.body(image, classes, device)?;
        Ok(Network { body, group: self.group })
    }

    fn body(&self, image: ImageSize, classes: usize, device: &Device) -> Result<Body, ModelError> {
        let head = ClassifierConfig::new(classes).with_consistency_head(self.two_heads);
        let channels = image.channels;
        let resnet = |config: ResNetConfig| -> Result<Body, ModelError> {
            let stem = if image.height >= 64 { Stem::ImageNet } else { Stem::Cifar };
            let encoder = config.with_in_channels(channels).with_stem(stem).try_init(device)?;
            Ok(Body::ResNet(head.try_init(encoder, device)?))
        };
        match self.arch {
            Arch::Small => {
                let config = SmallConvNetConfig::new()
                    .with_in_channels(channels)
                    .with_dropout(self.dropout)
                    .with_input_noise(self.input_noise);
                Ok(Body::Small(head.try_init(config.try_init(device)?, device)?))
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
                Ok(Body::ConvNet13(head.try_init(config.try_init(device)?, device)?))
            }
            Arch::ResNet18 => resnet(ResNetConfig::resnet18()),
            Arch::ResNet34 => resnet(ResNetConfig::resnet34()),
            Arch::ResNet50 => resnet(ResNetConfig::resnet50()),
            Arch::WideResNet28x2 => {
                let config = match self.normalization {
                    Normalization::SlowBatch => WideResNetConfig::wrn_28_2_usb(),
                    Normalization::Batch | Normalization::Weight => WideResNetConfig::wrn_28_2(),
                };
                let config = config.with_in_channels(channels);
                Ok(Body::WideResNet(head.try_init(config.try_init(device)?, device)?))
            }
        }
    }
}

/// A network that classifies images.
///
/// In training, consecutive images of a batch may form groups with batch statistics of their own (ghost batch
/// normalisation, Hoffer et al., arXiv 1705.08741): with labelled images first and a group as large as their share, the
/// class cost sees the statistics that it would see in supervised training.
#[derive(Module, Debug)]
pub struct Network {
    body: Body,
    #[module(skip)]
    group: Option<usize>,
}

/// The networks there are.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant)] // one value exists per run
enum Body {
    /// Three convolutions.
    Small(Classifier<SmallConvNet>),
    /// The paper's 13 layers.
    ConvNet13(Classifier<ConvNet13>),
    /// A residual network.
    ResNet(Classifier<ResNet>),
    /// A wide residual network.
    WideResNet(Classifier<WideResNet>),
}

/// Does the same with whichever network it is.
macro_rules! each {
    ($self:expr, $network:ident => $do:expr) => {
        match $self {
            Body::Small($network) => $do,
            Body::ConvNet13($network) => $do,
            Body::ResNet($network) => $do,
            Body::WideResNet($network) => $do,
        }
    };
}

impl Predict for Network {
    type Input = Tensor<4>;

    fn predict(&self, images: Tensor<4>) -> Logits {
        let [batch, ..] = images.dims();
        match self.group.filter(|&group| images.device().is_autodiff() && group < batch) {
            Some(group) => in_groups(images, group, |images| self.body.forward(images)),
            None => self.body.forward(images),
        }
    }
}

/// Predicts group by group and puts the logits together again.
fn in_groups(images: Tensor<4>, group: usize, predict: impl Fn(Tensor<4>) -> Logits) -> Logits {
    let groups: Vec<Logits> = images.split(group, 0).into_iter().map(predict).collect();
    let consistency: Option<Vec<_>> = groups.iter().map(|logits| logits.consistency.clone()).collect();
    Logits {
        class: Tensor::cat(groups.into_iter().map(|logits| logits.class).collect(), 0),
        consistency: consistency.map(|logits| Tensor::cat(logits, 0)),
    }
}

impl Body {
    fn forward(&self, images: Tensor<4>) -> Logits {
        each!(self, network => forward(network, images))
    }
}

fn forward<E: Encoder + Module>(network: &Classifier<E>, images: Tensor<4>) -> Logits {
    let logits = network.forward(images);
    Logits { class: logits.class, consistency: logits.consistency }
}

impl Network {
    /// Initialises weight-normalised layers from a batch; other networks stay as they are.
    pub fn init_from_batch(mut self, images: Tensor<4>) -> Self {
        if let Body::ConvNet13(mut network) = self.body {
            network.encoder = network.encoder.init_from_batch(images);
            self.body = Body::ConvNet13(network);
        }
        self
    }

    /// Writes weights and running statistics under PyTorch's names, in PyTorch's layout, as 32-bit floats.
    ///
    /// # Errors
    /// Input or output errors, which name the file.
    pub fn save_safetensors(&self, path: &Path) -> anyhow::Result<()> {
        let state = each!(&self.body, network => state_dict(network));
        let tensors = state.iter().map(|(name, data)| {
            let shape = data.shape().to_vec();
            (name, TensorView::new(Dtype::F32, shape, data.as_bytes()))
        });
        let tensors: Vec<_> = tensors.map(|(name, view)| view.map(|view| (name, view))).collect::<Result<_, _>>()?;
        let bytes = safetensors::serialize(tensors, None)?;
        write_atomically(path, &bytes).with_context(|| path.display().to_string())
    }
}
