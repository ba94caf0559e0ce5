//! Training and test images in one folder: IDX files (the MNIST format), class folders with JPEG and PNG files, or photos alone.

mod dataset;
mod decode;
mod error;
mod folder;
mod idx;
mod options;

use std::path::Path;

pub use dataset::{Dataset, Split};
pub use error::DataError;
pub use idx::{read_idx_images, read_idx_labels};
pub use options::{DataLayout, GreyImages, LoadOptions};

impl Dataset {
    /// Loads the data set in the folder `path`.
    ///
    /// | [Layout](DataLayout) | Files |
    /// |---|---|
    /// | `Idx` | `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte`, `t10k-labels-idx1-ubyte`, each plain or with `.gz` (plain is preferred); optionally `classes.txt`, one class name a line |
    /// | `TrainTest` | `train/<class>/*`, `test/<class>/*`: see [`ImageFolder::labeled`](slowburn_augment::loader::ImageFolder::labeled); `train/unlabeled/*` has no labels |
    /// | `Classes` | `<class>/*`, and perhaps `unlabeled/*`: at least two folders with images, none with folders in it, no image beside them. No test images |
    /// | `Flat` | images at any depth: training images without labels, no classes, no test images |
    ///
    /// The first that fits, from top to bottom, is taken, and is [said](Dataset::layout): a folder with one of the IDX files is
    /// an IDX folder, one with a folder `train` or `test` is of the second kind. The order is that of the IDX files, or classes
    /// by name and images by name within a class, `unlabeled` last, or the names of all. Without a test set, that part is empty.
    /// Photos of one size that take at most a gibibyte are decoded here and kept; all others are read as they are needed.
    ///
    /// # Errors
    /// Every [`DataError`]; each names the file and what is allowed.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, DataError> {
        Self::load_with(path, LoadOptions::default())
    }

    /// The same with other options, which hold for training and test images alike.
    ///
    /// With [`OnCorrupt::Skip`](slowburn_augment::loader::OnCorrupt::Skip) a data set with images that cannot be decoded is read
    /// as it is needed: whoever makes batches of it must skip as well. Sample numbers and names do not shift.
    ///
    /// # Errors
    /// As [`load`](Dataset::load).
    pub fn load_with(path: impl AsRef<Path>, options: LoadOptions) -> Result<Self, DataError> {
        let path = path.as_ref();
        // Distinguishes a folder that cannot be read, or is not one, from one with the wrong content.
        std::fs::read_dir(path).map_err(|source| DataError::unreadable(path, source))?;
        let layout = match options.layout {
            Some(layout) => layout,
            None if idx::is_layout(path) => DataLayout::Idx,
            None => folder::layout(path)?,
        };
        match layout {
            DataLayout::Idx => idx::load(path),
            DataLayout::TrainTest => folder::load_train_test(path, options),
            DataLayout::Classes => folder::load_classes(path, options),
            DataLayout::Flat => folder::load_flat(path, options),
        }
    }
}
