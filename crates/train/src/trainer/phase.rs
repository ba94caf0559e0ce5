use std::path::PathBuf;
use std::time::Instant;

use burn::optim::OptimizerRecord;
use burn::tensor::{Bytes, Device};
use slowburn_ema::Timeline;
use slowburn_layers::{ComputePath, fast_path};

use super::costs::Costs;
use super::finite::diverged;
use super::record::{misfit, record_of, with_record};
use super::{OptimizerConfig, OptimizerState, Stop, TrainError, mix};
use crate::progress::{Reporter, StepReport, list};
use crate::run::{BestEpoch, Checkpoint, Header, History, NAMES, RunFolder};
use crate::task::{Observed, StepOutcome, Task, TaskError};

/// Steps that a GPU may be ahead before their costs are read.
const UNREAD: usize = 16;

/// One part of a run: a method trained from its start, or from a checkpoint, to its end.
///
/// For runs of several parts that share a folder; [`Trainer`](super::Trainer) drives a run of one.
pub struct Phase<'a, 'r, T> {
    /// The name of this part of the run.
    pub name: &'a str,
    /// Its place among the parts of the run: checkpoints of a later part come after those of an earlier one.
    pub order: u8,
    /// What is trained.
    pub task: &'a T,
    /// How.
    pub optimizer: &'a OptimizerConfig,
    /// For how long.
    pub timeline: Timeline,
    /// The seed of the run.
    pub seed: u64,
    /// Epochs without a better score after which it stops, where the task has one.
    pub patience: Option<u64>,
    /// Where; with autodiff.
    pub device: &'a Device,
    /// Where checkpoints go.
    pub folder: &'a RunFolder,
    /// Where progress goes.
    pub reporter: &'r mut dyn Reporter,
}

impl<T: std::fmt::Debug> std::fmt::Debug for Phase<'_, '_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Phase").field("name", &self.name).field("task", &self.task).finish_non_exhaustive()
    }
}

/// The position of a part of a run: what its next checkpoint will hold beside the method.
struct Position<M> {
    optimizer: OptimizerState,
    step: u64,
    epoch: u64,
    history: History<M>,
    checkpoint: Option<PathBuf>,
}

/// A task's method and its history.
type Trained<T> = (<T as Task>::Method, History<<T as Task>::Metrics>);

impl<T: Task> Phase<'_, '_, T> {
    /// Trains until the last step and returns the method and its history.
    ///
    /// # Errors
    /// [`TrainError`], and errors of the task and of files.
    pub fn train(
        mut self,
        method: T::Method,
        history: History<T::Metrics>,
        resume: Option<(PathBuf, Checkpoint<T::Metrics>)>,
    ) -> Result<Trained<T>, TrainError> {
        let method = self.task.fit_to(method, self.timeline);
        let (mut method, mut at) = self.start(method, history, resume)?;
        self.reporter.begin(self.name, self.timeline.epochs(), self.timeline.total, at.step);
        while at.epoch < self.timeline.epochs() && !self.is_out_of_patience(&at) {
            method = self.epoch(method, &mut at)?;
        }
        Ok((method, at.history))
    }

    fn start(
        &self,
        method: T::Method,
        history: History<T::Metrics>,
        resume: Option<(PathBuf, Checkpoint<T::Metrics>)>,
    ) -> Result<(T::Method, Position<T::Metrics>), TrainError> {
        let optimizer = self.optimizer.init(self.timeline)?;
        let mut at = Position { optimizer, step: 0, epoch: 0, history, checkpoint: None };
        let Some((file, Checkpoint { header, method: record, optimizer })) = resume else {
            // A finished part of the run has left a checkpoint too.
            at.checkpoint = self.folder.newest()?;
            return Ok((method, at));
        };
        if header.names != NAMES {
            return Err(TrainError::Names { found: header.names });
        }
        at.checkpoint = Some(file);
        let method = with_record(method, record)?;
        let record = OptimizerRecord::from_bytes(Bytes::from_bytes_vec(optimizer)).map_err(misfit)?;
        at.optimizer.optimizer = at.optimizer.optimizer.load_record(record);
        Header { step: at.step, epoch: at.epoch, progress: at.history, .. } = header;
        Ok((method, at))
    }

