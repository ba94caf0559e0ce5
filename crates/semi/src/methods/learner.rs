use burn::module::{Module, ModuleDisplay};
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor};
use serde::Serialize;
use slowburn_ema::{Refused, StepCount, sync_running_state};

use super::targets::target_rows;
use crate::{Logits, Losses, Objective, Predict, SemiBatch, SemiError, SemiWarning, Targets};

/// What a step is part of.
#[derive(Debug, Clone, Copy)]
pub struct StepContext<'a> {
    /// What is minimised.
    pub objective: &'a Objective,
    /// The number of steps made before this one.
    pub step: u64,
}

/// What the networks made of a batch.
#[derive(Debug, Clone)]
pub struct Passes<S> {
    /// The student's logits, one row for each sample, with gradient.
    pub student: Logits,
    /// What it should have predicted; none for supervised training.
    pub targets: Option<Targets>,
    /// A further term of the cost, `[1]`, and its weight before it.
    pub regularizer: Option<(f64, Tensor<1>)>,
    /// What the teacher will [observe](Teacher::observe) if the costs are finite.
    pub memory: S,
}

/// Where the targets of the consistency cost come from: the one difference between the methods.
pub trait Teacher<M: Predict>: Module + ModuleDisplay {
    /// What decides its targets beside weights and batches, to be kept with a run.
    type Settings: Serialize;

    /// What its [`passes`](Self::passes) leave to [`observe`](Self::observe); `()` for most.
    type Memory: Default;

    /// Whether it has targets for images without labels. If not, a batch may leave those images out.
    const UNLABELED: bool = true;

    /// Whether it looks at a view of its own.
    const OWN_VIEW: bool = true;

    /// The settings that it was made with.
    fn settings(&self) -> Self::Settings;

    /// The teacher's network, if it has one of its own.
    fn network(&self) -> Option<&M> {
        None
    }

    /// The weight of the old value in its latest average, if it averages weights.
    fn decay(&self) -> Option<f64> {
        None
    }

    /// Whether its targets are of no use at first, so that the consistency weight should rise.
    fn needs_ramp_up(&self) -> bool {
        Self::UNLABELED
    }

    /// Targets for a view of some samples; none for supervised training.
    ///
    /// Called before the student's own prediction is [observed](Self::observe).
    ///
    /// # Errors
    /// For samples that the teacher does not know.
    fn targets(&self, student: &M, view: M::Input, samples: &[usize]) -> Result<Option<Targets>, SemiError>;

    /// The passes of a step: by default the student's over its view, then [`targets`](Self::targets) for the other.
    ///
    /// # Errors
    /// For batches that do not fit. Nothing but batch statistics has changed then.
    fn passes(
        &self,
        student: &M,
        batch: SemiBatch<M::Input>,
        context: &StepContext<'_>,
    ) -> Result<Passes<Self::Memory>, SemiError> {
        if Self::UNLABELED {
            target_rows(&batch.labels, context.objective)?;
        }
        let logits = student.predict(batch.student);
        let targets = self.targets(student, batch.teacher, &batch.samples)?;
        Ok(Passes { student: logits, targets, regularizer: None, memory: Self::Memory::default() })
    }

    /// Sees what the student predicted in this step, `[batch, classes]`, and what the passes left.
    ///
    /// # Errors
    /// For predictions that do not fit the teacher.
    fn observe(&self, _prediction: &Tensor<2>, _samples: &[usize], _memory: Self::Memory) -> Result<(), SemiError> {
        Ok(())
    }

    /// What it noticed so far that was probably not meant. Waits for the device.
    fn warnings(&self) -> Vec<SemiWarning> {
        Vec::new()
    }

    /// Whether the teacher can [follow](Self::follow) this student.
    ///
    /// # Errors
    /// If it is not the model that the teacher was made for.
    fn fits(&self, _student: &M) -> Result<(), SemiError> {
        Ok(())
    }

