use std::error::Error as StdError;
use std::path::PathBuf;

use super::DecodeError;
use crate::{AugmentError, ImageSize, ViewsError};

/// What can be wrong with a loader, its settings or one of its images. Every message names the value or the image.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// A setting is outside its range.
    #[error("{field} is {value}, allowed: {allowed}")]
    Config {
        /// Name of the setting.
        field: &'static str,
        /// The value found.
        value: usize,
        /// The range of values allowed.
        allowed: &'static str,
    },
    /// The views are invalid.
    #[error(transparent)]
    Views(#[from] ViewsError),
    /// The workers cannot be started.
    #[error("cannot start {workers} workers: {reason}")]
    Workers {
        /// Number of threads.
        workers: usize,
        /// What the system says.
        reason: String,
    },
    /// An epoch would have no batch.
    #[error("{samples} images make no batch of {batch_size} (the last, shorter batch is {})",
        if *drop_last { "dropped" } else { "kept" })]
    NoBatch {
        /// Images of the source.
        samples: usize,
        /// Images of a batch.
        batch_size: usize,
        /// Whether a shorter batch is dropped.
        drop_last: bool,
    },
    /// A folder that cannot be read.
    #[error("cannot read the folder {}: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A folder without images.
    #[error("{} has no images: looked for .jpg, .jpeg and .png files", path.display())]
    Empty {
        /// The folder.
        path: PathBuf,
    },
    /// A link to a folder that it lies in.
    #[error("{} is a link to a folder that it lies in, allowed: links that lead elsewhere", path.display())]
    Circle {
        /// The link.
        path: PathBuf,
    },
    /// Images and labels are not equally many.
    #[error("{images} images with {labels} labels: there must be one entry per image")]
    LabelCount {
        /// Number of images.
        images: usize,
        /// Number of labels.
        labels: usize,
    },
    /// An index outside the source.
    #[error("sample {index} of {len}: allowed are 0 to {}", len.saturating_sub(1))]
    NoSuchSample {
        /// The index.
        index: usize,
        /// Number of images.
        len: usize,
    },
    /// A file that cannot be read. Not skipped unless it is not there: it may be readable next time, and then the batches would
    /// differ.
    #[error("sample {index}: cannot read {}: {source}", path.display())]
    Unreadable {
        /// Index of the image.
        index: usize,
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A dataset has no item for an index.
    #[error("sample {index}: the dataset says: {source}")]
    Dataset {
        /// Index of the image.
        index: usize,
        /// What the dataset says.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The content of an image cannot be decoded; [`OnCorrupt::Skip`](super::OnCorrupt::Skip) leaves it out.
    #[error("sample {index}: cannot decode {name}: {source}")]
    Corrupt {
        /// Index of the image.
        index: usize,
        /// Its path or name.
        name: String,
        /// What the decoder says.
        source: DecodeError,
    },
    /// A source gave bytes that do not fill their size.
    #[error("sample {index} ({name}): {source}")]
    BadImage {
        /// Index of the image.
        index: usize,
        /// Its path or name.
        name: String,
        /// What is wrong.
        source: Box<AugmentError>,
    },
    /// The views do not fit an image.
    #[error("sample {index} ({name}): {source}")]
    Unsuitable {
        /// Index of the image.
        index: usize,
        /// Its path or name.
        name: String,
        /// Which view, and why.
        source: ViewsError,
    },
    /// The views of a batch differ in size.
    #[error(
        "view {view} of sample {other} ({other_name}) is {other_size} (height×width×channels), that of sample {first} \
         ({first_name}) is {first_size}: a batch has one size; crop or resize, or decode to RGB if channels differ"
    )]
    Sizes {
        /// Index of the view.
        view: usize,
        /// The image the others are compared with.
        first: usize,
        /// Its path or name.
        first_name: String,
        /// Size of its view.
        first_size: ImageSize,
        /// The image that differs.
        other: usize,
        /// Its path or name.
        other_name: String,
        /// Size of its view.
        other_size: ImageSize,
    },
    /// Every image of an epoch was skipped.
    #[error("none of the {skipped} images of epoch {epoch} can be decoded; the first: {first}")]
    AllSkipped {
        /// The epoch.
        epoch: u64,
        /// Number of images.
        skipped: usize,
        /// Name of the first one and what is wrong with it.
        first: String,
    },
    /// A worker ended without a word, which is a bug of this crate.
    #[error("a worker of the loader has vanished")]
    WorkerLost,
}

impl LoadError {
    /// Whether [`OnCorrupt::Skip`](super::OnCorrupt::Skip) leaves such an image out: content that cannot be decoded, or a file
    /// that is not there (a broken link, or removed meanwhile), which will be no better next time.
    pub fn is_corrupt(&self) -> bool {
        match self {
            Self::Corrupt { .. } => true,
            Self::Unreadable { source, .. } => source.kind() == std::io::ErrorKind::NotFound,
            _ => false,
        }
    }
}
