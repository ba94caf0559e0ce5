use super::{Figure, Reporter, StepReport};

/// Two reporters that see the same: `Both(lines, TensorBoard::new(run))`. A request of either to stop counts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Both<A, B>(pub A, pub B);

impl<A: Reporter, B: Reporter> Reporter for Both<A, B> {
    fn begin(&mut self, phase: &str, epochs: u64, steps: u64, done: u64) {
        self.0.begin(phase, epochs, steps, done);
        self.1.begin(phase, epochs, steps, done);
    }

    fn step(&mut self, step: &StepReport) {
        self.0.step(step);
        self.1.step(step);
    }

    fn epoch(&mut self, epoch: u64, figures: &[Figure]) {
        self.0.epoch(epoch, figures);
        self.1.epoch(epoch, figures);
    }

    fn stop_requested(&self) -> bool {
        self.0.stop_requested() || self.1.stop_requested()
    }
}

impl<R: Reporter + ?Sized> Reporter for Box<R> {
    fn begin(&mut self, phase: &str, epochs: u64, steps: u64, done: u64) {
        (**self).begin(phase, epochs, steps, done);
    }

    fn step(&mut self, step: &StepReport) {
        (**self).step(step);
    }

    fn epoch(&mut self, epoch: u64, figures: &[Figure]) {
        (**self).epoch(epoch, figures);
    }

    fn stop_requested(&self) -> bool {
        (**self).stop_requested()
    }
}