    /// Follows the student, which [fits](Self::fits), after the optimizer's step.
    fn follow(self, _student: &M) -> Self {
        self
    }

    /// The teacher for a new training with what it has learned; see [`Ema::restart`](slowburn_ema::Ema::restart) for averages.
    /// What it remembers of single samples is forgotten: those of a new training may be others.
    fn restart(self) -> Self {
        self
    }

    /// What the teacher predicts for new data; the student's prediction where the teacher is not a network.
    fn predict(&self, student: &M, input: M::Input) -> Logits {
        student.predict(input)
    }
}

/// A student that learns from labels and from the targets of a [`Teacher`]: the code path of
/// [`MeanTeacher`](crate::MeanTeacher), [`FixMatch`](crate::FixMatch) and its kin, [`Ict`](crate::Ict),
/// [`PiModel`](crate::PiModel), [`TemporalEnsemble`](crate::TemporalEnsemble) and [`Supervised`](crate::Supervised).
///
/// One step is [`losses`](Self::losses), `backward`, [`optimize`](Self::optimize):
///
/// ```no_run
/// # use burn::optim::{GradientsParams, ModuleOptimizer};
/// # use slowburn_semi::{MeanTeacher, Predict, SemiBatch};
/// # fn step<M: Predict>(mut method: MeanTeacher<M>, batch: SemiBatch<M::Input>, optimizer: &mut ModuleOptimizer)
/// #     -> Result<MeanTeacher<M>, slowburn_semi::SemiError> {
/// let losses = method.losses(batch)?;
/// let gradients = GradientsParams::from_grads(losses.total.backward(), &method.student);
/// method = method.optimize(optimizer, 0.003, gradients)?;
/// # Ok(method)
/// # }
/// ```
///
/// It is a `Module`: its record holds student, teacher and step, all that a resumed run needs beside the optimizer.
/// Hand the optimizer the gradients of `student` alone, as above; the teacher requires none.
#[derive(Module, Debug)]
pub struct SemiSupervised<M: Module, T: Module> {
    /// The network that the optimizer trains.
    pub student: M,
    /// Where its targets come from.
    pub teacher: T,
    steps: StepCount,
    #[module(skip)]
    objective: Objective,
}

impl<M: Predict, T: Teacher<M>> SemiSupervised<M, T> {
    /// Puts a student and a teacher together.
    ///
    /// # Errors
    /// Those of [`Objective::validate`].
    pub fn new(student: M, teacher: T, objective: Objective, device: &Device) -> Result<Self, SemiError> {
        objective.validate()?;
        let steps = StepCount::new(&device.clone().without_autodiff());
        Ok(Self { student, teacher, steps, objective })
    }

    /// The costs of a batch at the current step, ready for `backward`.
    ///
    /// Runs the student on one view and the teacher on the other, both in training mode, and takes the batch into what a method
    /// remembers of predictions (slots, averages, a bank): once a step, and not to look. On the CPU the total must be finite;
    /// on a GPU, which works ahead until somebody reads, ask [`Losses::require_finite`] when you read it anyway.
    ///
    /// # Errors
    /// Those of [`Objective::losses`], [`SemiError::NoUnlabeled`] for a batch without a consistency cost,
    /// [`SemiError::NoAutodiff`] where nothing could be learned, [`SemiError::Cost`] for a total that is not finite, and the
    /// teacher's. The method is then as it was, but for batch statistics of the passes that were made.
    pub fn losses(&self, batch: SemiBatch<M::Input>) -> Result<Losses, SemiError> {
        Ok(self.losses_and_logits(batch)?.0)
    }

