use std::sync::Arc;

use anyhow::Result;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor};
use slowburn_augment::loader::{Images, ViewBatch, ViewLoader};
use slowburn_contrastive::{Contrastive, Refused, ViewPair};
use slowburn_models::Projector;

use super::concern::concerns;
use super::{EpochMetrics, Recipe};
use crate::network::Backbone;
use crate::report::Figure;
use crate::scoring::Monitor;
use crate::trainer::{Batches, Observed, Outcome, Steps, Task};

/// Every figure with its direction.
pub(super) const CURVES: &[(&str, bool)] = &[
    ("loss", false),
    ("chance ln(K+1)", false),
    ("contrastive accuracy", true),
    ("learning rate", true),
    ("feature std", true),
    ("evenly spread", true),
    ("kNN of training images", true),
];

/// A contrastive method in training; `M` makes the difference between the methods.
#[derive(Debug)]
pub(super) struct ContrastTask<'a, M> {
    pub(super) recipe: &'a Recipe,
    pub(super) steps: Steps,
    pub(super) loader: &'a ViewLoader<Arc<Images>>,
    pub(super) monitor: &'a Monitor<'a>,
    pub(super) device: &'a Device,
    pub(super) method: std::marker::PhantomData<fn() -> M>,
}

/// Both views of a batch, on the device.
fn into_views(batch: ViewBatch, device: &Device) -> ViewPair<Tensor<4>> {
    let samples = batch.samples.clone();
    let mut views = batch.into_tensors(device).into_iter();
    match (views.next(), views.next()) {
        (Some(query), Some(key)) => ViewPair { query, key, samples },
        _ => unreachable!("the loader makes two views of each image"),
    }
}

impl<M: Contrastive<Encoder = Projector<Backbone>>> Task for ContrastTask<'_, M> {
    type Method = M;
    type Batch = ViewBatch;
    type Metrics = EpochMetrics;
    const ADVICE: &'static str = "lower --lr or raise --temperature";

    fn batches(&self, epoch: u64, steps: u64) -> Result<Batches<'_, ViewBatch>> {
        Ok(Box::new(self.loader.epoch(epoch).take(steps as usize).map(|batch| Ok(batch?))))
    }

    fn images(&self, batch: &ViewBatch) -> usize {
        batch.len()
    }

    fn step(
        &self,
        method: M,
        batch: ViewBatch,
        optimizer: &mut ModuleOptimizer,
        learning_rate: f64,
    ) -> Result<(M, Outcome)> {
        let (method, outcome) = method.contrast(into_views(batch, self.device)).map_err(Refused::into_error)?;
        let gradients = GradientsParams::from_grads(outcome.loss.backward(), method.query());
        let method = method.optimize(optimizer, learning_rate, gradients);
        Ok((method, Outcome { costs: vec![outcome.loss, outcome.accuracy], known: vec![outcome.chance] }))
    }

    fn step_figures(&self, seen: &Observed) -> Vec<Figure> {
        let cost = |index: usize| seen.costs.get(index).copied().unwrap_or(f64::NAN);
        vec![
            Figure::new("loss", cost(0)),
            Figure::new("chance ln(K+1)", seen.known[0]),
            Figure::percent("contrastive accuracy", cost(1)),
            Figure::new("learning rate", seen.learning_rate),
        ]
    }

    fn metrics(&self, method: &M, seen: &Observed) -> Result<EpochMetrics> {
        let due = seen.epoch.is_multiple_of(self.recipe.monitor) || seen.step == self.steps.total;
        let looked = due.then(|| self.monitor.look(method.query())).transpose()?;
        let metrics = EpochMetrics {
            epoch: seen.epoch,
            step: seen.step,
            loss: seen.costs[0],
            chance_loss: seen.known[0],
            contrast_accuracy: seen.costs[1],
            learning_rate: seen.learning_rate,
            knn_accuracy: looked.map(|(accuracy, _)| accuracy),
            spread: looked.map(|(_, spread)| spread),
        };
        // As often as the monitor looks, so that a bad run does not bury its progress.
        for concern in concerns(&metrics).into_iter().filter(|_| due) {
            tracing::warn!("{concern}");
        }
        Ok(metrics)
    }

    fn epoch_figures(&self, metrics: &EpochMetrics) -> Vec<Figure> {
        let mut figures = vec![
            Figure::new("loss", metrics.loss),
            Figure::new("chance ln(K+1)", metrics.chance_loss),
            Figure::percent("contrastive accuracy", metrics.contrast_accuracy),
        ];
        if let Some(spread) = metrics.spread {
            figures.extend([Figure::new("feature std", spread.std), Figure::new("evenly spread", spread.even)]);
        }
        figures.extend(metrics.knn_accuracy.map(|accuracy| Figure::percent("kNN of training images", accuracy)));
        figures
    }
}
