use std::path::PathBuf;
use std::thread;
use std::time::Instant;

use burn::module::Module;
use burn::optim::{GradientsParams, OptimizerRecord};
use burn::store::ModuleRecord;
use burn::tensor::{Bytes, Device, Tensor};
use slowburn_semi::{Losses, Predict, SemiSupervised, Teacher};

use super::batches::{HostBatch, Source};
use super::{Plan, TestSet, accuracy};
use crate::network::Network;
use crate::recipe::{Method, OptimizerState, Recipe};
use crate::report::{Report, StepReport};
use crate::run::{Checkpoint, EpochMetrics, Header, Progress, RunFolder};

/// Why training stopped before its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The cost is no number, or infinite.
    #[error("the loss is {value} at step {step} of {phase}: lower --lr or --weight. {}", last_good(.checkpoint))]
    NotFinite {
        /// The cost.
        value: f64,
        /// The step, counted from 1.
        step: u64,
        /// The part of the run.
        phase: String,
        /// The newest checkpoint, all of whose numbers are finite.
        checkpoint: Option<PathBuf>,
    },
    /// The person asked for it.
    #[error("stopped. Go on with --resume {folder}")]
    Interrupted {
        /// The run.
        folder: PathBuf,
    },
    /// A checkpoint is intact but belongs to another network or optimizer.
    #[error("the checkpoint does not fit: {reason}")]
    Record {
        /// What does not fit.
        reason: String,
    },
}

fn last_good(checkpoint: &Option<PathBuf>) -> String {
    match checkpoint {
        Some(path) => format!("The last good checkpoint is {}", path.display()),
        None => "There is no checkpoint yet".to_owned(),
    }
}

/// One method trained from its start, or from a checkpoint, to its end.
pub(super) struct Phase<'a, 'r> {
    pub(super) name: String,
    pub(super) recipe: &'a Recipe,
    pub(super) plan: &'a Plan,
    pub(super) source: Source<'a>,
    pub(super) monitor: &'a TestSet,
    pub(super) device: &'a Device,
    pub(super) folder: &'a RunFolder,
    pub(super) report: &'r mut dyn Report,
}

/// The position of a phase: what its next checkpoint will hold beside the method.
struct Position {
    optimizer: OptimizerState,
    step: u64,
    epoch: u64,
    progress: Progress,
    checkpoint: Option<PathBuf>,
}

/// Costs of the steps of an epoch: on the device until read, several at once.
#[derive(Default)]
struct Costs {
    pending: Vec<Tensor<1>>,
    sums: [f64; 4],
    steps: u64,
    latest: [f64; 4],
}

impl Costs {
    fn push(&mut self, losses: &Losses) {
        let costs = [&losses.total, &losses.class, &losses.consistency, &losses.logit_distance];
        self.pending.push(Tensor::cat(costs.map(|cost| cost.clone().detach()).to_vec(), 0));
    }

    /// Reads what is pending; the index and value of the first total that is not finite is the error.
    fn read(&mut self) -> Result<(), (u64, f64)> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let values = Tensor::cat(std::mem::take(&mut self.pending), 0).into_data().convert::<f32>();
        let values: Vec<f32> = values.iter::<f32>().collect();
        for costs in values.chunks_exact(4) {
            for (cost, value) in costs.iter().enumerate() {
                self.latest[cost] = f64::from(*value);
                self.sums[cost] += f64::from(*value);
            }
            self.steps += 1;
            if !self.latest[0].is_finite() {
                return Err((self.steps, self.latest[0]));
            }
        }
        Ok(())
    }

    fn mean(&self, cost: usize) -> f64 {
        self.sums[cost] / self.steps.max(1) as f64
    }
}

impl Phase<'_, '_> {
    /// Trains until the plan's last step and returns the method and what was found out.
    ///
    /// # Errors
    /// [`TrainError`], and errors of views and files.
    pub(super) fn train<T: Teacher<Network>>(
        mut self,
        method: SemiSupervised<Network, T>,
        progress: Progress,
        resume: Option<Checkpoint>,
    ) -> anyhow::Result<(SemiSupervised<Network, T>, Progress)> {
        let (mut method, mut at) = self.start(method, progress, resume)?;
        self.report.begin(&self.name, self.plan.epochs(), self.plan.total_steps, at.step);
        while at.step < self.plan.total_steps {
            method = self.epoch(method, &mut at)?;
        }
        Ok((method, at.progress))
    }

    fn start<T: Teacher<Network>>(
        &self,
        method: SemiSupervised<Network, T>,
        progress: Progress,
        resume: Option<Checkpoint>,
    ) -> Result<(SemiSupervised<Network, T>, Position), TrainError> {
        let misfit = |error: burn::store::RecordError| TrainError::Record { reason: error.to_string() };
        let optimizer = self.recipe.optimizer.init(self.plan.steps_per_epoch, self.plan.total_steps);
        let mut at = Position { optimizer, step: 0, epoch: 0, progress, checkpoint: None };
        let Some(Checkpoint { header, method: record, optimizer }) = resume else {
            return Ok((method, at));
        };
        let record = ModuleRecord::from_bytes(Bytes::from_bytes_vec(record)).map_err(misfit)?;
        let method = method.try_load_record(record).map_err(misfit)?;
        let record = OptimizerRecord::from_bytes(Bytes::from_bytes_vec(optimizer)).map_err(misfit)?;
        at.optimizer.optimizer = at.optimizer.optimizer.load_record(record);
        Header { step: at.step, epoch: at.epoch, progress: at.progress, .. } = header;
        Ok((method, at))
    }

