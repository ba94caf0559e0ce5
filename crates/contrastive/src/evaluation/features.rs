use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::{Batch, ContrastiveError, Encode, normalize};

/// Which output of a network is scored.
///
/// The two are not comparable: MoCo's CIFAR-10 notebook scores the embedding, most others the features below the head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Representation {
    /// What the encoder sees, below the projection head.
    #[default]
    Features,
    /// The projection head's output.
    Embedding,
    /// Not a network's output: raw pixels, say.
    Input,
}

/// The largest label: scores keep a counter for each class, so that a wrong label must not make millions of them.
const MOST_LABEL: usize = 1 << 20;

/// Feature vectors of samples whose classes are known.
#[derive(Debug, Clone)]
pub struct FeatureSet {
    features: Tensor<2>,
    labels: Vec<usize>,
    representation: Representation,
}

impl FeatureSet {
    /// Features `[samples, D]`, in evaluation order, with the class of each sample, counted from 0 to 2²⁰.
    ///
    /// # Errors
    /// [`ContrastiveError::Empty`], [`ContrastiveError::Count`], [`ContrastiveError::Label`] or [`ContrastiveError::NotFinite`].
    pub fn new(
        features: Tensor<2>,
        labels: Vec<usize>,
        representation: Representation,
    ) -> Result<Self, ContrastiveError> {
        let [rows, dim] = features.dims();
        if rows == 0 || dim == 0 {
            return Err(ContrastiveError::Empty { what: "the set of features" });
        }
        ContrastiveError::counts("labels", labels.len(), rows)?;
        if let Some(sample) = labels.iter().position(|&label| label > MOST_LABEL) {
            return Err(ContrastiveError::Label { sample, label: labels[sample], most: MOST_LABEL });
        }
        let features = features.without_autodiff().cast(burn::tensor::FloatDType::F32);
        match features.clone().is_finite().all().into_scalar::<bool>() {
            true => Ok(Self { features, labels, representation }),
            false => Err(ContrastiveError::NotFinite { what: "the features" }),
        }
    }

    /// The vectors, `[samples, D]`, f32, off autodiff.
    pub fn features(&self) -> Tensor<2> {
        self.features.clone()
    }

    /// The class of each.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// What they are.
    pub fn representation(&self) -> Representation {
        self.representation
    }

    /// The number of samples.
    pub fn samples(&self) -> usize {
        self.labels.len()
    }

    /// The length of a vector.
    pub fn dim(&self) -> usize {
        self.features.dims()[1]
    }

    /// One more than the largest class.
    pub fn classes(&self) -> usize {
        self.labels.iter().max().map_or(0, |largest| largest + 1)
    }

    /// Some of the samples, in this order. The caller gives at least one.
    pub(crate) fn select(&self, rows: &[usize]) -> Self {
        Self {
            features: self.features().pick(rows),
            labels: rows.iter().map(|&row| self.labels[row]).collect(),
            representation: self.representation,
        }
    }

    /// Checks that another set's vectors can be compared with these.
    pub(crate) fn check_beside(&self, other: &Self) -> Result<(), ContrastiveError> {
        ContrastiveError::dims(other.dim(), self.dim())
    }
}

/// Encodes batches once: the features or embeddings of an encoder in evaluation mode (running statistics, no dropout),
/// whatever mode and device it is in. The encoder is not changed.
///
/// Give it batches without random augmentation, in a fixed order.
///
/// # Errors
/// Those of [`FeatureSet::new`]; [`ContrastiveError::NoOutput`] for [`Representation::Input`].
pub fn extract<E: Encode>(
    encoder: &E,
    batches: impl IntoIterator<Item = (E::Input, Vec<usize>)>,
    representation: Representation,
) -> Result<FeatureSet, ContrastiveError> {
    let output = match representation {
        Representation::Features => E::features,
        Representation::Embedding => E::embed,
        Representation::Input => return Err(ContrastiveError::NoOutput),
    };
    let encoder = encoder.valid();
    let (mut parts, mut labels) = (Vec::new(), Vec::new());
    for (input, classes) in batches {
        let input = input.plain();
        ContrastiveError::counts("labels", classes.len(), input.rows())?;
        parts.push(output(&encoder, input));
        labels.extend(classes);
    }
    match parts.is_empty() {
        true => Err(ContrastiveError::Empty { what: "the set of batches" }),
        false => FeatureSet::new(Tensor::cat(parts, 0), labels, representation),
    }
}

/// How far features of unit length are spread, which shows a collapse.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The standard deviation of unit-length features over samples, the mean over dimensions. 0 where all features
    /// point one way.
    pub std: f64,
    /// `1/√D`: that of directions spread evenly over the sphere.
    pub even: f64,
}

/// The standard deviation of features `[samples, D]` scaled to unit length (Chen & He, arXiv 2011.10566, §4.1).
///
/// # Panics
/// If there are no samples.
pub fn spread(features: Tensor<2>) -> Spread {
    let [samples, dim] = features.dims();
    assert!(samples > 0 && dim > 0, "the spread of no features");
    let unit = normalize(features.without_autodiff());
    let centred = unit.clone() - unit.mean_dim(0);
    let std = centred.powi_scalar(2).mean_dim(0).sqrt().mean(); // [1]
    Spread { std: f64::from(std.into_scalar::<f32>()), even: 1.0 / (dim as f64).sqrt() }
}
