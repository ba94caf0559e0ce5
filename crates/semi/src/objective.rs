use burn::tensor::activation::softmax;
use burn::tensor::{FloatDType, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::costs::{logit_distance, masked_cross_entropy, softmax_cross_entropy, softmax_kl, softmax_mse};
use crate::{Logits, Ramp, SemiError};

/// How far the student's prediction is from the teacher's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Consistency {
    /// [`softmax_mse`]: squared error of probabilities, divided by the number of classes.
    #[default]
    Mse,
    /// [`softmax_kl`]: Kullback-Leibler divergence, summed over classes.
    Kl,
    /// [`softmax_cross_entropy`]: cross entropy, summed over classes; for hard and sharpened targets.
    CrossEntropy,
}

/// What a sum over samples is divided by.
///
/// With [`Minibatch`](Self::Minibatch), the original's choice, the class cost of a batch with few labels is small:
/// the consistency weight counts `batch / labelled` times as much as its number says. Comparing weights between
/// libraries needs that factor, which [`Objective::effective_weight`] gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CostReduction {
    /// The number of samples in the whole minibatch, labelled or not.
    #[default]
    Minibatch,
    /// The number of samples that the cost is about: the labelled ones, or those with a target. Samples below the
    /// threshold count too: they have a cost of 0.
    Selected,
}

/// The cost that a student minimises:
///
/// `J = class + w(t)·consistency + logit_distance·distance`, with `w(t) = weight·ramp_up(t)·ramp_down(t)`.
///
/// The class cost is the cross entropy of the labelled samples, the consistency cost compares the student with its
/// teacher's targets (arXiv 1703.01780, §2), the distance ties two heads together where the network has them.
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `consistency` | `Mse` | the cost between predictions | |
/// | `weight` | 10 | its weight at full strength | ≥ 0, finite |
/// | `ramp_up` | constant | factor of the weight by step | |
/// | `ramp_down` | constant | another factor of the weight by step | |
/// | `threshold` | none | leave out samples whose highest teacher probability is below it | [0, 1] |
/// | `consistency_on_labeled` | true | whether labelled samples have a consistency cost as well | |
/// | `logit_distance` | 0.01 | weight of the distance between two heads | ≥ 0, finite |
/// | `class_reduction` | `Minibatch` | what the class cost is divided by | |
/// | `consistency_reduction` | `Minibatch` | what the consistency cost is divided by | |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Objective {
    /// The cost between the two predictions.
    pub consistency: Consistency,
    /// The consistency cost's weight, λ, at full strength.
    pub weight: f64,
    /// A factor of the weight, by step.
    pub ramp_up: Ramp,
    /// Another factor of the weight, by step.
    pub ramp_down: Ramp,
    /// Samples whose highest teacher probability is lower have no consistency cost.
    pub threshold: Option<f64>,
    /// Whether labelled samples have a consistency cost too.
    pub consistency_on_labeled: bool,
    /// Weight of the squared distance between the logits of two heads.
    pub logit_distance: f64,
    /// What the class cost is divided by.
    pub class_reduction: CostReduction,
    /// What the consistency cost is divided by.
    pub consistency_reduction: CostReduction,
}

impl Default for Objective {
    fn default() -> Self {
        Self {
            consistency: Consistency::Mse,
            weight: 10.0,
            ramp_up: Ramp::Constant,
            ramp_down: Ramp::Constant,
            threshold: None,
            consistency_on_labeled: true,
            logit_distance: 0.01,
            class_reduction: CostReduction::Minibatch,
            consistency_reduction: CostReduction::Minibatch,
        }
    }
}

/// What the student should predict for a batch.
#[derive(Debug, Clone)]
pub struct Targets {
    /// Class probabilities, `[batch, classes]`.
    pub probabilities: Tensor<2>,
    /// 1 for rows that have a target, 0 for others, `[batch]`; absent where all have one. A row without one is not
    /// counted in the divisor of [`CostReduction::Selected`].
    pub known: Option<Tensor<1>>,
    /// 1 for rows whose target counts, 0 for those that a threshold leaves out, `[batch]`; absent where all count. A
    /// row that is left out has a cost of 0 and is counted in the divisor.
    pub kept: Option<Tensor<1>>,
}

impl Targets {
    /// Targets for every row from a teacher's logits, in f32. No gradient reaches the teacher.
    pub fn from_logits(logits: Tensor<2>) -> Self {
        Self { probabilities: softmax(logits.detach().cast(FloatDType::F32), 1), known: None, kept: None }
    }
}

