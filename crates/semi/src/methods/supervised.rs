use burn::module::Module;
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::{SemiSupervised, Teacher};
use crate::{Objective, Predict, SemiError, Targets};

/// Training on labels alone: the baseline that the other methods must beat, on their code path.
pub type Supervised<M> = SemiSupervised<M, NoTeacher>;

/// Settings of [`Supervised`].
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SupervisedConfig {
    /// The costs; those of consistency have no effect.
    pub objective: Objective,
}

impl SupervisedConfig {
    /// Supervised training of this student.
    ///
    /// # Errors
    /// For settings out of range.
    pub fn init<M: Predict>(&self, student: M, device: &Device) -> Result<Supervised<M>, SemiError> {
        SemiSupervised::new(student, NoTeacher {}, self.objective.clone(), device)
    }
}

/// No targets.
#[derive(Module, Debug)]
pub struct NoTeacher {}

impl<M: Predict> Teacher<M> for NoTeacher {
    type Settings = ();
    type Memory = ();

    const UNLABELED: bool = false;
    const OWN_VIEW: bool = false;

    fn settings(&self) {}

    fn targets(&self, _student: &M, _view: M::Input, _samples: &[usize]) -> Result<Option<Targets>, SemiError> {
        Ok(None)
    }
}
