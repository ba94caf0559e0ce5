use std::path::PathBuf;
use std::time::Instant;

use burn::module::Module;
use burn::optim::OptimizerRecord;
use burn::store::ModuleRecord;
use burn::tensor::{Bytes, Device};
use slowburn_contrastive::ContrastiveError;
use slowburn_layers::{ComputePath, fast_path};
use slowburn_semi::SemiError;

use super::finite::diverged;
use super::{Costs, Observed, Outcome, Steps, Task, TrainError, mix};
use crate::recipe::{OptimizerConfig, OptimizerState};
use crate::report::{Report, StepReport};
use crate::run::{Checkpoint, Header, NAMES, Progress, RunFolder};

/// Steps whose costs a GPU may have ahead of their reading.
const UNREAD: usize = 16;

/// One method trained from its start, or from a checkpoint, to its end.
pub struct Trainer<'a, 'r, T> {
    /// The name of this part of the run.
    pub name: &'a str,
    /// What is trained.
    pub task: &'a T,
    /// How.
    pub optimizer: &'a OptimizerConfig,
    /// For how long.
    pub steps: Steps,
    /// The seed of the run.
    pub seed: u64,
    /// Where; with autodiff.
    pub device: &'a Device,
    /// Whether the device works ahead of the host.
    pub device_is_gpu: bool,
    /// Where checkpoints go.
    pub folder: &'a RunFolder,
    /// Who is told.
    pub report: &'r mut dyn Report,
}

impl<T: std::fmt::Debug> std::fmt::Debug for Trainer<'_, '_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trainer").field("name", &self.name).field("task", &self.task).finish_non_exhaustive()
    }
}

/// The position of a part of a run: what its next checkpoint will hold beside the method.
struct Position<M> {
    optimizer: OptimizerState,
    step: u64,
    epoch: u64,
    progress: Progress<M>,
    checkpoint: Option<PathBuf>,
}

/// A task's method and what was found out about it.
type Trained<T> = (<T as Task>::Method, Progress<<T as Task>::Metrics>);

impl<T: Task> Trainer<'_, '_, T> {
    /// Trains until the last step and returns the method and what was found out.
    ///
    /// # Errors
    /// [`TrainError`], and errors of the task and of files.
    pub fn train(
        mut self,
        method: T::Method,
        progress: Progress<T::Metrics>,
        resume: Option<Checkpoint<T::Metrics>>,
    ) -> anyhow::Result<Trained<T>> {
        let (mut method, mut at) = self.start(method, progress, resume)?;
        self.report.begin(self.name, self.steps.epochs(), self.steps.total, at.step);
        while at.step < self.steps.total {
            method = self.epoch(method, &mut at)?;
        }
        Ok((method, at.progress))
    }

    fn start(
        &self,
        method: T::Method,
        progress: Progress<T::Metrics>,
        resume: Option<Checkpoint<T::Metrics>>,
    ) -> anyhow::Result<(T::Method, Position<T::Metrics>)> {
        let misfit = |error: burn::store::RecordError| TrainError::Record { reason: error.to_string() };
        let optimizer = self.optimizer.init(self.steps.per_epoch, self.steps.total)?;
        let mut at = Position { optimizer, step: 0, epoch: 0, progress, checkpoint: None };
        let Some(Checkpoint { header, method: record, optimizer }) = resume else {
            // A part of the run that is over has left a checkpoint too.
            at.checkpoint = self.folder.newest()?;
            return Ok((method, at));
        };
        if header.names != NAMES {
            return Err(TrainError::Names { found: header.names }.into());
        }
        at.checkpoint = Some(self.folder.checkpoint_file(&header));
        let record = ModuleRecord::from_bytes(Bytes::from_bytes_vec(record)).map_err(misfit)?;
        let method = method.try_load_record(record).map_err(misfit)?;
        let record = OptimizerRecord::from_bytes(Bytes::from_bytes_vec(optimizer)).map_err(misfit)?;
        at.optimizer.optimizer = at.optimizer.optimizer.load_record(record);
        Header { step: at.step, epoch: at.epoch, progress: at.progress, .. } = header;
        Ok((method, at))
    }

    fn epoch(&mut self, method: T::Method, at: &mut Position<T::Metrics>) -> anyhow::Result<T::Method> {
        let started = Instant::now();
        let mut costs = Costs::default();
        let mut seen = Observed { epoch: at.epoch + 1, ..Observed::default() };
        let (first, steps, task) = (at.step, self.steps.in_epoch(at.epoch), self.task);
        let mut method = method;
        for batch in task.batches(at.epoch, steps)? {
            method = self.step(method, batch?, at, &mut costs, &mut seen)?;
            // A GPU works ahead while nobody asks for its results.
            if !self.device_is_gpu || costs.pending() >= UNREAD {
                self.check(&mut costs, first, at)?;
            }
            seen.costs.clone_from(&costs.latest);
            let seconds = at.progress.train_seconds + started.elapsed().as_secs_f64();
            self.report.step(&self.step_report(&seen, at, seconds));
            if self.report.stop_requested() {
                return Err(TrainError::Interrupted { folder: self.folder.resume_path().to_owned() }.into());
            }
        }
        self.check(&mut costs, first, at)?;
        at.epoch += 1;
        at.progress.train_seconds += started.elapsed().as_secs_f64();
        seen.costs = costs.means();
        self.check_weights(&method, at)?;
        let metrics = task.metrics(&method, &seen).map_err(|error| self.named(error, at))?;
        self.report.epoch(at.epoch, &task.epoch_figures(&metrics));
        at.progress.metrics.push(metrics);
        self.save(&method, at)?;
        Ok(method)
    }

