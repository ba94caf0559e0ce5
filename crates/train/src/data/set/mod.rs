//! Training and test images in one folder: IDX files (the MNIST format), or class folders with JPEG and PNG files.

mod dataset;
mod error;
mod folder;
mod idx;

use std::path::Path;

pub use dataset::{Dataset, Split};
pub use error::DataError;
pub use idx::{read_idx_images, read_idx_labels};

impl Dataset {
    /// Loads the data set in the folder `path`.
    ///
    /// | Layout | Files |
    /// |---|---|
    /// | IDX | `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte`, `t10k-labels-idx1-ubyte`, each plain or with `.gz` (plain is preferred); optionally `classes.txt`, one class name a line |
    /// | image folder | `train/<class>/*`, `test/<class>/*`: see [`ImageFolder::labeled`](slowburn_augment::loader::ImageFolder::labeled); `train/unlabeled/*` has no labels |
    ///
    /// A folder with one of the IDX files is an IDX folder. The order is that of the IDX files, or classes by name and images by
    /// name within a class, `unlabeled` last. Without a test set, that part is empty. Photos of one size that take at most a
    /// gibibyte are decoded here and kept; all others are read as they are needed.
    ///
    /// # Errors
    /// Every [`DataError`]; each names the file and what is allowed.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, DataError> {
        let path = path.as_ref();
        // Distinguishes a folder that cannot be read, or is not one, from one with the wrong content.
        std::fs::read_dir(path).map_err(|source| DataError::unreadable(path, source))?;
        if idx::is_layout(path) {
            idx::load(path)
        } else if folder::is_layout(path) {
            folder::load(path)
        } else {
            Err(DataError::UnknownLayout { path: path.to_owned() })
        }
    }
}
