use std::time::{Duration, Instant};

use super::{Figure, Reporter, StepReport};

/// The shortest time between two lines within an epoch.
const PAUSE: Duration = Duration::from_secs(10);

/// Plain progress lines on standard error, for logs and pipes.
#[derive(Debug)]
pub struct Lines {
    phase: String,
    epochs: u64,
    steps: u64,
    first: u64,
    began: Instant,
    printed: Instant,
}

impl Default for Lines {
    fn default() -> Self {
        let now = Instant::now();
        Self { phase: String::new(), epochs: 0, steps: 0, first: 0, began: now, printed: now }
    }
}

impl Lines {
    /// Seconds left in this part, at the rate since it began or was resumed.
    fn left(&self, step: u64) -> f64 {
        let made = step.saturating_sub(self.first).max(1);
        self.began.elapsed().as_secs_f64() / made as f64 * self.steps.saturating_sub(step) as f64
    }
}

impl Reporter for Lines {
    fn begin(&mut self, phase: &str, epochs: u64, steps: u64, done: u64) {
        let now = Instant::now();
        *self = Self { phase: phase.to_owned(), epochs, steps, first: done, began: now, printed: now };
        match done {
            0 => eprintln!("{phase}: {epochs} epochs, {steps} steps"),
            _ => eprintln!("{phase}: {epochs} epochs, {steps} steps, going on after step {done}"),
        }
    }

    fn step(&mut self, step: &StepReport) {
        if self.printed.elapsed() < PAUSE && step.step_in_epoch != step.steps_in_epoch {
            return;
        }
        self.printed = Instant::now();
        eprintln!(
            "{}  epoch {}/{}  step {}/{}  {:.0} images/s  {:.0} s left  {}",
            self.phase,
            step.epoch,
            self.epochs,
            step.step,
            self.steps,
            step.images as f64 / step.seconds.max(f64::MIN_POSITIVE),
            self.left(step.step),
            list(&step.figures),
        );
    }

    fn epoch(&mut self, epoch: u64, figures: &[Figure]) {
        eprintln!("{}  epoch {epoch}/{}  {}", self.phase, self.epochs, list(figures));
    }
}

/// Figures in a line.
pub(crate) fn list(figures: &[Figure]) -> String {
    figures.iter().map(Figure::to_string).collect::<Vec<_>>().join("  ")
}
