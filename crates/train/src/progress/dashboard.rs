use std::sync::Arc;

use burn::train::Interrupter;
use burn::train::logger::TrainingProgressLogger;
use burn::train::metric::{MetricDefinition, MetricEntry, MetricId, NumericAttributes, NumericEntry, SerializedEntry};
use burn::train::renderer::tui::TuiMetricsRendererWrapper;
use burn::train::renderer::{MetricState, MetricsRenderer, MetricsRendererTraining};

use super::{Figure, Reporter, StepReport};

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

/// The curve that every run has.
const SPEED: &str = "images per second";

impl Dashboard {
    /// A dashboard with these curves: names of figures, and whether higher is better.
    pub fn new(curves: &[(&'static str, bool)]) -> Self {
        let interrupter = Interrupter::new();
        let mut renderer = TuiMetricsRendererWrapper::new(interrupter.clone(), None);
        for &(name, higher_is_better) in curves.iter().chain(&[(SPEED, true)]) {
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

impl Reporter for Dashboard {
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
        for figure in &step.figures {
            self.renderer.update_train(state(figure.name, figure.value));
        }
        self.renderer.update_train(state(SPEED, rate));
        self.renderer.update_split(step.step_in_epoch as usize);
    }

    fn epoch(&mut self, epoch: u64, figures: &[Figure]) {
        for figure in figures {
            self.renderer.update_valid(state(figure.name, figure.value));
        }
        self.renderer.end_split();
        self.renderer.update_epoch(epoch as usize - 1);
    }

    fn stop_requested(&self) -> bool {
        self.interrupter.should_stop()
    }
}
