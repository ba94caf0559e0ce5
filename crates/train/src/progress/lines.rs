use std::time::{Duration, Instant};

use super::{Figure, Reporter, StepReport};

/// The shortest time between two lines within an epoch.
const PAUSE: Duration = Duration::from_secs(10);

/// Plain progress lines, for logs and pipes: on standard error, or as events of `tracing`.
#[derive(Debug)]
pub struct Lines {
    traced: bool,
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
        Self { traced: false, phase: String::new(), epochs: 0, steps: 0, first: 0, began: now, printed: now }
    }
}

impl Lines {
    /// Lines as events of `tracing`, of the level `info`, for an installed subscriber.
    pub fn traced() -> Self {
        Self { traced: true, ..Self::default() }
    }

    /// Seconds left in this part, at the rate since it began or was resumed.
    fn left(&self, step: u64) -> f64 {
        let made = step.saturating_sub(self.first).max(1);
        self.began.elapsed().as_secs_f64() / made as f64 * self.steps.saturating_sub(step) as f64
    }

    fn say(&self, line: &str) {
        match self.traced {
            true => tracing::info!("{line}"),
            false => eprintln!("{line}"),
        }
    }
}

impl Reporter for Lines {
    fn begin(&mut self, phase: &str, epochs: u64, steps: u64, done: u64) {
        let now = Instant::now();
        let (traced, phase) = (self.traced, phase.to_owned());
        *self = Self { traced, phase, epochs, steps, first: done, began: now, printed: now };
        let after = match done {
            0 => String::new(),
            _ if done >= steps => ", all of them made".to_owned(),
            _ => format!(", going on after step {done}"),
        };
        self.say(&format!("{}: {epochs} epochs, {steps} steps{after}", self.phase));
    }

    fn step(&mut self, step: &StepReport) {
        if self.printed.elapsed() < PAUSE && step.step_in_epoch != step.steps_in_epoch {
            return;
        }
        self.printed = Instant::now();
        self.say(&format!(
            "{}  epoch {}/{}  step {}/{}  {:.0} images/s  {:.0} s left  {}",
            self.phase,
            step.epoch,
            self.epochs,
            step.step,
            self.steps,
            step.images as f64 / step.seconds.max(f64::MIN_POSITIVE),
            self.left(step.step),
            list(&step.figures),
        ));
    }

    fn epoch(&mut self, epoch: u64, figures: &[Figure]) {
        if !figures.is_empty() {
            self.say(&format!("{}  epoch {epoch}/{} in the mean  {}", self.phase, self.epochs, list(figures)));
        }
    }
}

/// Figures in a line.
pub(crate) fn list(figures: &[Figure]) -> String {
    figures.iter().map(Figure::to_string).collect::<Vec<_>>().join("  ")
}
