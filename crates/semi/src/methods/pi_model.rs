use burn::module::Module;
use burn::tensor::activation::softmax;
use burn::tensor::{Device, FloatDType};
use serde::{Deserialize, Serialize};

use super::{SemiSupervised, Teacher};
use crate::{Objective, Predict, SemiError, Targets};

/// The Π-model: the student is its own teacher, under other noise.
///
/// `J = class(θ) + w(t)·E[d(f(x, θ, η), f(x, θ, η'))]` (Laine & Aila, arXiv 1610.02242, algorithm 1). Both branches are
/// passes of one network in training mode, so its batch statistics count both.
pub type PiModel<M> = SemiSupervised<M, SelfTeacher>;

/// Settings of [`PiModel`].
///
/// | Name | Default | Purpose |
/// |---|---|---|
/// | `objective` | [`Objective::default`] | the costs and their weights |
/// | `gradient_to_target` | true | whether the cost also trains the branch that gives the target, as in the paper |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PiModelConfig {
    /// The costs and their weights.
    pub objective: Objective,
    /// Whether gradients flow through both branches. If not, the target is a constant, as in Mean Teacher.
    pub gradient_to_target: bool,
}

impl Default for PiModelConfig {
    fn default() -> Self {
        Self { objective: Objective::default(), gradient_to_target: true }
    }
}

impl PiModelConfig {
    /// A Π-model of this student.
    ///
    /// # Errors
    /// For settings out of range.
    pub fn init<M: Predict>(&self, student: M, device: &Device) -> Result<PiModel<M>, SemiError> {
        let teacher = SelfTeacher { gradient_to_target: self.gradient_to_target };
        SemiSupervised::new(student, teacher, self.objective.clone(), device)
    }
}

/// The student in the role of its teacher.
#[derive(Module, Debug)]
pub struct SelfTeacher {
    gradient_to_target: bool,
}

impl<M: Predict> Teacher<M> for SelfTeacher {
    /// Whether targets have gradients.
    type Settings = bool;
    type Memory = ();

    fn settings(&self) -> bool {
        self.gradient_to_target
    }

    fn targets(&self, student: &M, view: M::Input, _samples: &[usize]) -> Result<Option<Targets>, SemiError> {
        let logits = student.predict(view).class;
        Ok(Some(match self.gradient_to_target {
            true => Targets { probabilities: softmax(logits.cast(FloatDType::F32), 1), known: None, kept: None },
            false => Targets::from_logits(logits),
        }))
    }
}
