use std::marker::PhantomData;
use std::sync::Arc;

use burn::optim::ModuleOptimizer;
use burn::tensor::{Device, Tensor};
use serde_json::Value;
use slowburn_augment::loader::{Report, Source, ViewBatch, ViewLoader};
use slowburn_contrastive::{Contrastive, Encode, ViewPair};
use slowburn_ema::Timeline;

use super::ContrastMetrics;
use crate::monitor::{EncoderMonitor, concerns};
use crate::progress::Figure;
use crate::task::{Observed, StepOutcome, Task, TaskBatches, TaskError, left_out};

/// A contrastive method in training; `M` makes the difference between the methods.
#[derive(Debug)]
pub struct PretrainTask<M> {
    /// Two views of every image.
    pub loader: ViewLoader<Arc<dyn Source>>,
    /// The monitor of the encoder.
    pub monitor: Option<EncoderMonitor>,
    /// After every so many epochs, and after the last.
    pub every: u64,
    /// Whether epochs are told apart by what the monitor saw: the accuracy of neighbours, or where no classes are known the
    /// [effective rank](crate::monitor::effective_rank), by which RankMe chooses without labels (arXiv 2210.02885).
    pub scored: bool,
    /// Where to train; with autodiff.
    pub device: Device,
    /// What may help when the loss is not finite.
    pub advice: String,
    /// Every setting of it that decides the result of a run.
    pub settings: Value,
    /// What the images are known by.
    pub fingerprint: String,
    /// Which method.
    pub method: PhantomData<fn() -> M>,
}

impl<M> PretrainTask<M> {
    /// What the loader has handed out and left out so far.
    pub fn report(&self) -> Report {
        self.loader.report()
    }
}

/// Both views of a batch, on the device.
pub(crate) fn into_views(batch: ViewBatch, device: &Device) -> Result<ViewPair<Tensor<4>>, TaskError> {
    let samples = batch.samples.clone();
    let mut views = batch.into_tensors(device).into_iter();
    match (views.next(), views.next()) {
        (Some(query), Some(key)) => Ok(ViewPair { query, key, samples }),
        _ => Err(TaskError::other("a contrastive method needs two views of each image")),
    }
}

/// Without the last images where splits do not divide a batch from which broken files are missing.
fn in_whole_splits(views: ViewPair<Tensor<4>>, splits: usize) -> ViewPair<Tensor<4>> {
    let images = views.samples.len();
    match images - images % splits.max(1) {
        0 => views,
        whole if whole == images => views,
        whole => ViewPair {
            query: views.query.narrow(0, 0, whole),
            key: views.key.narrow(0, 0, whole),
            samples: views.samples[..whole].to_vec(),
        },
    }
}

impl<M: Contrastive> Task for PretrainTask<M>
where
    M::Encoder: Encode<Input = Tensor<4>>,
{
    type Method = M;
    type Batch = ViewBatch;
    type Metrics = ContrastMetrics;

    fn steps_per_epoch(&self) -> usize {
        self.loader.batches()
    }

    fn batches(&self, epoch: u64, steps: u64) -> Result<TaskBatches<'_, ViewBatch>, TaskError> {
        Ok(Box::new(self.loader.epoch(epoch).take(steps as usize).map(|batch| Ok(batch?))))
    }

    fn fit_to(&self, method: M, timeline: Timeline) -> M {
        method.diagnose_length(timeline.total).into_iter().for_each(|warning| tracing::warn!("{warning}"));
        method
    }

    fn restart(&self, method: M) -> M {
        method.restart()
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
    ) -> Result<(M, StepOutcome), TaskError> {
        let views = in_whole_splits(into_views(batch, &self.device)?, method.query().splits());
        let (method, outcome) = method.contrast(views)?;
        let gradients = method.gradients(&outcome);
        let method = method.optimize(optimizer, learning_rate, gradients);
        Ok((method, StepOutcome { costs: vec![outcome.loss, outcome.accuracy], known: vec![outcome.chance] }))
    }

    fn step_figures(&self, seen: &Observed) -> Vec<Figure> {
        vec![
            Figure::new("loss", seen.cost(0)),
            Figure::new("chance loss", seen.known(0)),
            Figure::percent("contrastive accuracy", seen.cost(1)),
            Figure::new("learning rate", seen.learning_rate),
        ]
    }

    fn metrics(&self, method: &M, seen: &Observed) -> Result<ContrastMetrics, TaskError> {
        let due = seen.epoch.is_multiple_of(self.every) || seen.last;
        let monitor = self.monitor.as_ref().filter(|_| due);
        let look = monitor.map(|monitor| monitor.look(&method.evaluated())).transpose()?;
        let metrics = ContrastMetrics {
            epoch: seen.epoch,
            step: seen.step,
            loss: seen.cost(0),
            chance_loss: seen.known(0),
            contrast_accuracy: seen.cost(1),
            learning_rate: seen.learning_rate,
            knn_accuracy: look.and_then(|look| look.knn_accuracy),
            spread: look.map(|look| look.spread),
            effective_rank: look.map(|look| look.effective_rank),
        };
        // As often as the monitor looks, so that warnings do not bury the progress.
        for concern in concerns(&metrics).into_iter().filter(|_| due && seen.epoch > 0) {
            tracing::warn!("{concern}");
        }
        Ok(metrics)
    }

    fn evaluated_every(&self) -> u64 {
        self.every
    }

    fn epoch_figures(&self, metrics: &ContrastMetrics) -> Vec<Figure> {
        let mut figures = vec![
            Figure::new("loss", metrics.loss),
            Figure::new("chance loss", metrics.chance_loss),
            Figure::percent("contrastive accuracy", metrics.contrast_accuracy),
        ];
        if let Some(spread) = metrics.spread {
            figures.extend([Figure::new("feature std", spread.std), Figure::new("evenly spread", spread.even)]);
        }
        figures.extend(metrics.effective_rank.map(|rank| Figure::new("effective rank", rank)));
        figures.extend(metrics.knn_accuracy.map(|accuracy| Figure::percent("kNN of training images", accuracy)));
        figures
    }

    fn curves(&self) -> Vec<(&'static str, bool)> {
        ContrastMetrics::CURVES.to_vec()
    }

    fn advice(&self) -> &str {
        &self.advice
    }

    fn has_score(&self) -> bool {
        self.scored && self.monitor.is_some()
    }

    fn score(&self, metrics: &ContrastMetrics) -> Option<f64> {
        metrics.knn_accuracy.or(metrics.effective_rank).filter(|_| self.scored)
    }

    fn settings(&self) -> Value {
        self.settings.clone()
    }

    fn left_out(&self) -> Vec<String> {
        left_out([self.loader.report()].into_iter().chain(self.monitor.iter().flat_map(EncoderMonitor::reports)))
    }

    fn fingerprint(&self) -> String {
        self.fingerprint.clone()
    }
}
