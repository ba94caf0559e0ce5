//! What people and programs see during training.

mod both;
#[cfg(feature = "tui")]
mod dashboard;
mod figure;
mod lines;
mod tensorboard;

pub use both::Both;
#[cfg(feature = "tui")]
pub use dashboard::Dashboard;
pub use figure::Figure;
pub use lines::Lines;
pub(crate) use lines::list;
pub use tensorboard::TensorBoard;

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
    /// The share of this epoch's time so far in which the loop waited for images, in [0, 1].
    pub waiting: f64,
}

/// Shows a run's progress.
pub trait Reporter {
    /// A part of the run begins, or continues after `done` of its steps.
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

/// Shows nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Reporter for Silent {
    fn begin(&mut self, _phase: &str, _epochs: u64, _steps: u64, _done: u64) {}
    fn step(&mut self, _step: &StepReport) {}
    fn epoch(&mut self, _epoch: u64, _figures: &[Figure]) {}
}

/// Progress on Burn's dashboard where standard output is a terminal and `plain` is not asked for (feature `tui`), else as
/// lines. `curves` are the names of all figures, and whether higher is better.
pub fn lines_or_dashboard(plain: bool, curves: &[(&'static str, bool)]) -> Box<dyn Reporter> {
    let dashboard = if plain { None } else { dashboard(curves) };
    dashboard.unwrap_or_else(|| Box::new(Lines::default()))
}

/// The dashboard, where it is built in and there is a terminal for it.
fn dashboard(curves: &[(&'static str, bool)]) -> Option<Box<dyn Reporter>> {
    #[cfg(feature = "tui")]
    if std::io::IsTerminal::is_terminal(&std::io::stdout()) {
        return Some(Box::new(Dashboard::new(curves)));
    }
    let _ = curves;
    None
}

/// The default: the dashboard on a terminal (feature `tui`); else events of `tracing` where a subscriber listens, so that
/// nothing is said twice; else lines.
pub(crate) fn unasked(curves: &[(&'static str, bool)]) -> Box<dyn Reporter> {
    dashboard(curves).unwrap_or_else(|| match tracing::enabled!(tracing::Level::INFO) {
        true => Box::new(Lines::traced()),
        false => Box::new(Lines::default()),
    })
}
