//! One update of the average of a network's weights.

use anyhow::{Context, Result};
use burn::tensor::Device;
use slowburn_ema::{Decay, EmaConfig};
use slowburn_models::{ModelError, ResNet, ResNetConfig, num_learnable_params};

use super::{Run, SEED};

/// MoCo's weight of the old average.
pub const DECAY: f64 = 0.999;

/// Bytes that an update moves for each weight: the average and the student are read, the average is written.
pub const BYTES_PER_WEIGHT: usize = 3 * size_of::<f32>();

/// A network to follow, on autodiff as in training.
///
/// # Errors
/// Those of [`ResNetConfig::init`].
pub fn student(config: &ResNetConfig, device: &Device) -> Result<ResNet, ModelError> {
    config.init(&device.clone().autodiff())
}

/// The average of one network follows another of the same kind; and the number of weights.
///
/// # Errors
/// Those of [`student`] and of [`EmaConfig::init`].
pub fn update(config: &ResNetConfig, device: &Device) -> Result<(Run, usize)> {
    device.seed(SEED);
    let (first, student) = (student(config, device)?, student(config, device)?);
    let weights = num_learnable_params(&student);
    let mut ema = Some(EmaConfig::new(Decay::Constant { decay: DECAY }).init(&first)?);
    drop(first);
    let device = device.clone();
    let run = move || {
        let moved = ema.take().context("put back below")?.update(&student)?;
        device.sync()?;
        ema = Some(moved);
        Ok(1)
    };
    Ok((Box::new(run), weights))
}
