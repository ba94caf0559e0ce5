use std::path::{Path, PathBuf};

use slowburn_augment::loader::LoadError;
use slowburn_augment::{AugmentError, ImageSize, WhiteningError};

/// What can be wrong with a data set. Every message names the file and what is allowed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// A file or folder cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A folder has none of the layouts.
    #[error(
        "{} is no data set: looked for the IDX files train-images-idx3-ubyte and its companions (plain or .gz), for the \
         folders train/<class>/ and test/<class>/ or <class>/, and for .jpg, .jpeg and .png files at any depth",
        path.display()
    )]
    UnknownLayout {
        /// The folder.
        path: PathBuf,
    },
    /// One of the files of an IDX folder is not there.
    #[error("{} has no {name}, plain or .gz: an IDX folder has {allowed}", path.display())]
    MissingFile {
        /// The folder.
        path: PathBuf,
        /// The file looked for.
        name: &'static str,
        /// All files an IDX folder has.
        allowed: String,
    },
    /// There is a training set and no test set.
    #[error("{} has no test set: {expected}", path.display())]
    NoTestSet {
        /// The folder.
        path: PathBuf,
        /// What was looked for.
        expected: &'static str,
    },
    /// A folder without images or class folders, or a file without images.
    #[error("{} is empty: {allowed}", path.display())]
    Empty {
        /// The folder or file.
        path: PathBuf,
        /// What belongs there.
        allowed: &'static str,
    },
    /// A file or folder in a place where only others belong.
    #[error("{} does not belong there: {allowed}", path.display())]
    UnexpectedFile {
        /// The file or folder.
        path: PathBuf,
        /// What belongs there.
        allowed: &'static str,
    },
    /// A class of the test set that the training set lacks.
    #[error("{} is not a class of the training set, which has {}", path.display(), classes.join(", "))]
    UnknownTestClass {
        /// The class folder.
        path: PathBuf,
        /// Classes of the training set.
        classes: Vec<String>,
    },
    /// A data set with less than two classes.
    #[error("{} has {} class(es): at least 2 are needed", path.display(), classes.len())]
    TooFewClasses {
        /// The data set.
        path: PathBuf,
        /// The classes found.
        classes: Vec<String>,
    },
    /// A folder without images, or an image that cannot be read or decoded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Grey images among colours, or the other way round.
    #[error(
        "{} is {other_size} (height×width×channels), {} is {first_size}: all images must have as many channels",
        other.display(), first.display()
    )]
    Channels {
        /// The image the others are compared with.
        first: PathBuf,
        /// Its size.
        first_size: ImageSize,
        /// The image that differs.
        other: PathBuf,
        /// Its size.
        other_size: ImageSize,
    },
    /// Something that needs all images at once, of images that are read as they are needed.
    #[error("{}: {wanted} needs images of one size, a gibibyte of them at most", path.display())]
    NotInMemory {
        /// The data set.
        path: PathBuf,
        /// What needs them.
        wanted: &'static str,
    },
    /// The images do not fit the whitening.
    #[error(transparent)]
    Whitening(#[from] WhiteningError),
    /// The images do not fit what is computed of them.
    #[error(transparent)]
    Image(#[from] AugmentError),
    /// Two images differ in size or channels.
    #[error(
        "{} is {other_size} (height×width×channels), {} is {first_size}: all images must have one size",
        other.display(), first.display()
    )]
    ImageSizes {
        /// The image the others are compared with.
        first: PathBuf,
        /// Its size.
        first_size: ImageSize,
        /// The image that differs.
        other: PathBuf,
        /// Its size.
        other_size: ImageSize,
    },
    /// The first four bytes of an IDX file say that it is another kind of file.
    #[error("{} starts with {found:#010x}, allowed: {expected:#010x}", path.display())]
    BadMagic {
        /// The file.
        path: PathBuf,
        /// The number found.
        found: u32,
        /// The number of such a file.
        expected: u32,
    },
    /// An IDX file has fewer or more bytes than its header says.
    #[error("{} has {found} bytes, its header says {expected} ({})", path.display(),
        if found < expected { "it is cut short" } else { "there are bytes behind its end" })]
    IdxLength {
        /// The file.
        path: PathBuf,
        /// Bytes of the file, after decompression.
        found: u64,
        /// Bytes according to its header; of the header itself if even that is cut short.
        expected: u64,
    },
    /// A `.gz` file cannot be decompressed.
    #[error("cannot decompress {}: {source} (damaged or cut short?)", path.display())]
    CorruptGzip {
        /// The file.
        path: PathBuf,
        /// What the decompressor says.
        source: std::io::Error,
    },
    /// Images and labels are not equally many.
    #[error("{} has {images} images, {} has {labels} labels: there must be one label per image",
        images_path.display(), labels_path.display())]
    CountMismatch {
        /// File of the images.
        images_path: PathBuf,
        /// Number of images.
        images: usize,
        /// File of the labels.
        labels_path: PathBuf,
        /// Number of labels.
        labels: usize,
    },
    /// A label of an IDX file is not a class.
    #[error("{}: label {index} is {label}, allowed: 0 to {}", path.display(), classes - 1)]
    LabelRange {
        /// File of the labels.
        path: PathBuf,
        /// Position of the label, from 0.
        index: usize,
        /// The label.
        label: u8,
        /// Number of classes.
        classes: usize,
    },
    /// A class name occurs twice.
    #[error("{}: the class {name:?} occurs twice, names must differ", path.display())]
    DuplicateClass {
        /// File of the class names.
        path: PathBuf,
        /// The name.
        name: String,
    },
}

impl DataError {
    pub(super) fn unreadable(path: &Path, source: std::io::Error) -> Self {
        Self::Unreadable { path: path.to_owned(), source }
    }
}
