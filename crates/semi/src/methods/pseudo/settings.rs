use serde::{Deserialize, Serialize};

use crate::SemiError;

/// Which network gives the targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LabelSource {
    /// The student, in one pass over its own views and those that it labels, as in FixMatch: batch normalisation sees
    /// labelled, weak and strong images together.
    #[default]
    Student,
    /// The student, in a pass of its own over the views that it labels: less memory, batch statistics apart.
    StudentApart,
    /// The average of its weights: Mean Teacher.
    Average,
}

/// What a target is, from the logits z of the view that is labelled and `q = softmax(z)`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LabelForm {
    /// q itself.
    Soft,
    /// `softmax(z/T)`, T in (0, 1]: UDA (Xie et al., arXiv 1904.12848, §2.2), whose T is that of [`LabelForm::UDA`].
    Sharpened {
        /// T, in (0, 1]; at 1 the target is soft, towards 0 hard.
        temperature: f64,
    },
    /// 1 for the class of the highest probability: FixMatch.
    #[default]
    Hard,
}

impl LabelForm {
    /// The targets of UDA (arXiv 1904.12848, §2.2): sharpened with a temperature of 0.4.
    pub const UDA: Self = Self::Sharpened { temperature: 0.4 };

    pub(super) fn validate(self) -> Result<(), SemiError> {
        match self {
            Self::Sharpened { temperature } => SemiError::unless(
                temperature > 0.0 && temperature <= 1.0,
                "temperature",
                temperature,
                "above 0 and at most 1",
            ),
            Self::Soft | Self::Hard => Ok(()),
        }
    }
}

/// Which samples count: those whose highest probability `max q` reaches a threshold.
///
/// A sample that is left out has a cost of 0 and still counts in the divisor: the cost of a batch of which little is kept
/// is small (FixMatch, arXiv 2001.07685, eq. 4).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Selection {
    /// All of them.
    #[default]
    All,
    /// `max q ≥ τ`: FixMatch, where τ is 0.95.
    Fixed {
        /// τ, in [0, 1].
        threshold: f64,
    },
    /// A threshold for each class, by how much of it has been learned: FlexMatch.
    Flex(FlexThresholds),
    /// A threshold for each class that rises with the model's confidence: FreeMatch.
    Free(FreeThresholds),
}

impl Selection {
    /// Checks every setting.
    ///
    /// # Errors
    /// [`SemiError::OutOfRange`], which names the setting, its value and its range.
    pub fn validate(&self) -> Result<(), SemiError> {
        match self {
            Self::All => Ok(()),
            Self::Fixed { threshold } => probability("threshold", *threshold),
            Self::Flex(flex) => flex.validate(),
            Self::Free(free) => free.validate(),
        }
    }
}

/// How a class's learning effect β becomes a factor of the threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ThresholdMapping {
    /// `x/(2−x)`: slow at first.
    #[default]
    Convex,
    /// `x`.
    Linear,
}

/// FlexMatch's thresholds (Zhang et al., arXiv 2110.08263): `T(c) = τ·M(β(c))`.
///
/// σ(c) is the number of unlabelled samples whose latest confident prediction (`max q ≥ τ`) is c, of N;
/// `β(c) = σ(c)/max{max_c σ, N − Σ_c σ}` with warm-up (eq. 11), `σ(c)/max_c σ` without (eq. 6); M is the mapping
/// (eq. 12). The thresholds of a step are those of the samples seen *before* it. At first all are 0 and everything
/// passes, which is meant.
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `threshold` | 0.95 | τ | [0, 1] |
/// | `warm_up` | true | whether samples without a confident prediction yet keep thresholds low | |
/// | `mapping` | `Convex` | M | |
/// | `unlabeled` | none | N; all samples where it is none, labelled ones included, as in the paper; fewer where some are held back | ≥ 1 |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FlexThresholds {
    /// τ, in [0, 1].
    pub threshold: f64,
    /// Whether β is divided by the number of unused samples where that is larger.
    pub warm_up: bool,
    /// M.
    pub mapping: ThresholdMapping,
    /// N, the number of samples that are seen without a label.
    pub unlabeled: Option<usize>,
}

impl Default for FlexThresholds {
    fn default() -> Self {
        Self { threshold: 0.95, warm_up: true, mapping: ThresholdMapping::Convex, unlabeled: None }
    }
}

impl FlexThresholds {
    fn validate(&self) -> Result<(), SemiError> {
        SemiError::unless(self.unlabeled != Some(0), "unlabeled", 0.0, "at least 1")?;
        probability("threshold", self.threshold)
    }
}

/// FreeMatch's thresholds and its fairness (Wang et al., arXiv 2205.07246).
///
/// Three averages of weight λ start at 1/C and move with all predictions q on weak views *before* any is left out:
/// `τ ← λ·τ + (1−λ)·mean max q`, `p̃ ← λ·p̃ + (1−λ)·mean q`, `h̃ ← λ·h̃ + (1−λ)·hist(argmax q)`. The threshold of a class is
/// `T(c) = τ·p̃(c)/max p̃`, with this batch counted in.
///
/// Fairness (eq. 11): of the samples kept, with p the prediction on the strong view, `p̄ = mean p` and
/// `h̄ = hist(argmax p)`,
/// `L_f = Σ_c a(c)·ln(b(c) + 10⁻¹²)`, `a = SumNorm(p̃/h̃)`, `b = SumNorm(p̄/h̄)`, a class of h = 0 counting 0. Added with weight
/// w_f; 0 where nothing is kept. It is negative and pushes predictions *away* from the running mean: the authors call
/// that maximising the entropy.
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `decay` | 0.999 | λ, the weight of the old averages | [0, 1) |
/// | `clip` | none | bounds of T; the authors' code has [0.9, 0.95] for SVHN | in [0, 1], in order |
/// | `fairness` | 0.01 | w_f; the authors' code has 0.01 or 0.001 | ≥ 0, finite |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FreeThresholds {
    /// λ, in [0, 1).
    pub decay: f64,
    /// The lowest and highest threshold of a class.
    pub clip: Option<[f64; 2]>,
    /// w_f, the weight of the fairness term; 0 leaves it out.
    pub fairness: f64,
}

impl Default for FreeThresholds {
    fn default() -> Self {
        Self { decay: 0.999, clip: None, fairness: 0.01 }
    }
}

impl FreeThresholds {
    fn validate(&self) -> Result<(), SemiError> {
        SemiError::unless((0.0..1.0).contains(&self.decay), "decay", self.decay, "in [0, 1)")?;
        let finite = (0.0..f64::INFINITY).contains(&self.fairness);
        SemiError::unless(finite, "fairness", self.fairness, "finite and at least 0")?;
        if let Some([low, high]) = self.clip {
            probability("clip", low)?;
            SemiError::unless((low..=1.0).contains(&high), "clip", high, "at least its lower bound and at most 1")?;
        }
        Ok(())
    }
}

fn probability(field: &'static str, value: f64) -> Result<(), SemiError> {
    SemiError::unless((0.0..=1.0).contains(&value), field, value, "in [0, 1]")
}
