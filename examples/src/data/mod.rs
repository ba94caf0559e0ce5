//! Image data sets: a folder of IDX files (the MNIST format) or of class folders with JPEG and PNG images.
//!
//! [`load`] finds out which. [`read_labels`] reads a file that says which training images have which label.

mod dataset;
mod error;
mod folder;
mod idx;
mod labels;

use std::path::Path;

pub use dataset::{Dataset, Split};
pub use error::DataError;
pub use labels::read_labels;

/// Loads the data set in the folder `path`.
///
/// | Layout | Files |
/// |---|---|
/// | IDX | `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte`, `t10k-labels-idx1-ubyte`, each plain or with `.gz` (plain is preferred); optionally `classes.txt`, one class name a line |
/// | image folder | `train/<class>/*`, `test/<class>/*`: `.jpg`, `.jpeg` or `.png`; `train/unlabeled/*` has no labels |
///
/// A folder with one of the IDX files is an IDX folder. Everything is decoded here and kept as bytes; the order is
/// that of the IDX files, or classes by name and images by name within a class, `unlabeled` last.
///
/// # Errors
///
/// Every [`DataError`] but those of a label file; each names the file and what is allowed.
pub fn load(path: impl AsRef<Path>) -> Result<Dataset, DataError> {
    let path = path.as_ref();
    // Tells a folder that cannot be read, or is none, from one with the wrong content.
    std::fs::read_dir(path).map_err(|source| DataError::unreadable(path, source))?;
    if idx::is_layout(path) {
        idx::load(path)
    } else if folder::is_layout(path) {
        folder::load(path)
    } else {
        Err(DataError::UnknownLayout { path: path.to_owned() })
    }
}