/// The costs of one batch. Tensors stay on the device until they are read.
#[derive(Debug, Clone)]
pub struct Losses {
    /// What is minimised, `[1]`.
    pub total: Tensor<1>,
    /// The class cost, `[1]`.
    pub class: Tensor<1>,
    /// The consistency cost before its weight, `[1]`; zero where the method has no targets.
    pub consistency: Tensor<1>,
    /// The distance between two heads before its weight, `[1]`; zero where there is one head.
    pub logit_distance: Tensor<1>,
    /// The consistency weight `w(t)` of this step; 0 where the method has no targets.
    pub weight: f64,
    /// The share of the samples with a target that a threshold or selection kept, `[1]`; absent without either.
    pub kept: Option<Tensor<1>>,
    /// The method's own term before its weight, `[1]`: FreeMatch's fairness. Absent where it has none.
    pub regularizer: Option<Tensor<1>>,
}

impl Losses {
    /// The costs with a further term of this weight in the total.
    pub(crate) fn with_regularizer(self, weight: f64, term: Tensor<1>) -> Self {
        Self { total: self.total + term.clone().mul_scalar(weight), regularizer: Some(term), ..self }
    }

    /// Checks that the total is finite. Waits for the device.
    ///
    /// # Errors
    /// [`SemiError::Cost`] where it is NaN or infinite.
    pub fn require_finite(&self) -> Result<(), SemiError> {
        let value = self.total.clone().without_autodiff().into_scalar::<f64>();
        match value.is_finite() {
            true => Ok(()),
            false => Err(SemiError::Cost { value }),
        }
    }
}

impl Objective {
    /// The consistency weight `w(t)` at `step`, counted from 0.
    pub fn weight_at(&self, step: u64) -> f64 {
        self.weight * self.ramp_up.at(step) * self.ramp_down.at(step)
    }

