//! FixMatch and its kin: a network's confident predictions are targets.

mod align;
mod config;
mod flex;
mod free;
mod selector;
mod settings;

use burn::module::Module;
use burn::tensor::activation::softmax;
use burn::tensor::{FloatDType, Tensor};
use serde::Serialize;
use slowburn_ema::{Ema, EmaConfig};

pub use align::Alignment;
pub use config::PseudoLabelConfig;
pub use selector::{Selected, SelectionReport, Selector};
pub use settings::{FlexThresholds, FreeThresholds, LabelForm, LabelSource, Selection, ThresholdMapping};

use align::Aligned;

use super::targets::{target_rows, target_view};
use super::{Passes, SemiSupervised, StepContext, Teacher};
use crate::{InputRows, Logits, Predict, SemiBatch, SemiError, SemiWarning, Targets};

/// FixMatch and its kin: what a network predicts with confidence on a weak view is the target for a strong one.
///
/// `J = (1/B)·Σ −ln p_y(x) + w·(1/μB)·Σ_u 1[max q ≥ T]·H(q̂, p(strong u))`: q the prediction on the weak view of u, without
/// gradient, q̂ its form, B and μB the labelled and unlabelled samples of a batch (Sohn et al., arXiv 2001.07685).
/// [`FlexThresholds`] and [`FreeThresholds`] choose T by class.
///
/// The batch: [`SemiBatch::student`] holds weak views of labelled and strong views of unlabelled samples,
/// [`SemiBatch::teacher`] weak views, of all samples or, in the same order, of the unlabelled ones alone.
///
/// Every setting but the source of targets evaluates the average and asks it for nothing else. Where ours differs: `max q ≥ T`,
/// as all authors' code has it, where FlexMatch's paper has `>`.
pub type FixMatch<M> = SemiSupervised<M, PseudoLabels<M>>;

/// Targets from a network's own predictions; the average beside it is what is evaluated.
#[derive(Module, Debug)]
pub struct PseudoLabels<M: Module> {
    average: Ema<M>,
    selector: Selector,
    aligned: Option<Aligned>,
    #[module(skip)]
    config: PseudoLabelConfig,
}

/// What decides targets and average.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PseudoLabelSettings {
    /// How the average follows the student.
    pub average: EmaConfig,
    /// Which network gives the targets.
    pub source: LabelSource,
    /// What a target is.
    pub form: LabelForm,
    /// Which samples count.
    pub selection: Selection,
    /// Whether predictions are aligned first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alignment: Option<Alignment>,
}

/// Targets of a batch, and what is remembered of it.
#[derive(Debug)]
struct Formed {
    /// `[n, classes]`.
    target: Tensor<2>,
    /// The probabilities q that samples are chosen by, `[n, classes]`.
    q: Tensor<2>,
    /// The alignment's average with this batch, `[1, classes]`.
    mean: Option<Tensor<2>>,
}

impl<M: Module> PseudoLabels<M> {
    /// The average of the student's weights.
    pub fn average(&self) -> &Ema<M> {
        &self.average
    }

    /// Which samples count, and what that remembers.
    pub fn selector(&self) -> &Selector {
        &self.selector
    }

    /// Targets from logits `[n, classes]` of weak views.
    fn form(&self, logits: Tensor<2>) -> Formed {
        let logits = logits.without_autodiff().cast(FloatDType::F32);
        let q = softmax(logits.clone(), 1);
        // Logits of the aligned predictions are their logarithms.
        let (logits, q, mean) = match &self.aligned {
            Some(aligned) => {
                let [q, mean] = aligned.align(q);
                (q.clone().clamp_min(f32::MIN_POSITIVE).log(), q, Some(mean))
            }
            None => (logits, q, None),
        };
        let target = match self.config.form {
            LabelForm::Soft => q.clone(),
            LabelForm::Sharpened { temperature } => softmax(logits.div_scalar(temperature), 1),
            LabelForm::Hard => {
                let [_, columns] = q.dims();
                selector::one_hot(q.clone().argmax(1).float(), columns)
            }
        };
        Formed { target, q, mean }
    }

    /// The kept marks, where any sample may be left out.
    fn marks(&self, selected: &Selected) -> Option<Tensor<1>> {
        (self.config.selection != Selection::All).then(|| selected.kept.clone())
    }
}

