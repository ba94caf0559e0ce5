use std::path::PathBuf;

use super::nearest_name;

/// Why labels cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LabelError {
    /// A label file cannot be read or written.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A line of a label file is wrong.
    #[error("{}:{line}: {problem}", path.display())]
    Line {
        /// The label file.
        path: PathBuf,
        /// Number of the line, from 1.
        line: usize,
        /// What is wrong.
        problem: LabelProblem,
    },
    /// A label file without labels.
    #[error("{} has no labels: a line is `filename label`, of a .csv file `filename,label` below a header", path.display())]
    NoLabels {
        /// The label file.
        path: PathBuf,
    },
    /// A header of a CSV file that does not say where names and labels are.
    #[error(
        "{}: no column is called {wanted}: the header has {}", path.display(), columns.join(", ")
    )]
    Column {
        /// The label file.
        path: PathBuf,
        /// The names that the column may have.
        wanted: &'static str,
        /// The names that there are.
        columns: Vec<String>,
    },
    /// Lists that belong together have unequal lengths.
    #[error("there are {labels} labels for {images} images: there must be one entry for each, labelled or not")]
    Count {
        /// Images.
        images: usize,
        /// Entries.
        labels: usize,
    },
    /// A label that is not a class.
    #[error("image {index} has label {label}, allowed: 0 to {}", classes.saturating_sub(1))]
    Range {
        /// The image.
        index: usize,
        /// Its label.
        label: usize,
        /// Number of classes.
        classes: usize,
    },
    /// Too few classes to tell apart.
    #[error("there are {} classes ({}), at least 2 are needed", classes.len(), classes.join(", "))]
    Classes {
        /// Those that there are.
        classes: Vec<String>,
    },
}

/// What can be wrong with a line of a label file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LabelProblem {
    /// There is only one word.
    #[error("{text:?} is not `filename label`")]
    NotTwoWords {
        /// The line.
        text: String,
    },
    /// The line of a CSV file cannot be read.
    #[error("{reason}")]
    Csv {
        /// What the reader says.
        reason: String,
    },
    /// The training set has no image of this name.
    #[error("there is no image {name:?}{}", hint(*samples, first, near.as_deref()))]
    MissingImage {
        /// The name.
        name: String,
        /// Number of training images.
        samples: usize,
        /// Name of the first training image, as an example.
        first: String,
        /// The image that is probably meant.
        near: Option<String>,
    },
    /// Several images have this name, in different folders.
    #[error("{name:?} is both {first:?} and {second:?}: write the path below the folder")]
    AmbiguousImage {
        /// The name.
        name: String,
        /// The first image of this name.
        first: String,
        /// Another one.
        second: String,
    },
    /// The label is neither the name nor the index of a class.
    #[error("{label:?} is no class{}", class_hint(label, classes))]
    UnknownClass {
        /// The label.
        label: String,
        /// The class names.
        classes: Vec<String>,
    },
    /// The image has another label further up.
    #[error("{name:?} is {label:?} here and {earlier:?} in line {earlier_line}: one label per image")]
    Conflict {
        /// The image.
        name: String,
        /// Class in this line.
        label: String,
        /// Class in the earlier line.
        earlier: String,
        /// Number of the earlier line, from 1.
        earlier_line: usize,
    },
}

/// The class that is probably meant, else what is allowed.
fn class_hint(label: &str, classes: &[String]) -> String {
    match nearest_name(label, classes.iter().map(String::as_str)) {
        Some(near) => format!(": did you mean {near:?}?"),
        None => format!(", allowed: 0 to {} or {}", classes.len().saturating_sub(1), classes.join(", ")),
    }
}

/// How the names of images look.
fn hint(samples: usize, first: &str, near: Option<&str>) -> String {
    match near {
        Some(near) => format!(" (there are {samples}: did you mean {near:?}?)"),
        None => format!(" (there are {samples}, the first is {first:?})"),
    }
}
