use burn::module::{Module, ModuleDisplay};
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor};
use slowburn_ema::{StepCount, sync_running_state};

use crate::{Error, Logits, Losses, Objective, Predict, SemiBatch, Targets};

/// Where the targets of the consistency cost come from: the one difference between the methods.
pub trait Teacher<M: Predict>: Module + ModuleDisplay {
    /// Targets for the second view of a batch; none for supervised training.
    ///
    /// Called before the student's own prediction is [observed](Self::observe).
    ///
    /// # Errors
    /// For samples that the teacher does not know.
    fn targets(&self, student: &M, view: M::Input, samples: &[usize]) -> Result<Option<Targets>, Error>;

    /// Sees what the student predicted in this step, `[batch, classes]`.
    ///
    /// # Errors
    /// For predictions that do not fit the teacher.
    fn observe(&self, _prediction: &Tensor<2>, _samples: &[usize]) -> Result<(), Error> {
        Ok(())
    }

    /// Follows the student after the optimizer's step.
    ///
    /// # Errors
    /// If the student is no longer the model that the teacher was made for.
    fn follow(self, _student: &M) -> Result<Self, Error> {
        Ok(self)
    }

    /// What the teacher predicts for new data; the student's prediction where the teacher is no network.
    fn predict(&self, student: &M, input: M::Input) -> Logits {
        student.predict(input)
    }
}

/// A student that learns from labels and from the targets of a [`Teacher`]: the code path of
/// [`MeanTeacher`](crate::MeanTeacher), [`PiModel`](crate::PiModel), [`TemporalEnsemble`](crate::TemporalEnsemble)
/// and [`Supervised`](crate::Supervised).
///
/// One step is [`losses`](Self::losses), `backward`, [`optimize`](Self::optimize):
///
/// ```no_run
/// # use burn::optim::{GradientsParams, ModuleOptimizer};
/// # use slowburn_semi::{MeanTeacher, Predict, SemiBatch};
/// # fn step<M: Predict>(mut method: MeanTeacher<M>, batch: SemiBatch<M::Input>, optimizer: &mut ModuleOptimizer)
/// #     -> Result<MeanTeacher<M>, slowburn_semi::Error> {
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
    pub fn new(student: M, teacher: T, objective: Objective, device: &Device) -> Result<Self, Error> {
        objective.validate()?;
        let steps = StepCount::new(&device.clone().without_autodiff());
        Ok(Self { student, teacher, steps, objective })
    }

    /// The costs of a batch at the current step, ready for `backward`.
    ///
    /// Runs the student on one view and the teacher on the other, both in training mode.
    ///
    /// # Errors
    /// Those of [`Objective::losses`], [`Error::NoAutodiff`] where nothing could be learned from them, and the teacher's. The
    /// method is then as it was, but for batch statistics of the passes that were made.
    pub fn losses(&self, batch: SemiBatch<M::Input>) -> Result<Losses, Error> {
        Ok(self.losses_and_logits(batch)?.0)
    }

    /// The costs of a batch, and the student's class logits `[batch, classes]`.
    ///
    /// # Errors
    /// Those of [`losses`](Self::losses).
    pub fn losses_and_logits(&self, batch: SemiBatch<M::Input>) -> Result<(Losses, Tensor<2>), Error> {
        if batch.labels.is_empty() {
            return Err(Error::EmptyBatch);
        }
        Error::rows("sample numbers", batch.samples.len(), batch.labels.len())?;
        let student = self.student.predict(batch.student);
        if !student.class.device().is_autodiff() {
            return Err(Error::NoAutodiff);
        }
        let targets = self.teacher.targets(&self.student, batch.teacher, &batch.samples)?;
        let logits = student.class.clone();
        let losses = self.objective.losses(student, targets, &batch.labels, self.steps())?;
        // Observed after the targets were read: a sample's own prediction is never part of its target.
        self.teacher.observe(&logits, &batch.samples)?;
        Ok((losses, logits))
    }

    /// Steps the student with its gradients, then lets the teacher follow it.
    ///
    /// # Errors
    /// [`Error::Average`] if the student is another model than the teacher was made for.
    pub fn optimize(
        mut self,
        optimizer: &mut ModuleOptimizer,
        learning_rate: impl Into<ModuleLearningRate>,
        gradients: GradientsParams,
    ) -> Result<Self, Error> {
        self.student = optimizer.step(learning_rate, self.student, gradients);
        self.follow()
    }

    /// All that comes after the optimizer's step.
    pub(super) fn follow(mut self) -> Result<Self, Error> {
        self.teacher = self.teacher.follow(&self.student)?;
        self.steps.increment();
        // A record taken now must hold the statistics of this step's forward passes, not of the step before.
        sync_running_state(&self.student);
        sync_running_state(&self.teacher);
        Ok(self)
    }

    /// The number of optimizer steps made.
    pub fn steps(&self) -> u64 {
        self.steps.get()
    }

    /// What is minimised.
    pub fn objective(&self) -> &Objective {
        &self.objective
    }

    /// The teacher's prediction for new data, or the student's where the teacher is no network.
    ///
    /// Call it on [`Module::valid`] of this value for evaluation.
    pub fn predict_with_teacher(&self, input: M::Input) -> Logits {
        self.teacher.predict(&self.student, input)
    }
}
