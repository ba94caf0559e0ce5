use std::path::Path;

use slowburn_train::data::{LabelError, LabelFile};

use super::Dataset;

/// Reads a [label file](LabelFile) about the training images. Gives (index of the image in `dataset.train`, class), sorted by
/// index.
///
/// The file has the last word: it may name images of a class folder, and it is not compared with that folder.
///
/// # Errors
/// Those of [`LabelFile::read`].
pub fn read_labels(path: impl AsRef<Path>, dataset: &Dataset) -> Result<Vec<(usize, usize)>, LabelError> {
    let file = LabelFile::read(path, &dataset.train.names, Some(&dataset.classes))?;
    Ok(file.labels.into_iter().enumerate().filter_map(|(image, label)| label.map(|label| (image, label))).collect())
}