    fn step(
        &self,
        method: T::Method,
        batch: T::Batch,
        at: &mut Position<T::Metrics>,
        costs: &mut Costs,
        seen: &mut Observed,
    ) -> anyhow::Result<T::Method> {
        // Dropout and noise inside the network draw from the device's generator: seeded by the step, a resumed run
        // draws what the first one would have.
        self.device.seed(mix(self.seed, at.step));
        let rate = at.optimizer.prepare(at.step);
        at.progress.images += self.task.images(&batch) as u64;
        let (task, optimizer) = (self.task, &mut at.optimizer.optimizer);
        // The kernels of a step hand their loops over to rayon's threads, ten times as fast from one of them.
        let (method, Outcome { costs: of_step, known }) = match fast_path(self.device) {
            ComputePath::Kernels => rayon::scope(|_| task.step(method, batch, optimizer, rate)),
            _ => task.step(method, batch, optimizer, rate),
        }
        .map_err(|error| self.stopped(error, at))?;
        costs.push(of_step);
        at.step += 1;
        seen.step = at.step;
        seen.learning_rate = rate;
        seen.known = known;
        Ok(method)
    }

    fn check(&self, costs: &mut Costs, first: u64, at: &Position<T::Metrics>) -> Result<(), TrainError> {
        costs.read().map_err(|(step, value)| self.not_finite(value, first + step, at))
    }

    /// Where a method itself found its cost to be no number, the step and what may help.
    fn stopped(&self, error: anyhow::Error, at: &Position<T::Metrics>) -> anyhow::Error {
        let value = match (error.downcast_ref::<ContrastiveError>(), error.downcast_ref::<SemiError>()) {
            (Some(ContrastiveError::Loss { value }), _) | (_, Some(SemiError::Cost { value })) => *value,
            _ => return error,
        };
        self.not_finite(value, at.step + 1, at).into()
    }

    fn not_finite(&self, value: f64, step: u64, at: &Position<T::Metrics>) -> TrainError {
        TrainError::NotFinite {
            value,
            step,
            phase: self.name.to_owned(),
            advice: T::ADVICE,
            checkpoint: at.checkpoint.clone(),
        }
    }

    /// A checkpoint is called good later on: its weights are looked at before it is written.
    fn check_weights(&self, method: &T::Method, at: &Position<T::Metrics>) -> Result<(), TrainError> {
        let Some((name, sum)) = diverged(method) else {
            return Ok(());
        };
        Err(TrainError::Weights {
            name,
            sum,
            step: at.step,
            phase: self.name.to_owned(),
            advice: T::ADVICE,
            checkpoint: at.checkpoint.clone(),
        })
    }

    /// Where an evaluation met numbers that are not finite, the step and what may help.
    fn named(&self, error: anyhow::Error, at: &Position<T::Metrics>) -> anyhow::Error {
        match error.downcast::<ContrastiveError>() {
            Ok(ContrastiveError::NotFinite { what }) => TrainError::Evaluation {
                what,
                step: at.step,
                phase: self.name.to_owned(),
                advice: T::ADVICE,
                checkpoint: at.checkpoint.clone(),
            }
            .into(),
            Ok(other) => other.into(),
            Err(error) => error,
        }
    }

    fn step_report(&self, seen: &Observed, at: &Position<T::Metrics>, seconds: f64) -> StepReport {
        let mut figures = self.task.step_figures(seen);
        // Before the first costs of an epoch are read from a GPU, figures of them are no numbers.
        figures.retain(|figure| !(seen.costs.is_empty() && figure.value.is_nan()));
        StepReport {
            step: at.step,
            epoch: at.epoch + 1,
            step_in_epoch: at.step - at.epoch * self.steps.per_epoch as u64,
            steps_in_epoch: self.steps.in_epoch(at.epoch),
            figures,
            images: at.progress.images,
            seconds,
        }
    }

    fn save(&self, method: &T::Method, at: &mut Position<T::Metrics>) -> anyhow::Result<()> {
        let progress = at.progress.clone();
        let header = Header { names: NAMES, phase: self.name.to_owned(), step: at.step, epoch: at.epoch, progress };
        let checkpoint = Checkpoint {
            header,
            method: method.clone().into_record().into_bytes()?.to_vec(),
            optimizer: at.optimizer.optimizer.into_bytes()?.to_vec(),
        };
        at.checkpoint = Some(self.folder.save(&checkpoint)?);
        Ok(())
    }
}
