//! Mean Teacher's step, part by part.

use std::time::Instant;

use anyhow::{Context, Result};
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor};
use slowburn_augment::loader::ViewBatch;
use slowburn_augment::presets;
use slowburn_benches::work::steps::{LABELED, LEARNING_RATE, labels, mean_teacher, optimizer};
use slowburn_ema::sync_running_state;
use slowburn_models::{Classifier, ConvNet13};
use slowburn_semi::{MeanTeacher, Predict, SemiBatch, Targets};

use super::batches::Batches;
use super::clock::{Clock, Kind};
use super::report::Report;

/// Profiles `rounds` steps of either kind.
pub(super) fn profile(batch: usize, rounds: u32, device: &Device) -> Result<Report> {
    let autodiff = device.clone().autodiff();
    let mut batches = Batches::new(presets::mean_teacher_cifar(), batch, rounds as usize)?;
    let (mut method, mut optimizer) = (mean_teacher(device)?, optimizer()?);
    let (mut clock, mut steps) = (Clock::new(device), Vec::new());
    for round in 0..=rounds {
        clock.start()?;
        let host = batches.alone()?;
        clock.lap("two views of each image, by the loader alone", Kind::Views)?;
        method = by_parts(method, host, &mut optimizer, &mut clock, &autodiff)?;
        let start = Instant::now();
        let losses = method.losses(on_device(batches.next()?, &autodiff)?)?;
        let gradients = GradientsParams::from_grads(losses.total.backward(), &method.student);
        method = method.optimize(&mut optimizer, LEARNING_RATE, gradients)?;
        device.sync()?;
        steps.push(start.elapsed().as_secs_f64());
        if round == 0 {
            clock.forget();
            steps.clear();
        }
    }
    Ok(Report::new("Mean Teacher's step on the 13-layer ConvNet".to_owned(), batch, clock, &steps))
}

fn on_device(host: ViewBatch, device: &Device) -> Result<SemiBatch<Tensor<4>>> {
    let (samples, labels) = (host.samples.clone(), labels(host.len(), LABELED));
    let mut views = host.into_tensors(device).into_iter();
    let mut view = || views.next().context("two views");
    Ok(SemiBatch { student: view()?, teacher: view()?, labels, samples })
}

/// The parts of a step of [`MeanTeacher`], in its order.
fn by_parts(
    mut method: MeanTeacher<Classifier<ConvNet13>>,
    host: ViewBatch,
    optimizer: &mut ModuleOptimizer,
    clock: &mut Clock,
    device: &Device,
) -> Result<MeanTeacher<Classifier<ConvNet13>>> {
    let batch = on_device(host, device)?;
    clock.lap("batch to the device", Kind::Views)?;
    let student = method.student.predict(batch.student);
    clock.lap("student forward", Kind::Pass)?;
    let logits = method.teacher.with_module(|teacher| teacher.predict(batch.teacher)).class;
    clock.lap("teacher forward", Kind::Pass)?;
    let targets = Targets::from_logits(logits);
    let losses = method.objective().losses(student, Some(targets), &batch.labels, method.steps())?;
    clock.lap("targets and costs", Kind::Method)?;
    let gradients = losses.total.backward();
    clock.lap("backward", Kind::Pass)?;
    let gradients = GradientsParams::from_grads(gradients, &method.student);
    clock.lap("gradients by parameter", Kind::Optimizer)?;
    method.student = optimizer.step(LEARNING_RATE, method.student, gradients);
    clock.lap("optimizer", Kind::Optimizer)?;
    method.teacher = method.teacher.update(&method.student)?;
    clock.lap("average", Kind::Method)?;
    sync_running_state(&method.student);
    sync_running_state(&method.teacher);
    clock.lap("running statistics", Kind::Method)?;
    Ok(method)
}