impl<M: Predict> PseudoLabels<M>
where
    M::Input: InputRows,
{
    /// The student's logits for its batch, and the class logits of the network that gives the targets for `weak`.
    fn forward(&self, student: &M, strong: M::Input, weak: M::Input, batch: usize) -> (Logits, Tensor<2>) {
        match self.config.source {
            LabelSource::Student => {
                let logits = student.predict(strong.join(weak));
                let [all, _] = logits.class.dims();
                let own = |logits: Tensor<2>| logits.narrow(0, 0, batch);
                let target = logits.class.clone().narrow(0, batch, all - batch);
                (Logits { class: own(logits.class), consistency: logits.consistency.map(own) }, target)
            }
            LabelSource::StudentApart => (student.predict(strong), student.predict(weak).class),
            // Training mode, as in Mean Teacher.
            LabelSource::Average => {
                (student.predict(strong), self.average.with_module(|average| average.predict(weak)).class)
            }
        }
    }
}

impl<M: Predict> Teacher<M> for PseudoLabels<M>
where
    M::Input: InputRows,
{
    type Settings = PseudoLabelSettings;
    /// What was selected, of which samples, and the alignment's average.
    type Memory = Option<(Selected, Vec<usize>, Option<Tensor<2>>)>;

    fn settings(&self) -> PseudoLabelSettings {
        let PseudoLabelConfig { average, source, form, selection, alignment, objective: _ } = self.config.clone();
        PseudoLabelSettings { average, source, form, selection, alignment }
    }

    fn network(&self) -> Option<&M> {
        Some(self.average.module())
    }

    fn decay(&self) -> Option<f64> {
        Some(self.average.decay())
    }

    /// Where samples are left out by confidence, an untrained network's targets count little by themselves.
    fn needs_ramp_up(&self) -> bool {
        self.config.selection == Selection::All
    }

    fn targets(&self, student: &M, view: M::Input, samples: &[usize]) -> Result<Option<Targets>, SemiError> {
        let logits = match self.config.source {
            LabelSource::Average => self.average.with_module(|average| average.predict(view)),
            LabelSource::Student | LabelSource::StudentApart => student.predict(view),
        };
        let Formed { target, q, .. } = self.form(logits.class);
        let selected = self.selector.choose(&q, samples)?;
        Ok(Some(Targets { probabilities: target, known: None, kept: self.marks(&selected) }))
    }

    fn passes(
        &self,
        student: &M,
        batch: SemiBatch<M::Input>,
        context: &StepContext<'_>,
    ) -> Result<Passes<Self::Memory>, SemiError> {
        let count = batch.labels.len();
        SemiError::rows("student views", batch.student.rows(), count)?;
        let rows = target_rows(&batch.labels, context.objective)?;
        let weak = target_view(batch.teacher, &rows, count)?;
        let samples: Vec<usize> = rows.iter().map(|&row| batch.samples[row]).collect();

        let (logits, target) = self.forward(student, batch.student, weak, count);
        let Formed { target, q, mean } = self.form(target); // [rows, classes]
        let selected = self.selector.choose(&q, &samples)?;
        let targets = Targets::of_rows(target, self.marks(&selected), &rows, count);

        let follower = logits.consistency.as_ref().unwrap_or(&logits.class).clone();
        let strong = || follower.cast(FloatDType::F32).pick(&rows);
        let regularizer = match self.config.selection {
            Selection::Free(_) => self.selector.fairness(&selected, strong()),
            _ => None,
        };
        Ok(Passes { student: logits, targets: Some(targets), regularizer, memory: Some((selected, samples, mean)) })
    }

    fn observe(&self, _: &Tensor<2>, _: &[usize], memory: Self::Memory) -> Result<(), SemiError> {
        match memory {
            Some((selected, samples, mean)) => {
                self.selector.remember(selected, &samples)?;
                if let (Some(aligned), Some(mean)) = (&self.aligned, mean) {
                    aligned.remember(mean);
                }
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn warnings(&self) -> Vec<SemiWarning> {
        self.selector.report().warnings()
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
        self.selector.restart();
        Self { average: self.average.restart(), ..self }
    }

    fn predict(&self, _student: &M, input: M::Input) -> Logits {
        self.average.with_module(|average| average.predict(input))
    }
}