    fn epoch(&mut self, method: T::Method, at: &mut Position<T::Metrics>) -> Result<T::Method, TrainError> {
        let _span = tracing::info_span!("epoch", phase = self.name, epoch = at.epoch + 1).entered();
        let started = Instant::now();
        let mut costs = Costs::default();
        let mut seen = Observed { epoch: at.epoch + 1, ..Observed::default() };
        let (first, steps, task) = (at.step, self.timeline.in_epoch(at.epoch), self.task);
        let works_ahead = fast_path(self.device) == ComputePath::Burn;
        let mut method = method;
        let mut batches = Timed::new(task.batches(at.epoch, steps)?);
        while let Some(batch) = batches.next() {
            method = self.step(method, batch?, at, &mut costs, &mut seen)?;
            // A GPU works ahead until somebody asks for its results.
            if !works_ahead || costs.pending() >= UNREAD {
                self.check(&mut costs, first, at)?;
            }
            seen.costs.clone_from(&costs.latest);
            let seconds = at.history.train_seconds + started.elapsed().as_secs_f64();
            let waiting = batches.waited / started.elapsed().as_secs_f64();
            self.reporter.step(&StepReport { waiting, ..self.step_report(&seen, at, seconds) });
            tracing::trace!(step = at.step, loss = seen.cost(0), "step");
            if self.reporter.stop_requested() {
                return Err(TrainError::Interrupted { folder: self.folder.resume_path().to_owned() });
            }
        }
        self.check(&mut costs, first, at)?;
        at.epoch += 1;
        // A batch whose images are all left out is a step that was not made, but schedules count it.
        at.step = first + steps;
        (seen.step, seen.last) = (at.step, at.step == self.timeline.total);
        let (waited, epoch_seconds) = (batches.waited, started.elapsed().as_secs_f64());
        at.history.train_seconds += epoch_seconds;
        seen.costs = costs.means();
        self.check_weights(&method, at)?;
        let metrics = task.metrics(&method, &seen).map_err(|error| self.stopped(error, at.step, at))?;
        let score = task.score(&metrics);
        let figures = task.epoch_figures(&metrics);
        self.reporter.epoch(at.epoch, &figures);
        at.history.metrics.push(metrics);
        self.save(&method, at, score)?;
        warn_of_waiting(at.epoch, waited, epoch_seconds);
        tracing::debug!(epoch = at.epoch, step = at.step, waited, "{}", list(&figures));
        Ok(method)
    }

    fn step(
        &self,
        method: T::Method,
        batch: T::Batch,
        at: &mut Position<T::Metrics>,
        costs: &mut Costs,
        seen: &mut Observed,
    ) -> Result<T::Method, TrainError> {
        // Dropout and noise inside the network draw from the device's generator: seeded by the step, a resumed run
        // draws what the first one would have.
        self.device.seed(mix(self.seed, at.step));
        let rate = at.optimizer.prepare(at.step);
        at.history.images += self.task.images(&batch) as u64;
        let (task, optimizer) = (self.task, &mut at.optimizer.optimizer);
        // The kernels of a step hand their loops over to rayon's threads, ten times as fast from one of them.
        let (method, StepOutcome { costs: of_step, known }) = match fast_path(self.device) {
            ComputePath::Kernels => rayon::scope(|_| task.step(method, batch, optimizer, rate)),
            _ => task.step(method, batch, optimizer, rate),
        }
        .map_err(|error| self.stopped(error, at.step + 1, at))?;
        costs.push(of_step);
        at.step += 1;
        seen.step = at.step;
        seen.learning_rate = rate;
        seen.known = known;
        Ok(method)
    }

    /// Whether the score has not risen for too long.
    fn is_out_of_patience(&self, at: &Position<T::Metrics>) -> bool {
        let waited = at.history.best.map(|best| at.epoch.saturating_sub(best.improved));
        let out = self.patience.zip(waited).is_some_and(|(patience, waited)| waited >= patience);
        if out {
            tracing::info!("stopped early: no better score for {} epochs", waited.unwrap_or_default());
        }
        out
    }

    fn check(&self, costs: &mut Costs, first: u64, at: &Position<T::Metrics>) -> Result<(), TrainError> {
        costs.read().map_err(|(step, value)| self.not_finite(value, first + step, at))
    }

