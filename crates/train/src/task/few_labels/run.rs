use std::marker::PhantomData;
use std::path::Path;
use std::sync::Arc;

use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor};
use serde_json::Value;
use slowburn_augment::loader::{Report, Source, ViewBatch, ViewLoader};
use slowburn_ema::{RampShape, Timeline};
use slowburn_semi::{Predict, SemiBatch, SemiSupervised, Teacher, TwoStream, TwoStreamBatch};

use super::SemiMetrics;
use crate::data::write_labels;
use crate::monitor::{ImageSet, accuracies};
use crate::progress::Figure;
use crate::task::{Observed, StepOutcome, Task, TaskBatches, TaskError, left_out};

/// A semi-supervised method in training; `T` makes the difference between the methods.
#[derive(Debug)]
pub struct FewLabelsTask<M, T> {
    /// The part of the run.
    pub phase: String,
    /// Two views of every image.
    pub loader: ViewLoader<Arc<dyn Source>>,
    /// Whether the second view is a strong one: the student sees it of images without a label, and the first of all others.
    pub strong: bool,
    /// The label of every training image whose label is used.
    pub labels: Vec<Option<usize>>,
    /// The label of every image that is used to learn from or to choose the best epoch by.
    pub known: Vec<Option<usize>>,
    /// The names of the classes.
    pub classes: Vec<String>,
    /// Which images make a batch.
    pub stream: TwoStream,
    /// How the consistency weight rises, in place of what the method says.
    pub ramp_up: Option<RampShape>,
    /// Images that choose the best epoch.
    pub validation: Option<ImageSet>,
    /// Images that are scored after every epoch; nothing is chosen by them.
    pub test: Option<ImageSet>,
    /// Where to train; with autodiff.
    pub device: Device,
    /// What may help when the cost is not finite.
    pub advice: String,
    /// Every setting of it that decides the result of a run.
    pub settings: Value,
    /// What the images are known by.
    pub fingerprint: String,
    /// Which method.
    pub method: PhantomData<fn() -> (M, T)>,
}

/// A batch on the host.
#[derive(Debug)]
pub struct HostBatch {
    views: ViewBatch,
    /// The label of each image that has one here.
    labels: Vec<Option<usize>>,
    /// Whether the teacher sees a view of its own.
    two_views: bool,
    /// Whether the second view is a strong one.
    strong: bool,
}

impl HostBatch {
    /// Moves the batch to the device.
    ///
    /// # Errors
    /// If the loader makes no view.
    pub fn into_device(self, device: &Device) -> Result<SemiBatch<Tensor<4>>, TaskError> {
        let samples = self.views.samples;
        let wanted = if self.two_views { 2 } else { 1 };
        let mut views = self.views.views.into_iter().take(wanted).map(|view| view.into_tensor(device));
        let Some(first) = views.next() else { return Err(TaskError::other("the loader makes no view")) };
        let (student, teacher) = match views.next() {
            Some(strong) if self.strong && strong.dims() != first.dims() => {
                let [weak, strong] = [first, strong].map(|view| view.dims());
                return Err(TaskError::other(format!(
                    "weak views have the shape {weak:?} and strong ones {strong:?}: it must be the same"
                )));
            }
            Some(strong) if self.strong => (weak_then_strong(first.clone(), strong, &self.labels), first),
            Some(second) => (first, second),
            None => (first.clone(), first),
        };
        Ok(SemiBatch { student, teacher, labels: self.labels, samples })
    }
}

impl<M, T> FewLabelsTask<M, T> {
    /// What the loader has handed out and left out so far.
    pub fn report(&self) -> Report {
        self.loader.report()
    }
}

impl<M: Predict<Input = Tensor<4>>, T: Teacher<M>> Task for FewLabelsTask<M, T> {
    type Method = SemiSupervised<M, T>;
    type Batch = HostBatch;
    type Metrics = SemiMetrics;

    fn steps_per_epoch(&self) -> usize {
        self.stream.batches()
    }

