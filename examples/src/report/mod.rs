//! What a run shows while it trains and when it ends.

mod curves;
#[cfg(feature = "tui")]
mod dashboard;
mod lines;
mod table;

pub use curves::draw_curves;
pub(crate) use curves::register_font_once;
#[cfg(feature = "tui")]
pub use dashboard::Dashboard;
pub use lines::Lines;
pub use table::{active_terms, final_table};

use crate::run::EpochMetrics;

/// What is known after a step.
#[derive(Debug, Clone, PartialEq)]
pub struct StepReport {
    /// Steps made in this part of the run.
    pub step: u64,
    /// The epoch, counted from 1.
    pub epoch: u64,
    /// Steps made in this epoch.
    pub step_in_epoch: u64,
    /// Steps of this epoch.
    pub steps_in_epoch: u64,
    /// The total cost.
    pub loss: f64,
    /// The class cost.
    pub class_cost: f64,
    /// The consistency cost before its weight.
    pub consistency_cost: f64,
    /// The consistency weight.
    pub consistency_weight: f64,
    /// The decay of the average, where there is one.
    pub decay: Option<f64>,
    /// The learning rate.
    pub learning_rate: f64,
    /// Training images seen in the whole run.
    pub images: u64,
    /// Seconds of training in the whole run.
    pub seconds: f64,
}

/// Shows a run's progress.
pub trait Report {
    /// A part of the run begins, or goes on after `done` of its steps.
    fn begin(&mut self, phase: &str, epochs: u64, steps: u64, done: u64);
    /// A step was made.
    fn step(&mut self, step: &StepReport);
    /// An epoch was finished and its checkpoint is about to be written.
    fn epoch(&mut self, metrics: &EpochMetrics);
    /// Whether the person asked to stop.
    fn stop_requested(&self) -> bool {
        false
    }
}
