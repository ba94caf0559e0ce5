/// What can be wrong with settings, labels or batches.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
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
    /// The average refused its settings or the student.
    #[error(transparent)]
    Average(#[from] slowburn_ema::Error),
}

impl Error {
    /// `Ok` where `holds`, which is written in the positive form so that NaN fails it.
    pub(crate) fn unless(holds: bool, field: &'static str, value: f64, range: &'static str) -> Result<(), Self> {
        match holds {
            true => Ok(()),
            false => Err(Self::OutOfRange { field, value, range }),
        }
    }
}