    fn batches(&self, epoch: u64, steps: u64) -> Result<TaskBatches<'_, HostBatch>, TaskError> {
        let chosen: Vec<TwoStreamBatch> = self.stream.epoch(epoch).take(steps as usize).collect();
        let labeled: Vec<Vec<usize>> = chosen.iter().map(|batch| batch.labeled.clone()).collect();
        let mixed: Vec<bool> = chosen.iter().map(|batch| T::UNLABELED && !batch.unlabeled.is_empty()).collect();
        let samples = |batch: TwoStreamBatch| if T::UNLABELED { batch.samples() } else { batch.labeled };
        // A label that comes round again in an epoch gets other views each time.
        let batches = self.loader.sampled(epoch, chosen.into_iter().map(samples).collect())?;
        Ok(Box::new(batches.filter_map(move |views| {
            let views = match views {
                Ok(views) => views,
                Err(error) => return Some(Err(error.into())),
            };
            let labels = labels_of(&views, &labeled[views.index], &self.labels);
            // Broken files can leave no image without a label: as where they leave none at all, no step is made.
            let emptied = mixed[views.index] && labels.iter().all(Option::is_some);
            (!emptied).then(|| Ok(HostBatch { views, labels, two_views: T::OWN_VIEW, strong: self.strong }))
        })))
    }

    fn fit_to(&self, method: Self::Method, timeline: Timeline) -> Self::Method {
        match self.ramp_up {
            Some(ramp_up) => method.with_ramp_up(ramp_up.on(timeline)),
            None => method,
        }
    }

    fn restart(&self, method: Self::Method) -> Self::Method {
        method.restart()
    }

    fn images(&self, batch: &HostBatch) -> usize {
        batch.views.len()
    }

    fn step(
        &self,
        method: Self::Method,
        batch: HostBatch,
        optimizer: &mut ModuleOptimizer,
        learning_rate: f64,
    ) -> Result<(Self::Method, StepOutcome), TaskError> {
        let losses = method.losses(batch.into_device(&self.device)?)?;
        let gradients = GradientsParams::from_grads(losses.total.backward(), &method.student);
        let mut costs = vec![losses.total, losses.class, losses.consistency, losses.logit_distance];
        // Only a method that selects has a term of its own.
        costs.extend(losses.kept.into_iter().chain(losses.regularizer));
        let method = method.optimize(optimizer, learning_rate, gradients)?;
        let decay = method.teacher.decay().unwrap_or(f64::NAN);
        Ok((method, StepOutcome { costs, known: vec![losses.weight, decay] }))
    }

    fn step_figures(&self, seen: &Observed) -> Vec<Figure> {
        let mut figures = vec![
            Figure::new("loss", seen.cost(0)),
            Figure::new("class cost", seen.cost(1)),
            Figure::new("consistency cost", seen.cost(2)),
            Figure::new("consistency weight", seen.known(0)),
        ];
        figures.extend(kept_share(seen).map(|share| Figure::percent("kept", share)));
        figures.extend(regularizer(seen).map(|term| Figure::new("regularizer", term)));
        figures.extend(decay(seen).map(|decay| Figure::new("decay", decay)));
        figures.push(Figure::new("learning rate", seen.learning_rate));
        figures
    }

    fn metrics(&self, method: &Self::Method, seen: &Observed) -> Result<SemiMetrics, TaskError> {
        // A class that is never kept will often be kept later: said less and less often, and at the end.
        if seen.epoch.is_power_of_two() || seen.last {
            method.diagnose().into_iter().for_each(|warning| tracing::warn!("{}", warning.named(&self.classes)));
        }
        let valid = method.valid();
        let device = self.device.clone().without_autodiff();
        let own = method.teacher.network().is_some();
        let student = |images: Tensor<4>| [valid.student.predict(images).class];
        let both =
            |images: Tensor<4>| [valid.student.predict(images.clone()).class, valid.predict_with_teacher(images).class];
        let looked = match (&self.test, own) {
            (None, _) => [None, None],
            (Some(test), true) => accuracies(test, &device, both)?.map(Some),
            (Some(test), false) => [Some(accuracies(test, &device, student)?[0]), None],
        };
        let kept = |images: Tensor<4>| [valid.predict_with_teacher(images).class];
        let validated = self.validation.as_ref().map(|set| accuracies(set, &device, kept)).transpose()?;
        Ok(SemiMetrics {
            phase: self.phase.clone(),
            epoch: seen.epoch,
            step: seen.step,
            loss: seen.cost(0),
            class_cost: seen.cost(1),
            consistency_cost: seen.cost(2),
            logit_distance: seen.cost(3),
            consistency_weight: seen.known(0),
            kept: kept_share(seen),
            regularizer: regularizer(seen),
            decay: decay(seen),
            learning_rate: seen.learning_rate,
            student_accuracy: looked[0],
            teacher_accuracy: looked[1],
            validation_accuracy: validated.map(|[kept]| kept),
        })
    }

    fn epoch_figures(&self, metrics: &SemiMetrics) -> Vec<Figure> {
        [
            ("student accuracy", metrics.student_accuracy),
            ("teacher accuracy", metrics.teacher_accuracy),
            ("validation accuracy", metrics.validation_accuracy),
        ]
        .into_iter()
        .filter_map(|(name, accuracy)| accuracy.map(|accuracy| Figure::percent(name, accuracy)))
        .collect()
    }

    fn curves(&self) -> Vec<(&'static str, bool)> {
        let validation = [("validation accuracy", true)];
        [SemiMetrics::CURVES, &validation].concat()
    }

    fn advice(&self) -> &str {
        &self.advice
    }

    fn has_score(&self) -> bool {
        self.validation.is_some()
    }

    fn score(&self, metrics: &SemiMetrics) -> Option<f64> {
        metrics.validation_accuracy
    }

    fn settings(&self) -> Value {
        self.settings.clone()
    }

    fn write_files(&self, folder: &Path) -> Result<(), TaskError> {
        let name = |image| self.loader.source().id(image);
        write_labels(&folder.join("labels.txt"), &self.known, &self.classes, name).map_err(TaskError::other)?;
        let Some(validation) = &self.validation else { return Ok(()) };
        let mut held_out = vec![None; self.known.len()];
        validation.chosen().iter().for_each(|&(image, class)| held_out[image] = Some(class));
        write_labels(&folder.join("validation.txt"), &held_out, &self.classes, name).map_err(TaskError::other)
    }

    fn left_out(&self) -> Vec<String> {
        left_out(
            [self.loader.report()].into_iter().chain(self.validation.iter().chain(&self.test).map(ImageSet::report)),
        )
    }

    fn fingerprint(&self) -> String {
        self.fingerprint.clone()
    }
}

