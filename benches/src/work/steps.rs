//! Full training steps: both networks, average, loss, queue, backward pass and optimizer.

use anyhow::{Context, Result};
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor};
use slowburn_contrastive::{Contrastive, Encode, Moco, MocoConfig, ViewPair};
use slowburn_models::{Classifier, ConvNet13, Projector, ResNet};
use slowburn_optim::FusedSgdConfig;
use slowburn_semi::{MeanTeacher, MeanTeacherConfig, Predict, Refused, SemiBatch, SemiSupervised, Teacher};

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

/// The label of each image of a batch that has one: one of so many, the first ones.
pub fn labels(batch: usize, one_of: usize) -> Vec<Option<usize>> {
    (0..batch).map(|image| (image < batch.div_ceil(one_of)).then_some(image % CLASSES)).collect()
}

/// Steps of MoCo with plain batch normalisation, always of the same two views.
///
/// # Errors
/// None with these settings.
pub fn moco_step(batch: usize, device: &Device) -> Result<Run> {
    contrastive_step(moco(1, device)?, batch, device)
}

/// Steps of Mean Teacher, always of the same two views.
///
/// # Errors
/// None with these settings.
pub fn mean_teacher_step(batch: usize, device: &Device) -> Result<Run> {
    few_labels_step(mean_teacher(device)?, batch, LABELED, device)
}

/// Steps of a method without labels, always of the same two views.
///
/// # Errors
/// None with the optimizer's settings.
pub fn contrastive_step<C>(method: C, batch: usize, device: &Device) -> Result<Run>
where
    C: Contrastive<Encoder: Encode<Input = Tensor<4>>> + 'static,
{
    let autodiff = device.clone().autodiff();
    let views = ViewPair {
        query: images::cifar(batch, 1, &autodiff),
        key: images::cifar(batch, 2, &autodiff),
        samples: (0..batch).collect(),
    };
    let mut optimizer = optimizer()?;
    Ok(again(method, device, move |method: C| {
        let (after, outcome) =
            method.step(views.clone(), &mut optimizer, LEARNING_RATE).map_err(Refused::into_error)?;
        std::hint::black_box(outcome);
        Ok(after)
    }))
}

/// Steps of a method with few labels, one image of so many, always of the same two views.
///
/// # Errors
/// None with the optimizer's settings.
pub fn few_labels_step<M, T>(method: SemiSupervised<M, T>, batch: usize, one_of: usize, device: &Device) -> Result<Run>
where
    M: Predict<Input = Tensor<4>> + 'static,
    T: Teacher<M> + 'static,
{
    let autodiff = device.clone().autodiff();
    let views = SemiBatch {
        student: images::cifar(batch, 1, &autodiff),
        teacher: images::cifar(batch, 2, &autodiff),
        labels: labels(batch, one_of),
        samples: (0..batch).collect(),
    };
    let mut optimizer = optimizer()?;
    Ok(again(method, device, move |method: SemiSupervised<M, T>| {
        let losses = method.losses(views.clone())?;
        let gradients = GradientsParams::from_grads(losses.total.backward(), &method.student);
        Ok(method.optimize(&mut optimizer, LEARNING_RATE, gradients).map_err(Refused::into_error)?)
    }))
}

/// A step that goes on from what the one before left.
fn again<M: 'static>(method: M, device: &Device, mut step: impl FnMut(M) -> Result<M> + 'static) -> Run {
    let (mut method, device) = (Some(method), device.clone());
    Box::new(move || {
        let after = step(method.take().context("put back below")?)?;
        device.sync()?;
        method = Some(after);
        Ok(1)
    })
}
