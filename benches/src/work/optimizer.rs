//! One step of SGD with momentum and weight decay over a ResNet-18.

use anyhow::{Context, Result, ensure};
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor};
use slowburn_models::{Encoder, ResNet, ResNetConfig};

use super::average::student;
use super::{Run, SEED, images};

/// The weight of the old velocity.
pub const MOMENTUM: f64 = 0.9;

/// The weight of the L2 penalty.
pub const WEIGHT_DECAY: f64 = 1e-4;

/// A small step.
pub const LEARNING_RATE: f64 = 1e-3;

/// Bytes that a step moves for each weight: gradient, weight and velocity are read, the last two are written.
pub const BYTES_PER_WEIGHT: usize = 5 * size_of::<f32>();

/// Whose optimizer.
#[derive(Debug, Clone, Copy)]
pub enum Sgd {
    /// Burn's.
    Burn,
    /// `slowburn-optim`'s.
    Slowburn,
}

impl Sgd {
    /// Both, Burn's first.
    pub const ALL: [Self; 2] = [Self::Burn, Self::Slowburn];

    /// As it is named in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Burn => "burn",
            Self::Slowburn => "slowburn",
        }
    }

    fn init(self) -> Result<ModuleOptimizer> {
        match self {
            Self::Burn => Ok(burn::optim::SgdConfig::new()
                .with_momentum(Some(MomentumConfig::new().with_momentum(MOMENTUM).with_dampening(0.0)))
                .with_weight_decay(Some(WeightDecayConfig::new(WEIGHT_DECAY as f32)))
                .init()),
            Self::Slowburn => Ok(slowburn_optim::FusedSgdConfig::new()
                .with_momentum(MOMENTUM)
                .with_weight_decay(WEIGHT_DECAY)
                .init()?),
        }
    }
}

/// The gradients of a pass over a few images, as Burn leaves them: those of convolutions with their first two axes
/// swapped, and where there is a stride, as parts of larger tensors.
pub fn gradients(network: &ResNet, device: &Device) -> GradientsParams {
    let features = network.features(images::cifar(8, 1, &device.clone().autodiff()));
    GradientsParams::from_grads(features.powi_scalar(2).mean().backward(), network)
}

/// Adds the gradient of one weight.
type Register = Box<dyn Fn(&mut GradientsParams)>;

/// The [`gradients`], to be had again and again.
struct Gradients {
    of_a_pass: GradientsParams,
    registers: Vec<Register>,
}

impl ModuleVisitor for Gradients {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let id = param.id;
        if let Some(gradient) = self.of_a_pass.remove::<D>(id) {
            self.registers.push(Box::new(move |gradients| gradients.register(id, gradient.clone())));
        }
    }
}

impl Gradients {
    fn of(network: &ResNet, device: &Device) -> Result<Self> {
        let mut gradients = Self { of_a_pass: gradients(network, device), registers: Vec::new() };
        network.visit(&mut gradients);
        ensure!(gradients.of_a_pass.is_empty(), "gradients that belong to no weight");
        Ok(gradients)
    }

    fn params(&self) -> GradientsParams {
        let mut gradients = GradientsParams::new();
        self.registers.iter().for_each(|register| register(&mut gradients));
        gradients
    }
}

/// A step with the same gradients every time, as PyTorch's `step()` has them; the velocity is there already.
///
/// # Errors
/// Those of [`student`].
pub fn step(sgd: Sgd, device: &Device) -> Result<Run> {
    device.seed(SEED);
    let mut optimizer = sgd.init()?;
    let network = student(&ResNetConfig::resnet18(), device)?;
    let gradients = Gradients::of(&network, device)?;
    let mut network = Some(optimizer.step(LEARNING_RATE, network, gradients.params()));
    let device = device.clone();
    Ok(Box::new(move || {
        let stepped = optimizer.step(LEARNING_RATE, network.take().context("put back below")?, gradients.params());
        device.sync()?;
        network = Some(stepped);
        Ok(1)
    }))
}
