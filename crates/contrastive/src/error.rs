use std::borrow::Cow;

use slowburn_ema::Refused;

/// What can be wrong with settings, batches or data to evaluate on.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ContrastiveError {
    /// A number lies outside its range (NaN lies outside every range).
    #[error("{field} is {value}: it must be {range}")]
    OutOfRange {
        /// The setting's name.
        field: &'static str,
        /// The value given.
        value: f64,
        /// The allowed range, in words, with the bound where it depends on the data.
        range: Cow<'static, str>,
    },
    /// The two views of a batch are not of the same samples.
    #[error("the query view has {query} rows and the key view {key}: they must be views of the same samples")]
    Views {
        /// Rows of the query view.
        query: usize,
        /// Rows of the key view.
        key: usize,
    },
    /// A batch cannot be split into the groups of split batch normalisation.
    #[error("a batch of {batch} cannot be split into {splits} groups of one size: drop the last batch or fill it up")]
    Splits {
        /// Rows of the batch.
        batch: usize,
        /// Groups.
        splits: usize,
    },
    /// A batch brings more keys than the queue holds.
    #[error("a step enqueues {keys} keys, but the queue holds {queue}: it must hold at least those of one step")]
    QueueTooSmall {
        /// Keys of one step.
        keys: usize,
        /// The queue's size.
        queue: usize,
    },
    /// Embeddings have another length than configured.
    #[error("embeddings have length {found}, but dim is {expected}")]
    Dim {
        /// The length found.
        found: usize,
        /// The configured length.
        expected: usize,
    },
    /// A predictor does not map embeddings to embeddings.
    #[error(
        "the predictor maps vectors of length {} to {}, but embeddings have length {expected}: both must be that of the \
         projector's output", found[0], found[1]
    )]
    Predictor {
        /// The lengths of its input and output.
        found: [usize; 2],
        /// The length of an embedding.
        expected: usize,
    },
    /// A symmetric loss would make keys of the masked view.
    #[error(
        "queries are masked, and the loss is symmetric: it would make keys of the masked view, which stay in the queue; \
         set symmetric to false"
    )]
    MaskedKeys,
    /// No running statistics moved, though a network has some.
    #[error(
        "{layers} running statistics of the encoder, and none moved in a forward pass: give an encoder in training mode, on \
         autodiff, and inputs on its device"
    )]
    StatisticsStay {
        /// Running statistics of the network.
        layers: usize,
    },
    /// A batch holds a sample twice, whose slot could take only one of the two.
    #[error("sample {sample} is in the batch twice: a memory bank has one slot for each sample")]
    RepeatedSample {
        /// The sample's index.
        sample: usize,
    },
    /// Two lists that belong together differ in length.
    #[error("there are {found} {what}, but {expected} rows")]
    Count {
        /// What was counted.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many there must be.
        expected: usize,
    },
    /// There is nothing to evaluate on.
    #[error("{what} is empty")]
    Empty {
        /// What is empty.
        what: &'static str,
    },
    /// Something contains NaN or an infinity.
    #[error("{what}: not all numbers are finite; training diverged, or its input is not finite")]
    NotFinite {
        /// What holds them.
        what: &'static str,
    },
    /// The loss of a step is NaN or infinite, and so would be the weights after it.
    #[error("the loss is {value}: training diverged, or an image is not finite")]
    Loss {
        /// The loss.
        value: f64,
    },
    /// The logits of a linear probe are so large that f32 cannot tell neighbouring ones apart.
    #[error("logits of the linear probe reach {largest:e}, where f32 has no fractions: its learning rate is too high")]
    Diverged {
        /// The largest logit of a training sample, without its sign.
        largest: f32,
    },
    /// A label is larger than any class may be.
    #[error("sample {sample} has label {label}: labels are classes counted from 0, at most {most}")]
    Label {
        /// The sample's index.
        sample: usize,
        /// Its label.
        label: usize,
        /// The largest allowed.
        most: usize,
    },
    /// Raw input was asked of an encoder.
    #[error("raw input is no output of an encoder: make its set of features with FeatureSet::new")]
    NoOutput,
    /// An evaluation changed the network that it was to score.
    #[error("`{path}` has changed: an evaluation must leave the encoder as it was")]
    Changed {
        /// The path of the first tensor that differs.
        path: String,
    },
    /// The average refused its settings or the query encoder, or the memory bank refused a sample.
    #[error(transparent)]
    Average(#[from] slowburn_ema::EmaError),
}

impl<T> From<Refused<T, Self>> for ContrastiveError {
    fn from(refused: Refused<T, Self>) -> Self {
        refused.into_error()
    }
}

impl ContrastiveError {
    /// `Ok` where `holds`, which is written in the positive form so that NaN fails it.
    pub(crate) fn unless(
        holds: bool,
        field: &'static str,
        value: f64,
        range: impl Into<Cow<'static, str>>,
    ) -> Result<(), Self> {
        match holds {
            true => Ok(()),
            false => Err(Self::OutOfRange { field, value, range: range.into() }),
        }
    }

    /// `Ok` if a count is at most `bound`; `what` names the bound.
    pub(crate) fn at_most(field: &'static str, value: usize, bound: usize, what: &str) -> Result<(), Self> {
        match value <= bound {
            true => Ok(()),
            false => Self::unless(false, field, value as f64, format!("at most {bound}, {what}")),
        }
    }

    pub(crate) fn at_least_one(field: &'static str, value: usize) -> Result<(), Self> {
        Self::unless(value >= 1, field, value as f64, "at least 1")
    }

    pub(crate) fn positive(field: &'static str, value: f64) -> Result<(), Self> {
        Self::unless(value > 0.0 && value.is_finite(), field, value, "finite and greater than 0")
    }

    pub(crate) fn dims(found: usize, expected: usize) -> Result<(), Self> {
        match found == expected {
            true => Ok(()),
            false => Err(Self::Dim { found, expected }),
        }
    }

    pub(crate) fn counts(what: &'static str, found: usize, expected: usize) -> Result<(), Self> {
        match found == expected {
            true => Ok(()),
            false => Err(Self::Count { what, found, expected }),
        }
    }
}