    /// Adds the step and advice where a method found its cost, or an evaluation its features, not finite.
    fn stopped(&self, error: TaskError, step: u64, at: &Position<T::Metrics>) -> TrainError {
        match error {
            TaskError::Cost { value } => self.not_finite(value, step, at),
            TaskError::NotFinite { what } => TrainError::Evaluation { what, at: self.stop(step, at) },
            error => error.into(),
        }
    }

    fn stop(&self, step: u64, at: &Position<T::Metrics>) -> Stop {
        let (phase, advice) = (self.name.to_owned(), self.task.advice().to_owned());
        Stop { step, phase, advice, checkpoint: at.checkpoint.clone() }
    }

    fn not_finite(&self, value: f64, step: u64, at: &Position<T::Metrics>) -> TrainError {
        TrainError::NotFinite { value, at: self.stop(step, at) }
    }

    /// Errors call a checkpoint good later: its weights are checked before it is written.
    fn check_weights(&self, method: &T::Method, at: &Position<T::Metrics>) -> Result<(), TrainError> {
        match diverged(method) {
            Some((name, sum)) => Err(TrainError::Weights { name, sum, at: self.stop(at.step, at) }),
            None => Ok(()),
        }
    }

    fn step_report(&self, seen: &Observed, at: &Position<T::Metrics>, seconds: f64) -> StepReport {
        let mut figures = self.task.step_figures(seen);
        // Before the first costs of an epoch are read from a GPU, figures of them are not finite.
        figures.retain(|figure| !(seen.costs.is_empty() && figure.value.is_nan()));
        StepReport {
            step: at.step,
            epoch: at.epoch + 1,
            step_in_epoch: at.step - at.epoch * self.timeline.per_epoch as u64,
            steps_in_epoch: self.timeline.in_epoch(at.epoch),
            figures,
            images: at.history.images,
            seconds,
            waiting: 0.0,
        }
    }

    fn save(&self, method: &T::Method, at: &mut Position<T::Metrics>, score: Option<f64>) -> Result<(), TrainError> {
        // Of equally good epochs the later: few validation images often tie.
        let best = score.filter(|&score| at.history.best.is_none_or(|best| score >= best.score));
        if let Some(score) = best {
            let better = at.history.best.filter(|best| score == best.score);
            let improved = better.map_or(at.epoch, |best| best.improved);
            at.history.best = Some(BestEpoch { epoch: at.epoch, step: at.step, score, improved });
        }
        let progress = at.history.clone();
        let (phase, order) = (self.name.to_owned(), self.order);
        let header = Header { names: NAMES, phase, order, step: at.step, epoch: at.epoch, progress };
        let checkpoint = Checkpoint {
            header,
            method: record_of(method.clone())?,
            optimizer: at.optimizer.optimizer.into_bytes().map_err(misfit)?.to_vec(),
        };
        if best.is_some() {
            self.folder.save_best(&checkpoint)?;
        }
        let file = self.folder.save(&checkpoint)?;
        tracing::debug!(step = at.step, "checkpoint {}", file.display());
        at.checkpoint = Some(file);
        Ok(())
    }
}

/// The share of an epoch's time that the loop may wait for images without a warning.
const WAITING: f64 = 0.1;

/// Seconds of waiting that are worth a warning: the first batch of an epoch is always waited for.
const WORTH_A_WORD: f64 = 2.0;

fn warn_of_waiting(epoch: u64, waited: f64, seconds: f64) {
    let share = waited / seconds;
    if share > WAITING && waited > WORTH_A_WORD {
        tracing::warn!(
            "epoch {epoch}: {:.0} % of the time went into waiting for images: use more workers or cores, or smaller files (views \
             of 224 pixels need no photos of 4,000)",
            100.0 * share
        );
    }
}

/// Batches, and how long was waited for them.
struct Timed<I> {
    batches: I,
    /// Seconds.
    waited: f64,
}

impl<I: Iterator> Timed<I> {
    fn new(batches: I) -> Self {
        Self { batches, waited: 0.0 }
    }

    fn next(&mut self) -> Option<I::Item> {
        let asked = Instant::now();
        let batch = self.batches.next();
        self.waited += asked.elapsed().as_secs_f64();
        batch
    }
}
