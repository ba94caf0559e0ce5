use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use slowburn_ema::{Decay, Ema, EmaConfig};

use super::{SemiSupervised, Teacher};
use crate::{Logits, Objective, Predict, SemiError, Targets};

/// Mean Teacher: the targets come from an average of the student's weights.
///
/// `J = class(θ) + w(t)·E[d(f(x, θ, η), f(x, θ̄, η'))]` with `θ̄ ← d(t)·θ̄ + (1−d(t))·θ` after each step: θ the student,
/// θ̄ the teacher, η and η' the noise of two views, dropout included (Tarvainen & Valpola, arXiv 1703.01780, §2).
///
/// Defaults that differ from the reference's: the teacher starts as a copy of the student (the authors' PyTorch code
/// starts it at random), and ramps go by step, not by epoch.
pub type MeanTeacher<M> = SemiSupervised<M, Ema<M>>;

/// Settings of [`MeanTeacher`].
///
/// | Name | Default | Purpose |
/// |---|---|---|
/// | `objective` | [`Objective::default`] | the costs and their weights |
/// | `average` | warm-up to 0.999, own buffers | how the teacher follows |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeanTeacherConfig {
    /// The costs and their weights.
    pub objective: Objective,
    /// How the teacher follows the student.
    pub average: EmaConfig,
}

impl Default for MeanTeacherConfig {
    fn default() -> Self {
        Self { objective: Objective::default(), average: EmaConfig::new(Decay::WarmUp { decay: 0.999 }) }
    }
}

impl MeanTeacherConfig {
    /// A teacher for this student.
    ///
    /// # Errors
    /// For settings out of range.
    pub fn init<M: Predict>(&self, student: M, device: &Device) -> Result<MeanTeacher<M>, SemiError> {
        let teacher = self.average.init(&student)?;
        SemiSupervised::new(student, teacher, self.objective.clone(), device)
    }
}

impl<M: Predict> Teacher<M> for Ema<M> {
    type Settings = EmaConfig;
    type Memory = ();

    fn settings(&self) -> EmaConfig {
        self.config().clone()
    }

    fn network(&self) -> Option<&M> {
        Some(self.module())
    }

    fn decay(&self) -> Option<f64> {
        Some(Ema::decay(self))
    }

    fn targets(&self, _student: &M, view: M::Input, _samples: &[usize]) -> Result<Option<Targets>, SemiError> {
        // Training mode, as in both originals: batch statistics, dropout and noise are part of the method.
        Ok(Some(Targets::from_logits(self.with_module(|teacher| teacher.predict(view)).class)))
    }

    fn fits(&self, student: &M) -> Result<(), SemiError> {
        Ok(Ema::fits(self, student)?)
    }

    /// # Panics
    /// If the student does not [fit](Teacher::fits).
    fn follow(self, student: &M) -> Self {
        self.update(student).unwrap_or_else(|refused| panic!("{refused}"))
    }

    fn restart(self) -> Self {
        Ema::restart(self)
    }

    fn predict(&self, _student: &M, input: M::Input) -> Logits {
        self.with_module(|teacher| teacher.predict(input))
    }
}
