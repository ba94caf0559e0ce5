//! What a run shows while it trains and when it ends.

mod curves;
#[cfg(feature = "tui")]
mod dashboard;
mod lines;
mod picture;
mod regions;
mod scatter;
mod table;

pub use curves::{Across, BLUE, Curve, GREY, ORANGE, Panel, draw_curves};
#[cfg(feature = "tui")]
pub use dashboard::Dashboard;
pub use lines::Lines;
pub(crate) use picture::register_font_once;
pub use regions::{Region, Regions, draw_regions};
pub use scatter::{Scatter, draw_scatter};
pub use table::{active_terms, final_table};

use std::io::IsTerminal;

/// A number with its name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figure {
    /// What it is.
    pub name: &'static str,
    /// The number.
    pub value: f64,
    /// Whether it is a fraction to be shown in percent.
    pub percent: bool,
}

impl Figure {
    /// A number to be shown as it is.
    pub fn new(name: &'static str, value: f64) -> Self {
        Self { name, value, percent: false }
    }

    /// A fraction to be shown in percent.
    pub fn percent(name: &'static str, value: f64) -> Self {
        Self { name, value, percent: true }
    }
}

impl std::fmt::Display for Figure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.percent {
            true => write!(f, "{} {:.2} %", self.name, 100.0 * self.value),
            false => write!(f, "{} {:.5}", self.name, self.value),
        }
    }
}

/// Progress on Burn's dashboard where standard output is a terminal and `plain` is not asked for, else as lines.
/// `curves` are the names of all figures, and whether higher is better.
pub fn choose(plain: bool, curves: &[(&'static str, bool)]) -> Box<dyn Report> {
    #[cfg(feature = "tui")]
    if !plain && std::io::stdout().is_terminal() {
        return Box::new(Dashboard::new(curves));
    }
    #[cfg(not(feature = "tui"))]
    let _ = (plain, curves, std::io::stdout().is_terminal());
    Box::new(Lines::default())
}

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
    /// Costs, schedules, and what else the method has.
    pub figures: Vec<Figure>,
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
    /// An epoch, counted from 1, was finished and its checkpoint is about to be written.
    fn epoch(&mut self, epoch: u64, figures: &[Figure]);
    /// Whether the person asked to stop.
    fn stop_requested(&self) -> bool {
        false
    }
}
