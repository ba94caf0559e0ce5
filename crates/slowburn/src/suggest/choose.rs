//! The choice itself, on features: typical of their group and unlike each other while labels are few, uncertain and unlike each
//! other later.

mod distinct;
mod kmeans;
mod rows;
mod typicality;
mod unsure;

#[cfg(test)]
mod tests;

pub use rows::Rows;
pub use typicality::typical;
pub use unsure::uncertain;

/// An image to label.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// Its row among the features.
    pub index: usize,
    /// Why it was chosen, for people.
    pub reason: String,
    /// How much speaks for it, comparable within one choice alone. Of a typical image its typicality, the inverse of the mean
    /// distance to its neighbours; of an uncertain one `1 − margin`, in `[0, 1]`. 0 where nothing does, of a copy.
    pub score: f32,
}

/// What can be wrong with features, probabilities and labels.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ChooseError {
    /// Values do not fill rows of this length.
    #[error("{values} values make no rows of {dim}, allowed: a multiple of the length of a row, which is at least 1")]
    Shape {
        /// The number of values.
        values: usize,
        /// The length of a row.
        dim: usize,
    },
    /// A value is no number.
    #[error("row {row} has the value {value}, allowed: finite numbers")]
    NotFinite {
        /// The row.
        row: usize,
        /// The value.
        value: f32,
    },
    /// A probability is outside its range.
    #[error("row {row} has the probability {value}, allowed: 0 to 1")]
    Probability {
        /// The row.
        row: usize,
        /// The value.
        value: f32,
    },
    /// Not as many rows of probabilities as of features.
    #[error("{features} rows of features and {probabilities} of probabilities: there must be one of each per image")]
    Counts {
        /// Rows of features.
        features: usize,
        /// Rows of probabilities.
        probabilities: usize,
    },
    /// Not as many columns of probabilities as classes, or fewer than two.
    #[error(
        "{columns} probabilities an image for {classes} classes: there must be one per class, and two classes at least"
    )]
    Classes {
        /// Probabilities of an image.
        columns: usize,
        /// Names of classes.
        classes: usize,
    },
    /// A labelled image that is not among the rows.
    #[error("image {index} is said to have a label, allowed: 0 to {}", len.saturating_sub(1))]
    NoSuchImage {
        /// The image.
        index: usize,
        /// Rows of features.
        len: usize,
    },
}

/// By what images are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum By {
    /// Typical of their group and unlike each other.
    Typical,
    /// Those that the network is least certain of, unlike each other.
    Uncertain,
}

/// Labels a class below which typical images are chosen.
const FEW: usize = 10;

/// By what images are chosen if nobody says: typical ones below 10 labels a class on average, uncertain ones from there on.
///
/// While labels are few, typical images help more than uncertain ones, and later it is the other way round (Hacohen, Dekel and
/// Weinshall 2022, arXiv 2202.02794, section 2). Where one turns into the other depends on data and learner (Hacohen and
/// Weinshall 2023, arXiv 2306.03543); 10 labels a class is our choice.
pub fn automatic(labels: usize, classes: usize) -> By {
    if labels < FEW * classes.max(1) { By::Typical } else { By::Uncertain }
}
