//! The data sets of the programs: with a test set, and labels of a file.

use std::path::{Path, PathBuf};

use anyhow::Result;
use slowburn_train::data::{DataError, LabelError, LabelFile, labeled};

pub use slowburn_train::data::Dataset;

/// Loads the data set in a folder: [`Dataset::load`].
///
/// # Errors
/// Those of `Dataset::load`, and [`DataError::NoTestSet`].
pub fn load(path: impl AsRef<Path>) -> Result<Dataset, DataError> {
    let path = path.as_ref();
    let data = Dataset::load(path)?;
    match data.test.is_empty() {
        true => Err(DataError::NoTestSet {
            path: path.to_owned(),
            expected: "looked for the folder test/ with one folder per class, and for t10k-images-idx3-ubyte and \
                       t10k-labels-idx1-ubyte, plain or .gz",
        }),
        false => Ok(data),
    }
}

/// Reads a [label file](LabelFile) about the training images. Gives (index of the image in `dataset.train`, class), sorted by
/// index.
///
/// The file has the last word: it may name images of a class folder, and it is not compared with that folder.
///
/// # Errors
/// Those of [`LabelFile::read`].
pub fn read_labels(path: impl AsRef<Path>, dataset: &Dataset) -> Result<Vec<(usize, usize)>, LabelError> {
    let file = LabelFile::read(path, &dataset.train.names, Some(&dataset.classes))?;
    Ok(labeled(&file.labels))
}

/// Where the images are that come with the repository: a part of Fashion-MNIST.
pub fn shipped() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap_or(Path::new("."));
    root.join("examples/data/fashion-mnist")
}