    /// λ as it counts between two means: that of the class cost over the labelled samples of a batch and that of the
    /// consistency cost over the samples that have one. The number to compare between libraries.
    ///
    /// λ divided by the labelled fraction where the class cost is divided by the whole batch, and multiplied by the
    /// unlabelled fraction where labelled samples have no consistency cost but count in its divisor.
    pub fn effective_weight(&self, labeled: usize, batch: usize) -> f64 {
        let fraction = labeled as f64 / batch as f64;
        let class = match self.class_reduction {
            CostReduction::Minibatch => fraction,
            CostReduction::Selected => 1.0,
        };
        let consistency = match self.consistency_reduction {
            CostReduction::Minibatch if !self.consistency_on_labeled => 1.0 - fraction,
            _ => 1.0,
        };
        self.weight * consistency / class
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// [`SemiError::OutOfRange`], which names the setting, its value and its range.
    pub fn validate(&self) -> Result<(), SemiError> {
        let weight = |field, value: f64| {
            SemiError::unless((0.0..f64::INFINITY).contains(&value), field, value, "finite and at least 0")
        };
        weight("weight", self.weight)?;
        weight("logit_distance", self.logit_distance)?;
        if let Some(value) = self.threshold {
            SemiError::unless((0.0..=1.0).contains(&value), "threshold", value, "in [0, 1]")?;
        }
        self.ramp_up.validate()?;
        Ok(self.ramp_down.validate()?)
    }

    /// The costs of a batch at `step`.
    ///
    /// # Shapes
    /// - `student`: logits `[batch, classes]` of one head or two
    /// - `targets`: probabilities `[batch, classes]`, or none for supervised training
    /// - `labels`: one entry for each row
    ///
    /// # Errors
    /// [`SemiError::EmptyBatch`], [`SemiError::Rows`] or [`SemiError::Classes`] where shapes differ, [`SemiError::LabelOutOfRange`] for a
    /// label that is not a class of the logits.
    pub fn losses(
        &self,
        student: Logits,
        targets: Option<Targets>,
        labels: &[Option<usize>],
        step: u64,
    ) -> Result<Losses, SemiError> {
        check(&student, targets.as_ref(), labels)?;
        let marks: Vec<f32> = labels.iter().map(|label| f32::from(u8::from(label.is_some()))).collect();
        let marks = Tensor::<1>::from_data(TensorData::new(marks, [labels.len()]), &student.class.device());
        let marks = marks.cast(FloatDType::F32);
        // In f32 whatever the network's type: in f16 the logarithm of a small probability is not finite.
        let student = Logits {
            class: student.class.cast(FloatDType::F32),
            consistency: student.consistency.map(|logits| logits.cast(FloatDType::F32)),
        };

        let class = self.class_cost(student.class.clone(), labels, marks.clone());
        let distance = student.consistency.clone().map(|second| logit_distance(student.class.clone(), second).mean());
        let weight = if targets.is_some() { self.weight_at(step) } else { 0.0 };
        // The first head classifies and the second follows the teacher, so that the two demands on the student can differ
        // (arXiv 1703.01780, §B.3). The teacher's target is that of its first head.
        let follower = student.consistency.unwrap_or(student.class);
        let (consistency, kept) = match targets {
            Some(targets) => {
                let (cost, kept) = self.consistency_cost(follower, targets, marks);
                (Some(cost), kept)
            }
            None => (None, None),
        };

        // J without absent terms: multiplying their zeros would cost a pass each.
        let weighted = [(&distance, self.logit_distance), (&consistency, weight)];
        let total = weighted.into_iter().fold(class.clone(), |total, (term, weight)| match term {
            Some(term) => total + term.clone().mul_scalar(weight),
            None => total,
        });
        let [logit_distance, consistency] =
            [distance, consistency].map(|term| term.unwrap_or_else(|| class.zeros_like()));
        Ok(Losses { total, class, consistency, logit_distance, weight, kept, regularizer: None })
    }

    fn class_cost(&self, logits: Tensor<2>, labels: &[Option<usize>], marks: Tensor<1>) -> Tensor<1> {
        let batch = labels.len();
        let indices = labels.iter().map(|label| label.unwrap_or(0));
        let indices = crate::methods::indices(indices, &logits.device());
        let divisor = match self.class_reduction {
            CostReduction::Minibatch => batch,
            CostReduction::Selected => labels.iter().flatten().count().max(1),
        };
        masked_cross_entropy(logits, indices, marks).sum().div_scalar(divisor as f64)
    }

    /// The cost, and the share of samples that were kept.
    fn consistency_cost(
        &self,
        student: Tensor<2>,
        targets: Targets,
        labeled: Tensor<1>,
    ) -> (Tensor<1>, Option<Tensor<1>>) {
        let [batch, _] = student.dims();
        let probabilities = targets.probabilities.cast(FloatDType::F32);
        let mut selected = targets.known.map_or_else(|| labeled.ones_like(), |known| known.cast(FloatDType::F32));
        if !self.consistency_on_labeled {
            selected = selected * (labeled.neg() + 1.0);
        }
        let mut cost = match self.consistency {
            Consistency::Mse => softmax_mse(student, probabilities.clone()),
            Consistency::Kl => softmax_kl(student, probabilities.clone()),
            Consistency::CrossEntropy => softmax_cross_entropy(student, probabilities.clone()),
        } * selected.clone(); // [batch]
        let mut kept = targets.kept.map(|kept| kept.cast(FloatDType::F32));
        if let Some(threshold) = self.threshold {
            let confidence = probabilities.detach().max_dim(1).squeeze_dim::<1>(1);
            let above = confidence.greater_equal_elem(threshold).float();
            kept = Some(kept.map_or(above.clone(), |kept| kept * above));
        }
        let mut share = None;
        if let Some(kept) = kept {
            cost = cost * kept.clone();
            share = Some((kept * selected.clone()).sum() / selected.clone().sum().clamp_min(1.0));
        }
        // A divisor that does not depend on what was kept: little confidence, little cost.
        let cost = match self.consistency_reduction {
            CostReduction::Minibatch => cost.sum().div_scalar(batch as f64),
            CostReduction::Selected => cost.sum() / selected.sum().clamp_min(1.0),
        };
        (cost, share.map(|share| share.without_autodiff()))
    }
}

/// Whether heads, targets and labels are of one batch.
fn check(student: &Logits, targets: Option<&Targets>, labels: &[Option<usize>]) -> Result<(), SemiError> {
    let [batch, classes] = student.class.dims();
    if batch == 0 {
        return Err(SemiError::EmptyBatch);
    }
    SemiError::rows("labels", labels.len(), batch)?;
    if let Some(second) = &student.consistency {
        SemiError::predictions("logits of the second head", second.dims(), [batch, classes])?;
    }
    if let Some(targets) = targets {
        SemiError::predictions("targets", targets.probabilities.dims(), [batch, classes])?;
        let known = targets.known.as_ref().map_or(batch, |known| known.dims()[0]);
        SemiError::rows("marks of known targets", known, batch)?;
        let kept = targets.kept.as_ref().map_or(batch, |kept| kept.dims()[0]);
        SemiError::rows("marks of kept targets", kept, batch)?;
    }
    let mut labeled = labels.iter().enumerate().filter_map(|(sample, label)| Some((sample, (*label)?)));
    match labeled.find(|(_, label)| *label >= classes) {
        Some((sample, label)) => Err(SemiError::LabelOutOfRange { sample, label, classes }),
        None => Ok(()),
    }
}
