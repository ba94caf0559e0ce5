use slowburn_ema::Refused;

/// What can be wrong with settings, labels or batches.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SemiError {
    /// A number lies outside its range.
    #[error("{field} is {value}: it must be {range}")]
    OutOfRange {
        /// The setting's name.
        field: &'static str,
        /// The value given.
        value: f64,
        /// The allowed range, in words.
        range: &'static str,
    },
    /// No label was asked for or none exists.
    #[error("there are no labels: semi-supervised learning needs at least one labelled image")]
    NoLabels,
    /// More labels were asked for than there are labelled samples.
    #[error("{asked} labels were asked for, but only {available} samples have one")]
    TooManyLabels {
        /// Labels asked for.
        asked: usize,
        /// Samples with a label.
        available: usize,
    },
    /// A class has fewer labelled samples than its share of the labels.
    #[error("class {class} has {available} labelled samples, fewer than the {asked} asked for")]
    ClassTooSmall {
        /// The class.
        class: usize,
        /// Its labelled samples.
        available: usize,
        /// Labels asked for.
        asked: usize,
    },
    /// A label is not a class.
    #[error("sample {sample} has label {label}: labels must be below the number of classes, {classes}")]
    LabelOutOfRange {
        /// The sample's index.
        sample: usize,
        /// Its label.
        label: usize,
        /// The number of classes.
        classes: usize,
    },
    /// The labelled share of a batch does not fit it.
    #[error("labeled_batch is {labeled}: it must be between 1 and the batch size, {batch}")]
    LabeledBatch {
        /// Labelled samples in a batch.
        labeled: usize,
        /// The batch size.
        batch: usize,
    },
    /// A batch without samples.
    #[error("the batch is empty")]
    EmptyBatch,
    /// Every sample of a batch has a label, and the method learns from those without one.
    #[error(
        "all {rows} samples of the batch have a label: the method needs unlabelled samples in every batch (a \
         fixed mix of a two-stream sampler, or a consistency cost on labelled samples too)"
    )]
    NoUnlabeled {
        /// The rows of the batch.
        rows: usize,
    },
    /// Labelled samples were to be mixed, and would have kept the label of one of the two images.
    #[error(
        "consistency_on_labeled is true: interpolation mixes images without a label alone, since a mixed image has no \
         label of its own"
    )]
    MixedLabels,
    /// An average that is only evaluated was to have running statistics of its own.
    #[error(
        "buffers is own: an average that gives no targets makes no passes in training, so that its batch statistics \
         would stay as they began; take copy or average"
    )]
    OwnBuffers,
    /// A list does not have one entry for each row of its batch.
    #[error("there are {found} {what} for {expected} rows")]
    Rows {
        /// What must have one entry for each row.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// The rows of the batch.
        expected: usize,
    },
    /// Predictions are of another number of classes than expected.
    #[error("{what}: {found} classes, not {expected}")]
    Classes {
        /// What has them.
        what: &'static str,
        /// The classes found.
        found: usize,
        /// The classes expected.
        expected: usize,
    },
    /// The cost of a step is NaN or infinite, and so would be the weights after it.
    #[error("the cost is {value}: training diverged, or an image is not finite")]
    Cost {
        /// The cost.
        value: f64,
    },
    /// A training step was asked for on a device that keeps no graph.
    #[error("the student's logits have no gradient: put the network and the batch on `device.autodiff()`")]
    NoAutodiff,
    /// The average refused its settings or the student, or the prediction bank refused a sample.
    #[error(transparent)]
    Average(#[from] slowburn_ema::EmaError),
}

impl<T> From<Refused<T, Self>> for SemiError {
    fn from(refused: Refused<T, Self>) -> Self {
        refused.into_error()
    }
}

impl SemiError {
    /// `Ok` where `holds`, which is written in the positive form so that NaN fails it.
    pub(crate) fn unless(holds: bool, field: &'static str, value: f64, range: &'static str) -> Result<(), Self> {
        match holds {
            true => Ok(()),
            false => Err(Self::OutOfRange { field, value, range }),
        }
    }

    pub(crate) fn rows(what: &'static str, found: usize, expected: usize) -> Result<(), Self> {
        match found == expected {
            true => Ok(()),
            false => Err(Self::Rows { what, found, expected }),
        }
    }

    pub(crate) fn classes(what: &'static str, found: usize, expected: usize) -> Result<(), Self> {
        match found == expected {
            true => Ok(()),
            false => Err(Self::Classes { what, found, expected }),
        }
    }

    /// `Ok` where predictions `[rows, classes]` have this shape.
    pub(crate) fn predictions(
        what: &'static str,
        [rows, classes]: [usize; 2],
        expected: [usize; 2],
    ) -> Result<(), Self> {
        Self::rows(what, rows, expected[0])?;
        Self::classes(what, classes, expected[1])
    }
}
