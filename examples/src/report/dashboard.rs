use std::sync::Arc;

use burn::train::Interrupter;
use burn::train::logger::TrainingProgressLogger;
use burn::train::metric::{MetricDefinition, MetricEntry, MetricId, NumericAttributes, NumericEntry, SerializedEntry};
use burn::train::renderer::tui::TuiMetricsRendererWrapper;
use burn::train::renderer::{MetricState, MetricsRenderer, MetricsRendererTraining};

use super::{Report, StepReport};
use crate::run::EpochMetrics;

/// Name and direction of every curve.
const CURVES: [(&str, bool); 9] = [
    ("Loss", false),
    ("Class cost", false),
    ("Consistency cost", false),
    ("Consistency weight", true),
    ("Decay", true),
    ("Learning rate", true),
    ("Images per second", true),
    ("Student accuracy", true),
    ("Teacher accuracy", true),
];

/// Burn's dashboard, fed by our loop. Its stop key ends the run after the current step.
pub struct Dashboard {
    renderer: TuiMetricsRendererWrapper,
    interrupter: Interrupter,
    started: bool,
}

impl std::fmt::Debug for Dashboard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dashboard").finish_non_exhaustive()
    }
}

impl Default for Dashboard {
    fn default() -> Self {
        let interrupter = Interrupter::new();
        let mut renderer = TuiMetricsRendererWrapper::new(interrupter.clone(), None);
        for (name, higher_is_better) in CURVES {
            renderer.register_metric(MetricDefinition {
                metric_id: id(name),
                name: Arc::new(name.to_owned()),
                description: None,
                attributes: NumericAttributes { unit: None, higher_is_better }.into(),
            });
        }
        Self { renderer, interrupter, started: false }
    }
}

fn id(name: &str) -> MetricId {
    MetricId::new(Arc::new(name.to_owned()))
}

fn state(name: &str, value: f64) -> MetricState {
    let text = format!("{value:.5}");
    let entry = MetricEntry::new(id(name), SerializedEntry::new(text.clone(), text));
    MetricState::Numeric(entry, Some(NumericEntry::Value(value)))
}

impl Report for Dashboard {
    fn begin(&mut self, phase: &str, epochs: u64, steps: u64, done: u64) {
        let per_epoch = steps.div_ceil(epochs.max(1));
        let label = format!("{phase}: {epochs} epochs, {steps} steps");
        self.renderer.start(epochs as usize, (done / per_epoch.max(1)) as usize, Some(steps as usize), Some(&label));
        self.started = false;
    }

    fn step(&mut self, step: &StepReport) {
        if !self.started || step.step_in_epoch == 1 {
            self.renderer.start_split("train", step.steps_in_epoch as usize);
            self.started = true;
        }
        let rate = step.images as f64 / step.seconds.max(f64::MIN_POSITIVE);
        let values = [
            ("Loss", Some(step.loss)),
            ("Class cost", Some(step.class_cost)),
            ("Consistency cost", Some(step.consistency_cost)),
            ("Consistency weight", Some(step.consistency_weight)),
            ("Decay", step.decay),
            ("Learning rate", Some(step.learning_rate)),
            ("Images per second", Some(rate)),
        ];
        for (name, value) in values {
            if let Some(value) = value {
                self.renderer.update_train(state(name, value));
            }
        }
        self.renderer.update_split(step.step_in_epoch as usize);
    }

    fn epoch(&mut self, metrics: &EpochMetrics) {
        self.renderer.update_valid(state("Student accuracy", metrics.student_accuracy));
        if let Some(accuracy) = metrics.teacher_accuracy {
            self.renderer.update_valid(state("Teacher accuracy", accuracy));
        }
        self.renderer.end_split();
        self.renderer.update_epoch(metrics.epoch as usize - 1);
    }

    fn stop_requested(&self) -> bool {
        self.interrupter.should_stop()
    }
}