/// The student's view: weak of the images with a label, which come first, strong of the others.
fn weak_then_strong(weak: Tensor<4>, strong: Tensor<4>, labels: &[Option<usize>]) -> Tensor<4> {
    let (batch, labeled) = (labels.len(), labels.iter().take_while(|label| label.is_some()).count());
    match labeled {
        0 => strong,
        all if all == batch => weak,
        _ => Tensor::cat(vec![weak.narrow(0, 0, labeled), strong.narrow(0, labeled, batch - labeled)], 0),
    }
}

/// The share of images without a label that were kept, where the method leaves some out.
fn kept_share(seen: &Observed) -> Option<f64> {
    Some(seen.cost(4)).filter(|share| !share.is_nan())
}

/// The method's own term before its weight, where it has one.
fn regularizer(seen: &Observed) -> Option<f64> {
    Some(seen.cost(5)).filter(|term| !term.is_nan())
}

/// The decay of the latest average, where weights are averaged.
fn decay(seen: &Observed) -> Option<f64> {
    Some(seen.known(1)).filter(|decay| !decay.is_nan())
}

/// The label of each image of a batch, which begins with its labelled ones, where it is used. Images that were left out are
/// missing, so that the labelled ones end before their number.
fn labels_of(views: &ViewBatch, labeled: &[usize], labels: &[Option<usize>]) -> Vec<Option<usize>> {
    let lost = |sample: &usize| views.skipped.iter().any(|skipped| skipped.sample == *sample);
    let left = labeled.iter().filter(|sample| !lost(sample)).count();
    views.samples.iter().enumerate().map(|(row, &sample)| labels[sample].filter(|_| row < left)).collect()
}
