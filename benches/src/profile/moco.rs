//! MoCo's step, part by part.

use std::time::Instant;

use anyhow::{Context, Result};
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::Device;
use slowburn_augment::loader::ViewBatch;
use slowburn_augment::presets;
use slowburn_benches::work::images::SIDE;
use slowburn_benches::work::steps::{LEARNING_RATE, moco, optimizer};
use slowburn_contrastive::{Batch, Contrastive, Encode, Moco, Stream, ViewPair, normalize, permutation};
use slowburn_ema::sync_running_state;
use slowburn_models::{Projector, ResNet};

use super::batches::Batches;
use super::clock::{Clock, Kind};
use super::report::Report;

/// Splits of the batch normalisation, as in the original on CIFAR.
const SPLITS: usize = 8;

/// Profiles `rounds` steps of either kind.
pub(super) fn profile(batch: usize, rounds: u32, device: &Device) -> Result<Report> {
    let autodiff = device.clone().autodiff();
    let mut batches = Batches::new(presets::moco_cifar(SIDE as u32), batch, rounds as usize)?;
    let (mut method, mut optimizer) = (moco(SPLITS, device)?, optimizer()?);
    let (mut clock, mut steps) = (Clock::new(device), Vec::new());
    for round in 0..=rounds {
        clock.start()?;
        let host = batches.alone()?;
        clock.lap("two views of each image, by the loader alone", Kind::Views)?;
        method = by_parts(method, host, &mut optimizer, &mut clock, &autodiff)?;
        let start = Instant::now();
        let views = on_device(batches.next()?, &autodiff)?;
        method = method.step(views, &mut optimizer, LEARNING_RATE)?.0;
        device.sync()?;
        steps.push(start.elapsed().as_secs_f64());
        if round == 0 {
            clock.forget();
            steps.clear();
        }
    }
    let name = format!("MoCo's step on ResNet-18 (3×3 stem, {SPLITS} splits), K {}", method.config().queue);
    Ok(Report::new(name, batch, clock, &steps))
}

fn on_device(host: ViewBatch, device: &Device) -> Result<ViewPair<burn::tensor::Tensor<4>>> {
    let samples = host.samples.clone();
    let mut views = host.into_tensors(device).into_iter();
    let mut view = || views.next().context("two views");
    Ok(ViewPair { query: view()?, key: view()?, samples })
}

/// The parts of [`Contrastive::step`] of [`Moco`], in its order.
fn by_parts(
    mut method: Moco<Projector<ResNet>>,
    host: ViewBatch,
    optimizer: &mut ModuleOptimizer,
    clock: &mut Clock,
    device: &Device,
) -> Result<Moco<Projector<ResNet>>> {
    let views = on_device(host, device)?;
    clock.lap("batch to the device", Kind::Views)?;
    let embedded = method.query.embed(views.query);
    clock.lap("query forward", Kind::Pass)?;
    let queries = normalize(embedded);
    clock.lap("queries to unit length", Kind::Method)?;
    method.key = method.key.update(&method.query)?;
    clock.lap("average", Kind::Method)?;
    let order = permutation(views.key.rows(), 0, method.steps(), Stream::Keys);
    let shuffled = views.key.pick(&order);
    clock.lap("shuffle", Kind::Method)?;
    let embedded = method.key.with_module(|key| key.embed(shuffled)).detach();
    clock.lap("key forward", Kind::Pass)?;
    let mut back = vec![0; order.len()];
    order.iter().enumerate().for_each(|(place, &row)| back[row] = place);
    let keys = normalize(embedded.pick(&back));
    clock.lap("keys back in order, to unit length", Kind::Method)?;
    let loss = method.config().loss;
    let outcome = loss.info_nce(queries, keys.clone(), method.queue.negatives())?;
    clock.lap("loss and its gradient", Kind::Method)?;
    method.queue = method.queue.enqueue(keys)?;
    clock.lap("enqueue", Kind::Method)?;
    let gradients = outcome.loss.backward();
    clock.lap("backward", Kind::Pass)?;
    let gradients = GradientsParams::from_grads(gradients, &method.query);
    clock.lap("gradients by parameter", Kind::Optimizer)?;
    method.query = optimizer.step(LEARNING_RATE, method.query, gradients);
    clock.lap("optimizer", Kind::Optimizer)?;
    sync_running_state(&method.query);
    sync_running_state(&method.key);
    clock.lap("running statistics", Kind::Method)?;
    Ok(method)
}
