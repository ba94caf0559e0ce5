//! Curves for TensorBoard.

mod event;
mod file;

use std::io;
use std::path::{Path, PathBuf};

use event::Event;
use file::EventFile;

use super::{Figure, Reporter, StepReport};

/// Steps from one written to the next.
const EVERY: u64 = 10;

/// Writes figures as TensorBoard's event files into `tensorboard/<phase>/` of a run's folder: `tensorboard --logdir runs` then
/// shows the parts of each run as curves of their own.
///
/// | Tag | Written | Value |
/// |---|---|---|
/// | `step/<figure>` | every tenth step, and the last of each epoch | as after that step |
/// | `step/images per second` | the same | training images by seconds of training, since the run began |
/// | `step/waiting for images` | the same | share of the epoch's time so far, in \[0, 1\] |
/// | `epoch/<figure>` | after each epoch | as of the epoch, at its last step |
///
/// The axis is the step in its part of the run. A run that goes on begins another file and says from which step on, so that
/// TensorBoard forgets what was written after the last checkpoint and is made again. What is no finite number is not written.
///
/// Use it beside another reporter: `Both(Lines::default(), TensorBoard::new("runs/birds"))`. Nothing is sent anywhere. A file
/// that cannot be written is named in a warning, and training goes on without it.
#[derive(Debug)]
pub struct TensorBoard {
    folder: PathBuf,
    every: u64,
    /// The last step that was made.
    step: u64,
    file: Option<EventFile>,
}

impl TensorBoard {
    /// Curves of the run in this folder.
    pub fn new(run: impl AsRef<Path>) -> Self {
        Self { folder: run.as_ref().join("tensorboard"), every: EVERY, step: 0, file: None }
    }

    /// Writes every `every`-th step, and the last of each epoch. ≥ 1.
    pub fn with_every(self, every: u64) -> Self {
        Self { every: every.max(1), ..self }
    }

    fn write(&mut self, event: &Event<'_>) {
        let Some(file) = &mut self.file else { return };
        let written = file.write(event);
        self.warn(written);
    }

    /// Says once that there will be no more.
    fn warn(&mut self, written: io::Result<()>) {
        if let Err(error) = written {
            tracing::warn!("no more curves for TensorBoard are written to {}: {error}", self.folder.display());
            self.file = None;
        }
    }
}

impl Reporter for TensorBoard {
    fn begin(&mut self, phase: &str, _epochs: u64, steps: u64, done: u64) {
        self.step = done;
        self.file = None;
        // Nothing is added to a part that is complete.
        if done >= steps {
            return;
        }
        let begun = EventFile::create(&self.folder.join(phase), done + 1).map(|file| self.file = Some(file));
        self.warn(begun);
    }

    fn step(&mut self, step: &StepReport) {
        self.step = step.step;
        if !step.step.is_multiple_of(self.every) && step.step_in_epoch != step.steps_in_epoch {
            return;
        }
        let speed = step.images as f64 / step.seconds.max(f64::MIN_POSITIVE);
        let rest = [Figure::new("images per second", speed), Figure::new("waiting for images", step.waiting)];
        self.write(&Event::scalars(step.step, "step", step.figures.iter().chain(&rest)));
    }

    fn epoch(&mut self, _epoch: u64, figures: &[Figure]) {
        self.write(&Event::scalars(self.step, "epoch", figures));
    }
}
