use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use slowburn_ema::{Buffers, Decay, EmaConfig};

use super::align::{Aligned, Alignment};
use super::settings::{FlexThresholds, FreeThresholds, LabelForm, LabelSource, Selection};
use super::{FixMatch, PseudoLabels, Selector};
use crate::methods::SemiSupervised;
use crate::{Consistency, CostReduction, InputRows, Objective, Predict, SemiError};

/// Settings of [`FixMatch`] and its kin: which network gives targets, what they are, which count.
///
/// | Name | Default: [`fix_match`](Self::fix_match) | Purpose |
/// |---|---|---|
/// | `objective` | [`fix_match_objective`](Self::fix_match_objective) | the costs and their weights |
/// | `average` | 0.999 from the start, the student's buffers | the network that is evaluated |
/// | `source` | `Student` | the network that gives the targets |
/// | `form` | `Hard` | what a target is |
/// | `selection` | `Fixed`, 0.95 | which samples count |
/// | `alignment` | none | whether predictions are made to have the data's classes in the mean |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PseudoLabelConfig {
    /// The costs and their weights. Its own `threshold` must be absent: [`selection`](Self::selection) has it.
    pub objective: Objective,
    /// How the average follows the student.
    pub average: EmaConfig,
    /// Which network gives the targets.
    pub source: LabelSource,
    /// What a target is.
    pub form: LabelForm,
    /// Which samples count.
    pub selection: Selection,
    /// Whether predictions are aligned with the classes of the data before they become targets.
    #[serde(default)]
    pub alignment: Option<Alignment>,
}

impl Default for PseudoLabelConfig {
    fn default() -> Self {
        Self::fix_match()
    }
}

impl PseudoLabelConfig {
    /// FixMatch: `ℓ = ℓ_s + ℓ_u` (Sohn et al., arXiv 2001.07685, eqs. 3 and 4), τ 0.95.
    pub fn fix_match() -> Self {
        let average = EmaConfig::new(Decay::Constant { decay: 0.999 }).with_buffers(Buffers::Copy);
        Self {
            objective: Self::fix_match_objective(),
            average,
            source: LabelSource::Student,
            form: LabelForm::Hard,
            selection: Selection::Fixed { threshold: 0.95 },
            alignment: None,
        }
    }

    /// Predictions are aligned with the classes of the data first.
    pub fn with_alignment(self, alignment: Alignment) -> Self {
        Self { alignment: Some(alignment), ..self }
    }

    /// FlexMatch: FixMatch with [`FlexThresholds`].
    pub fn flex_match() -> Self {
        Self { selection: Selection::Flex(FlexThresholds::default()), ..Self::fix_match() }
    }

    /// FreeMatch: FixMatch with [`FreeThresholds`].
    pub fn free_match() -> Self {
        Self { selection: Selection::Free(FreeThresholds::default()), ..Self::fix_match() }
    }

    /// Mean Teacher with targets of this form; with soft ones it is [`MeanTeacher`](crate::MeanTeacher), up to
    /// rounding. All samples count, labelled ones too, by the squared cost.
    pub fn mean_teacher(form: LabelForm) -> Self {
        Self {
            objective: Objective::default(),
            average: EmaConfig::new(Decay::WarmUp { decay: 0.999 }),
            source: LabelSource::Average,
            form,
            selection: Selection::All,
            alignment: None,
        }
    }

    /// FixMatch's costs: the class cost over the B labelled samples, the cross entropy with the targets over all μB
    /// unlabelled ones, never over the number kept; weight λ_u 1, from the first step on.
    pub fn fix_match_objective() -> Objective {
        Objective {
            consistency: Consistency::CrossEntropy,
            weight: 1.0,
            consistency_on_labeled: false,
            class_reduction: CostReduction::Selected,
            consistency_reduction: CostReduction::Selected,
            ..Objective::default()
        }
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// [`SemiError::OutOfRange`], which names the setting, its value and its range; [`SemiError::OwnBuffers`] where an average that
    /// is only evaluated would never fill its batch statistics.
    pub fn validate(&self) -> Result<(), SemiError> {
        self.objective.validate()?;
        if let Some(value) = self.objective.threshold {
            let range = "absent: the threshold is part of the selection";
            return Err(SemiError::OutOfRange { field: "objective.threshold", value, range });
        }
        self.form.validate()?;
        self.selection.validate()?;
        self.alignment.as_ref().map_or(Ok(()), Alignment::validate)?;
        self.average.validate()?;
        match (self.source, self.average.buffers) {
            (LabelSource::Student | LabelSource::StudentApart, Buffers::Own) => Err(SemiError::OwnBuffers),
            _ => Ok(()),
        }
    }

    /// The method for this student, over samples whose numbers are below `samples`.
    ///
    /// # Errors
    /// Those of [`validate`](Self::validate), and for no samples or classes.
    pub fn init<M: Predict<Input: InputRows>>(
        &self,
        student: M,
        samples: usize,
        classes: usize,
        device: &Device,
    ) -> Result<FixMatch<M>, SemiError> {
        self.validate()?;
        let aligned = self.alignment.as_ref().map(|alignment| Aligned::new(alignment, classes, device));
        let teacher = PseudoLabels {
            average: self.average.init(&student)?,
            selector: Selector::new(self.selection.clone(), samples, classes, device)?,
            aligned: aligned.transpose()?,
            config: self.clone(),
        };
        SemiSupervised::new(student, teacher, self.objective.clone(), device)
    }
}