    /// The costs of a batch, and the student's class logits `[batch, classes]`.
    ///
    /// # Errors
    /// Those of [`losses`](Self::losses).
    pub fn losses_and_logits(&self, batch: SemiBatch<M::Input>) -> Result<(Losses, Tensor<2>), SemiError> {
        if batch.labels.is_empty() {
            return Err(SemiError::EmptyBatch);
        }
        SemiError::rows("sample numbers", batch.samples.len(), batch.labels.len())?;
        let (labels, samples) = (batch.labels.clone(), batch.samples.clone());
        let context = StepContext { objective: &self.objective, step: self.steps() };
        let Passes { student, targets, regularizer, memory } = self.teacher.passes(&self.student, batch, &context)?;
        if !student.class.device().is_autodiff() {
            return Err(SemiError::NoAutodiff);
        }
        let logits = student.class.clone();
        let mut losses = self.objective.losses(student, targets, &labels, self.steps())?;
        if let Some((weight, term)) = regularizer {
            losses = losses.with_regularizer(weight, term);
        }
        finite_on_host(&losses)?;
        // Observed after the targets were read: a sample's own prediction is never part of its target.
        self.teacher.observe(&logits, &samples, memory)?;
        Ok((losses, logits))
    }

    /// Steps the student with its gradients, then lets the teacher follow it.
    ///
    /// # Errors
    /// [`SemiError::Average`] if the student is another model than the teacher was made for. The method comes back as it was.
    pub fn optimize(
        mut self,
        optimizer: &mut ModuleOptimizer,
        learning_rate: impl Into<ModuleLearningRate>,
        gradients: GradientsParams,
    ) -> Result<Self, Refused<Self, SemiError>> {
        if let Err(error) = self.teacher.fits(&self.student) {
            return Err(Refused::new(self, error));
        }
        self.student = optimizer.step(learning_rate, self.student, gradients);
        Ok(self.follow())
    }

    /// Everything after the optimizer's step.
    pub(super) fn follow(mut self) -> Self {
        self.teacher = self.teacher.follow(&self.student);
        self.steps.increment();
        // A record taken now must hold the statistics of this step's forward passes, not of the step before.
        sync_running_state(&self.student);
        sync_running_state(&self.teacher);
        self
    }

    /// The method for a new training with what it has learned: student and teacher stay, and steps are counted from 0, so that the
    /// consistency weight rises again. What is remembered of single samples is not: temporal ensembling's predictions and
    /// FlexMatch's confident classes.
    pub fn restart(mut self) -> Self {
        self.steps.set(0);
        self.teacher = self.teacher.restart();
        self
    }

    /// The number of optimizer steps made.
    pub fn steps(&self) -> u64 {
        self.steps.get()
    }

    /// What the method noticed so far that was probably not meant, such as a class that gives no targets. Waits for
    /// the device; ask after an epoch, not after every step. Nothing before the first step.
    pub fn diagnose(&self) -> Vec<SemiWarning> {
        match self.steps() {
            0 => Vec::new(),
            _ => self.teacher.warnings(),
        }
    }

    /// What is minimised.
    pub fn objective(&self) -> &Objective {
        &self.objective
    }

    /// The same method with another rise of the consistency weight, for when its length is known only after the data.
    pub fn with_ramp_up(self, ramp_up: slowburn_ema::Ramp) -> Self {
        Self { objective: Objective { ramp_up, ..self.objective }, ..self }
    }

    /// The teacher's prediction for new data, or the student's where the teacher is not a network.
    ///
    /// Call it on [`Module::valid`] of this value for evaluation.
    pub fn predict_with_teacher(&self, input: M::Input) -> Logits {
        self.teacher.predict(&self.student, input)
    }
}

/// `Ok` for a finite cost. It is read only where that costs no wait: on the CPU.
fn finite_on_host(losses: &Losses) -> Result<(), SemiError> {
    #[cfg(feature = "flex")]
    if slowburn_layers::fast_path(&losses.total.device()) == slowburn_layers::ComputePath::Kernels {
        losses.require_finite()?;
    }
    #[cfg(not(feature = "flex"))]
    let _ = losses;
    Ok(())
}