    fn epoch<T: Teacher<Network>>(
        &mut self,
        method: SemiSupervised<Network, T>,
        at: &mut Position,
    ) -> anyhow::Result<SemiSupervised<Network, T>> {
        let started = Instant::now();
        let mut costs = Costs::default();
        let mut last = (0.0, 0.0);
        let (first, steps, source) = (at.step, self.plan.steps_in(at.epoch), self.source);
        let method = thread::scope(|scope| -> anyhow::Result<_> {
            let mut method = method;
            for batch in source.epoch(at.epoch, steps, scope) {
                (method, last) = self.step(method, batch?, at, &mut costs)?;
                // A GPU works ahead while nobody asks for its results.
                if !self.device_is_gpu() || costs.pending.len() >= 16 {
                    self.check(&mut costs, first, at)?;
                }
                let seconds = at.progress.train_seconds + started.elapsed().as_secs_f64();
                self.report.step(&self.step_report(&costs, last, &method, at, seconds));
                if self.report.stop_requested() {
                    return Err(TrainError::Interrupted { folder: self.folder.path().to_owned() }.into());
                }
            }
            Ok(method)
        })?;
        self.check(&mut costs, first, at)?;
        at.epoch += 1;
        at.progress.train_seconds += started.elapsed().as_secs_f64();
        let metrics = self.metrics(&method, &costs, last, at);
        self.report.epoch(&metrics);
        at.progress.metrics.push(metrics);
        self.save(&method, at)?;
        Ok(method)
    }

    /// One optimizer step; returns the method, the learning rate and the consistency weight.
    fn step<T: Teacher<Network>>(
        &self,
        method: SemiSupervised<Network, T>,
        batch: HostBatch,
        at: &mut Position,
        costs: &mut Costs,
    ) -> anyhow::Result<(SemiSupervised<Network, T>, (f64, f64))> {
        // Dropout and noise inside the network draw from the device's generator: seeded by the step, a resumed run
        // draws what the first one would have.
        self.device.seed(mix(self.recipe.seed, at.step));
        let rate = at.optimizer.prepare(at.step);
        at.progress.images += batch.len() as u64;
        let losses = method.losses(batch.into_device(self.device));
        let gradients = GradientsParams::from_grads(losses.total.backward(), &method.student);
        costs.push(&losses);
        let method = method.optimize(&mut at.optimizer.optimizer, rate, gradients)?;
        at.step += 1;
        Ok((method, (rate, losses.weight)))
    }

    fn device_is_gpu(&self) -> bool {
        !matches!(self.recipe.device.as_str(), "cpu" | "flex" | "ndarray")
    }

    fn check(&self, costs: &mut Costs, first: u64, at: &Position) -> Result<(), TrainError> {
        costs.read().map_err(|(step, value)| TrainError::NotFinite {
            value,
            step: first + step,
            phase: self.name.clone(),
            checkpoint: at.checkpoint.clone(),
        })
    }

    fn step_report<T: Teacher<Network>>(
        &self,
        costs: &Costs,
        (learning_rate, consistency_weight): (f64, f64),
        method: &SemiSupervised<Network, T>,
        at: &Position,
        seconds: f64,
    ) -> StepReport {
        StepReport {
            step: at.step,
            epoch: at.epoch + 1,
            step_in_epoch: at.step - at.epoch * self.plan.steps_per_epoch as u64,
            steps_in_epoch: self.plan.steps_in(at.epoch),
            loss: costs.latest[0],
            class_cost: costs.latest[1],
            consistency_cost: costs.latest[2],
            consistency_weight,
            decay: self.decay(method),
            learning_rate,
            images: at.progress.images,
            seconds,
        }
    }

    /// The decay of the latest update, where weights are averaged.
    fn decay<T: Teacher<Network>>(&self, method: &SemiSupervised<Network, T>) -> Option<f64> {
        (self.recipe.method == Method::MeanTeacher).then(|| self.recipe.decay.at(method.steps()))
    }

    fn metrics<T: Teacher<Network>>(
        &self,
        method: &SemiSupervised<Network, T>,
        costs: &Costs,
        (learning_rate, consistency_weight): (f64, f64),
        at: &Position,
    ) -> EpochMetrics {
        let valid = method.valid();
        let averages = self.recipe.method == Method::MeanTeacher;
        EpochMetrics {
            phase: self.name.clone(),
            epoch: at.epoch,
            step: at.step,
            loss: costs.mean(0),
            class_cost: costs.mean(1),
            consistency_cost: costs.mean(2),
            logit_distance: costs.mean(3),
            consistency_weight,
            decay: self.decay(method),
            learning_rate,
            student_accuracy: accuracy(self.monitor, |images| valid.student.predict(images).class),
            teacher_accuracy: averages
                .then(|| accuracy(self.monitor, |images| valid.predict_with_teacher(images).class)),
        }
    }

    fn save<T: Teacher<Network>>(&self, method: &SemiSupervised<Network, T>, at: &mut Position) -> anyhow::Result<()> {
        let header = Header { phase: self.name.clone(), step: at.step, epoch: at.epoch, progress: at.progress.clone() };
        let checkpoint = Checkpoint {
            header,
            method: method.clone().into_record().into_bytes()?.to_vec(),
            optimizer: at.optimizer.optimizer.into_bytes()?.to_vec(),
        };
        at.checkpoint = Some(self.folder.save(&checkpoint)?);
        Ok(())
    }
}

/// A seed for one step of a run: SplitMix64's output function over both numbers.
pub(super) fn mix(seed: u64, step: u64) -> u64 {
    let mut z = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(step).wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
