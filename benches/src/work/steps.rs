//! Full training steps: both networks, average, loss, queue, backward pass and optimizer.

use anyhow::{Context, Result};
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::Device;
use slowburn_contrastive::{Contrastive, Moco, MocoConfig, ViewPair};
use slowburn_models::{Classifier, ConvNet13, Projector, ResNet};
use slowburn_optim::FusedSgdConfig;
use slowburn_semi::{MeanTeacher, MeanTeacherConfig, SemiBatch};

use super::networks::{CLASSES, classifier, projector};
use super::{Run, images};
use crate::backend::Backend;

/// The learning rate of every step.
pub const LEARNING_RATE: f64 = 0.03;

/// Keys in MoCo's queue on CIFAR.
pub const QUEUE: usize = 4096;

/// One image of so many has a label.
pub const LABELED: usize = 4;

/// Images in a batch of the steps that are measured: what a GPU is made for, and what a few cores do in a second.
pub fn batch(backend: &Backend) -> usize {
    if backend.is_cpu() { 32 } else { 256 }
}

/// SGD with momentum 0.9 and weight decay 1e-4, MoCo's.
///
/// # Errors
/// None with these settings.
pub fn optimizer() -> Result<ModuleOptimizer> {
    Ok(FusedSgdConfig::new().with_momentum(0.9).with_weight_decay(1e-4).init()?)
}

/// MoCo on ResNet-18 by its authors' settings for CIFAR: τ 0.1, K 4,096, decay 0.99.
///
/// # Errors
/// For 0 splits.
pub fn moco(splits: usize, device: &Device) -> Result<Moco<Projector<ResNet>>> {
    let config = MocoConfig { queue: QUEUE, ..MocoConfig::cifar() };
    Ok(config.init(projector(splits, device)?, &device.clone().autodiff())?)
}

/// Mean Teacher on the 13-layer ConvNet: mean squared error, weight 10, warm-up to a decay of 0.999.
///
/// # Errors
/// None with these settings.
pub fn mean_teacher(device: &Device) -> Result<MeanTeacher<Classifier<ConvNet13>>> {
    Ok(MeanTeacherConfig::default().init(classifier(device)?, &device.clone().autodiff())?)
}

/// The label of each image of a batch that has one.
pub fn labels(batch: usize) -> Vec<Option<usize>> {
    (0..batch).map(|image| (image < batch.div_ceil(LABELED)).then_some(image % CLASSES)).collect()
}

/// Steps of MoCo with plain batch normalisation, always of the same two views.
///
/// # Errors
/// None with these settings.
pub fn moco_step(batch: usize, device: &Device) -> Result<Run> {
    let (mut method, mut optimizer) = (Some(moco(1, device)?), optimizer()?);
    let autodiff = device.clone().autodiff();
    let views = ViewPair {
        query: images::cifar(batch, 1, &autodiff),
        key: images::cifar(batch, 2, &autodiff),
        samples: (0..batch).collect(),
    };
    let device = device.clone();
    Ok(Box::new(move || {
        let before = method.take().context("put back below")?;
        let (after, outcome) = before.step(views.clone(), &mut optimizer, LEARNING_RATE)?;
        device.sync()?;
        std::hint::black_box(outcome);
        method = Some(after);
        Ok(1)
    }))
}

/// Steps of Mean Teacher, always of the same two views.
///
/// # Errors
/// None with these settings.
pub fn mean_teacher_step(batch: usize, device: &Device) -> Result<Run> {
    let (mut method, mut optimizer) = (Some(mean_teacher(device)?), optimizer()?);
    let autodiff = device.clone().autodiff();
    let views = SemiBatch {
        student: images::cifar(batch, 1, &autodiff),
        teacher: images::cifar(batch, 2, &autodiff),
        labels: labels(batch),
        samples: (0..batch).collect(),
    };
    let device = device.clone();
    Ok(Box::new(move || {
        let before = method.take().context("put back below")?;
        let losses = before.losses(views.clone())?;
        let gradients = GradientsParams::from_grads(losses.total.backward(), &before.student);
        let after = before.optimize(&mut optimizer, LEARNING_RATE, gradients)?;
        device.sync()?;
        method = Some(after);
        Ok(1)
    }))
}
