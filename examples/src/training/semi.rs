use anyhow::Result;
use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::Device;
use slowburn_models::Classifier;
use slowburn_semi::{Predict, Refused, SemiSupervised, Teacher};

use super::batches::{HostBatch, Source};
use crate::network::Backbone;
use crate::recipe::{Method, Recipe};
use crate::report::Figure;
use crate::run::EpochMetrics;
use crate::scoring::{TestSet, accuracy};
use crate::trainer::{Batches, Observed, Outcome, Task};

/// Every figure with its direction.
pub const CURVES: &[(&str, bool)] = &[
    ("loss", false),
    ("class cost", false),
    ("consistency cost", false),
    ("consistency weight", true),
    ("decay", true),
    ("learning rate", true),
    ("student accuracy", true),
    ("teacher accuracy", true),
];

/// A semi-supervised method in training; `T` makes the difference between the methods.
#[derive(Debug)]
pub(super) struct SemiTask<'a, T> {
    pub(super) phase: &'a str,
    pub(super) recipe: &'a Recipe,
    pub(super) source: &'a Source<'a>,
    pub(super) monitor: &'a TestSet,
    pub(super) device: &'a Device,
    pub(super) teacher: std::marker::PhantomData<fn() -> T>,
}

impl<T> SemiTask<'_, T> {
    /// The decay of the latest update, where weights are averaged.
    fn decay(&self, steps: u64) -> Option<f64> {
        (self.recipe.method == Method::MeanTeacher).then(|| self.recipe.decay.at(steps))
    }
}

impl<T: Teacher<Classifier<Backbone>>> Task for SemiTask<'_, T> {
    type Method = SemiSupervised<Classifier<Backbone>, T>;
    type Batch = HostBatch;
    type Metrics = EpochMetrics;
    const ADVICE: &'static str = "lower --lr or --weight";

    fn batches(&self, epoch: u64, steps: u64) -> Result<Batches<'_, HostBatch>> {
        Ok(Box::new(self.source.epoch(epoch, steps)?))
    }

    fn images(&self, batch: &HostBatch) -> usize {
        batch.len()
    }

    fn step(
        &self,
        method: Self::Method,
        batch: HostBatch,
        optimizer: &mut ModuleOptimizer,
        learning_rate: f64,
    ) -> Result<(Self::Method, Outcome)> {
        let losses = method.losses(batch.into_device(self.device))?;
        let gradients = GradientsParams::from_grads(losses.total.backward(), &method.student);
        let costs = vec![losses.total, losses.class, losses.consistency, losses.logit_distance];
        let method = method.optimize(optimizer, learning_rate, gradients).map_err(Refused::into_error)?;
        Ok((method, Outcome { costs, known: vec![losses.weight] }))
    }

    fn step_figures(&self, seen: &Observed) -> Vec<Figure> {
        let cost = |index: usize| seen.costs.get(index).copied().unwrap_or(f64::NAN);
        let mut figures = vec![
            Figure::new("loss", cost(0)),
            Figure::new("class cost", cost(1)),
            Figure::new("consistency cost", cost(2)),
            Figure::new("consistency weight", seen.known[0]),
        ];
        figures.extend(self.decay(seen.step).map(|decay| Figure::new("decay", decay)));
        figures.push(Figure::new("learning rate", seen.learning_rate));
        figures
    }

    fn metrics(&self, method: &Self::Method, seen: &Observed) -> Result<EpochMetrics> {
        let valid = method.valid();
        let averages = self.recipe.method == Method::MeanTeacher;
        Ok(EpochMetrics {
            phase: self.phase.to_owned(),
            epoch: seen.epoch,
            step: seen.step,
            loss: seen.costs[0],
            class_cost: seen.costs[1],
            consistency_cost: seen.costs[2],
            logit_distance: seen.costs[3],
            consistency_weight: seen.known[0],
            decay: self.decay(seen.step),
            learning_rate: seen.learning_rate,
            student_accuracy: accuracy(self.monitor, |images| valid.student.predict(images).class),
            teacher_accuracy: averages
                .then(|| accuracy(self.monitor, |images| valid.predict_with_teacher(images).class)),
        })
    }

    fn epoch_figures(&self, metrics: &EpochMetrics) -> Vec<Figure> {
        let student = Figure::percent("student accuracy", metrics.student_accuracy);
        let teacher = metrics.teacher_accuracy.map(|accuracy| Figure::percent("teacher accuracy", accuracy));
        [Some(student), teacher].into_iter().flatten().collect()
    }
}
