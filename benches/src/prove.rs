//! Our side of `benches/pytorch/weights/prove.py`, which holds it against PyTorch. All files but the weights are
//! safetensors; what a command writes has no batch counters.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use burn::module::{Module, ModuleMapper, Param};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor, TensorData};
use clap::{Subcommand, ValueEnum};
use slowburn_models::weights::{LoadOptions, Metadata, WeightsFile, load, save_safetensors, save_tensors};
use slowburn_models::{
    Classifier, ClassifierConfig, Encoder, ResNet, ResNetConfig, SmallConvNetConfig, StateDict, Stem, load_state_dict,
    parameters, state_dict,
};
use slowburn_optim::FusedSgdConfig;

use crate::measure;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Writes `eval` and `train`, the logits in both modes, and `grad.*`, the gradients of the mean square of `train`.
    Logits {
        network: Network,
        /// The weights, in any form.
        weights: PathBuf,
        /// `images`.
        input: PathBuf,
        output: PathBuf,
    },
    /// Writes `eval`, the features of MoCo's encoder for grey images.
    Features { weights: PathBuf, input: PathBuf, output: PathBuf },
    /// Writes a network of ours that has seen a batch, and `eval`.
    Write { network: Network, weights: PathBuf, input: PathBuf, output: PathBuf },
    /// Trains the small network from its encoder's weights, and writes `losses` and the weights after that.
    Tune {
        weights: PathBuf,
        /// `images` and `labels`, a batch for each step; `fc.weight` and `fc.bias` to begin with.
        input: PathBuf,
        output: PathBuf,
        #[arg(long)]
        lr: f64,
        #[arg(long)]
        momentum: f64,
        #[arg(long)]
        weight_decay: f64,
    },
}

/// As torchvision has it.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Network {
    #[value(name = "resnet18")]
    ResNet18,
    #[value(name = "resnet50")]
    ResNet50,
}

impl Network {
    fn name(self) -> &'static str {
        match self {
            Self::ResNet18 => "resnet18",
            Self::ResNet50 => "resnet50",
        }
    }

    fn init(self, device: &Device) -> Result<Classifier<ResNet>> {
        let config = match self {
            Self::ResNet18 => ResNetConfig::resnet18(),
            Self::ResNet50 => ResNetConfig::resnet50(),
        };
        Ok(ClassifierConfig::new(1000).init(config.init(device)?, device)?)
    }
}

pub(crate) fn run(command: &Command) -> Result<()> {
    let device = measure::backend(None)?.device;
    match command {
        Command::Logits { network, weights, input, output } => {
            let (network, loaded) = read(network.init(&device)?, weights, false)?;
            println!("{loaded}");
            write(&passes(network, images(input, &device)?), output)
        }
        Command::Features { weights, input, output } => {
            let config = ResNetConfig::resnet18().with_in_channels(1).with_stem(Stem::Cifar);
            let (encoder, _) = read(config.init(&device)?, weights, false)?;
            let features = encoder.features(images(input, &device)?);
            write(&StateDict::from([("eval".to_owned(), features.into_data())]), output)
        }
        Command::Write { network, weights, input, output } => {
            let images = images(input, &device)?;
            let trained = network.init(&device)?.train();
            drop(trained.forward(images.clone().to_device(&images.device().autodiff())));
            let trained = trained.valid();
            let about =
                Metadata { network: Some(network.name().to_owned()), mean: vec![0.1; 3], ..Metadata::default() };
            save_safetensors(&trained, weights, &about)?;
            write(&StateDict::from([("eval".to_owned(), trained.forward(images).into_data())]), output)
        }
        Command::Tune { weights, input, output, lr, momentum, weight_decay } => {
            let sgd = FusedSgdConfig::new().with_momentum(*momentum).with_weight_decay(*weight_decay);
            write(&tune(weights, input, &sgd, *lr, &device)?, output)
        }
    }
}

fn read<M: Module>(module: M, weights: &Path, fresh_head: bool) -> Result<(M, slowburn_models::weights::Loaded)> {
    let options = LoadOptions { fresh_head, ..LoadOptions::default() };
    Ok(load(module, &WeightsFile::open(weights)?, &options)?)
}

fn write(tensors: &StateDict, path: &Path) -> Result<()> {
    Ok(save_tensors(tensors, path, &Metadata::default())?)
}

fn images(file: &Path, device: &Device) -> Result<Tensor<4>> {
    Ok(Tensor::from_data(WeightsFile::open(file)?.read("images")?, device))
}

/// Both modes, and the gradients.
fn passes(network: Classifier<ResNet>, images: Tensor<4>) -> StateDict {
    let mut found = StateDict::from([("eval".to_owned(), network.forward(images.clone()).into_data())]);
    let network = network.train();
    let logits = network.forward(images.clone().to_device(&images.device().autodiff()));
    found.insert("train".to_owned(), logits.clone().into_data());
    let gradients = GradientsParams::from_grads(logits.powi_scalar(2).mean().backward(), &network);
    let learned = parameters(&network).into_iter().filter(|parameter| parameter.learnable);
    // In the places of the weights they get PyTorch's names and layout.
    let mut gradients = state_dict(&network.valid().map(&mut Exchange(gradients)));
    found.extend(learned.filter_map(|parameter| {
        let gradient = gradients.remove(&parameter.name)?;
        Some((format!("grad.{}", parameter.name), gradient))
    }));
    found
}

/// Puts gradients in the places of the weights.
struct Exchange(GradientsParams);

impl ModuleMapper for Exchange {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match self.0.remove::<D>(param.id) {
            Some(gradient) => Param::initialized(param.id, gradient),
            None => param,
        }
    }
}

fn tune(weights: &Path, input: &Path, sgd: &FusedSgdConfig, lr: f64, device: &Device) -> Result<StateDict> {
    let device = &device.clone().autodiff();
    let input = WeightsFile::open(input)?;
    let head = input.read("fc.bias")?;
    let encoder = SmallConvNetConfig::new().init(device)?;
    let network = ClassifierConfig::new(head.shape()[0]).init(encoder, device)?;
    let (network, _) = read(network, weights, true)?;
    let mut state = state_dict(&network);
    state.insert("fc.weight".to_owned(), input.read("fc.weight")?);
    state.insert("fc.bias".to_owned(), head);
    let mut network = load_state_dict(network, &state)?;

    let images = Tensor::<5>::from_data(input.read("images")?, device); // [steps, N, C, H, W]
    let labels = Tensor::<2, Int>::from_data(input.read("labels")?.convert::<i64>(), device); // [steps, N]
    let [steps, batch, ..] = images.dims();
    ensure!(labels.dims() == [steps, batch], "a label for each image");
    let mut sgd = sgd.init()?;
    let mut losses = Vec::new();
    for step in 0..steps {
        let of_step = images.clone().narrow(0, step, 1).squeeze_dim::<4>(0);
        let labels = labels.clone().narrow(0, step, 1).squeeze_dim::<1>(0);
        let loss = CrossEntropyLossConfig::new().init(device).forward(network.forward(of_step), labels);
        losses.push(loss.clone().into_scalar::<f32>());
        let gradients = GradientsParams::from_grads(loss.backward(), &network);
        network = sgd.step(lr, network, gradients);
    }
    let mut found = state_dict(&network);
    found.insert("losses".to_owned(), TensorData::new(losses, [steps]));
    Ok(found)
}
