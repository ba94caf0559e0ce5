//! Interpolation consistency training: Mean Teacher on mixed images.

mod draws;

use burn::module::Module;
use burn::tensor::activation::softmax;
use burn::tensor::{Device, FloatDType, Tensor};
use serde::{Deserialize, Serialize};
use slowburn_ema::{Decay, Ema, EmaConfig};

pub use draws::{MixDraw, MixDraws, Mixing};

use super::targets::{target_rows, target_view};
use super::{Passes, SemiSupervised, StepContext, Teacher};
use crate::{CostReduction, InputRows, Logits, Objective, Predict, SemiBatch, SemiError, Targets};

/// Interpolation consistency training: the student's prediction for a mixture of two images is to be the mixture of the
/// teacher's predictions.
///
/// `J = class(θ) + w(t)·E[d(f(λ·u_i + (1−λ)·u_j, θ), λ·f(u_i, θ̄) + (1−λ)·f(u_j, θ̄))]`, λ from Beta(α, α), θ̄ the average of
/// the student's weights, j from a permutation of the batch's unlabelled samples (Verma et al., arXiv 1903.03825, algorithm 1).
///
/// [`SemiBatch::student`] is what is mixed, [`SemiBatch::teacher`] what the teacher sees: the same view of each sample, as in
/// the paper. Labelled samples pass as they are, in one pass with the mixed ones.
///
/// Where ours differs from the authors' code: probabilities are mixed, as in the paper, not logits; labelled
/// samples are not mixed with each other; the student makes no pass over clean unlabelled samples.
pub type Ict<M> = SemiSupervised<M, Interpolation<M>>;

/// Settings of [`Ict`].
///
/// | Name | Default | Purpose |
/// |---|---|---|
/// | `objective` | squared cost of weight 100 on unlabelled samples, both costs means | the costs and their weights |
/// | `average` | warm-up to 0.999, own buffers | how the teacher follows |
/// | `mixing` | Beta(1, 1), one λ a batch | what is mixed with what |
///
/// The paper's ramp, a sigmoid over a quarter of the training, needs its length:
/// [`SemiSupervised::with_ramp_up`]. It takes α = 0.1 on SVHN.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IctConfig {
    /// The costs and their weights.
    pub objective: Objective,
    /// How the teacher follows the student.
    pub average: EmaConfig,
    /// What is mixed with what.
    pub mixing: Mixing,
}

impl Default for IctConfig {
    fn default() -> Self {
        let objective = Objective {
            weight: 100.0,
            consistency_on_labeled: false,
            class_reduction: CostReduction::Selected,
            consistency_reduction: CostReduction::Selected,
            ..Objective::default()
        };
        let average = EmaConfig::new(Decay::WarmUp { decay: 0.999 });
        Self { objective, average, mixing: Mixing::default() }
    }
}

impl IctConfig {
    /// The method for this student.
    ///
    /// # Errors
    /// For settings out of range, [`SemiError::MixedLabels`] for a consistency cost on labelled samples.
    pub fn init<M: Predict<Input: InputRows>>(&self, student: M, device: &Device) -> Result<Ict<M>, SemiError> {
        self.mixing.validate()?;
        if self.objective.consistency_on_labeled {
            return Err(SemiError::MixedLabels);
        }
        let teacher = Interpolation { average: self.average.init(&student)?, mixing: self.mixing.clone() };
        SemiSupervised::new(student, teacher, self.objective.clone(), device)
    }
}

/// The average as teacher of mixed images.
#[derive(Module, Debug)]
pub struct Interpolation<M: Module> {
    average: Ema<M>,
    #[module(skip)]
    mixing: Mixing,
}

impl<M: Module> Interpolation<M> {
    /// The average of the student's weights.
    pub fn average(&self) -> &Ema<M> {
        &self.average
    }

    /// What is mixed with what.
    pub fn mixing(&self) -> &Mixing {
        &self.mixing
    }
}

impl<M: Predict> Teacher<M> for Interpolation<M>
where
    M::Input: InputRows,
{
    type Settings = (EmaConfig, Mixing);
    type Memory = ();

    /// The teacher sees what the student sees mixed.
    const OWN_VIEW: bool = false;

    fn settings(&self) -> Self::Settings {
        (self.average.config().clone(), self.mixing.clone())
    }

    fn network(&self) -> Option<&M> {
        Some(self.average.module())
    }

    fn decay(&self) -> Option<f64> {
        Some(self.average.decay())
    }

    /// Targets for images that are not mixed.
    fn targets(&self, _student: &M, view: M::Input, _samples: &[usize]) -> Result<Option<Targets>, SemiError> {
        Ok(Some(Targets::from_logits(self.average.with_module(|teacher| teacher.predict(view)).class)))
    }

    fn passes(
        &self,
        student: &M,
        batch: SemiBatch<M::Input>,
        context: &StepContext<'_>,
    ) -> Result<Passes<()>, SemiError> {
        let count = batch.labels.len();
        SemiError::rows("student views", batch.student.rows(), count)?;
        let rows = target_rows(&batch.labels, context.objective)?;
        let clean = target_view(batch.teacher, &rows, count)?;
        let draws = self.mixing.draws(rows.len(), context.step);

        // A labelled row is its own partner, with weight 1.
        let (mut partners, mut weights) = ((0..count).collect::<Vec<usize>>(), vec![1.0; count]);
        for (index, &row) in rows.iter().enumerate() {
            (partners[row], weights[row]) = (rows[draws.partners[index]], draws.weights[index]);
        }
        let logits = student.predict(batch.student.blend(&partners, &weights));
        // Training mode, as in the original.
        let clean = self.average.with_module(|teacher| teacher.predict(clean)).class;
        let clean: Tensor<2> = softmax(clean.without_autodiff().cast(FloatDType::F32), 1); // [rows, classes]
        let mixed = clean.blend(&draws.partners, &draws.weights);
        let targets = Targets::of_rows(mixed, None, &rows, count);
        Ok(Passes { student: logits, targets: Some(targets), regularizer: None, memory: () })
    }

    fn fits(&self, student: &M) -> Result<(), SemiError> {
        Ok(self.average.fits(student)?)
    }

    /// # Panics
    /// If the student does not [fit](Teacher::fits).
    fn follow(self, student: &M) -> Self {
        let average = self.average.update(student).unwrap_or_else(|refused| panic!("{refused}"));
        Self { average, ..self }
    }

    fn restart(self) -> Self {
        Self { average: self.average.restart(), ..self }
    }

    fn predict(&self, _student: &M, input: M::Input) -> Logits {
        self.average.with_module(|teacher| teacher.predict(input))
    }
}
