use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;
use slowburn_augment::loader::{Decoder, ImageFolder, LoadError, OnCorrupt, ReadBuffers, Source, has_image_extension};

use super::decode::{Decoded, First, decode_all, first};
use super::{DataError, DataLayout, Dataset, GreyImages, LoadOptions, Split};

/// The folder beside class folders whose images have no label.
const UNLABELED: &str = "unlabeled";

/// How the images below `path` lie, which has no IDX files.
pub(super) fn layout(path: &Path) -> Result<DataLayout, DataError> {
    if path.join("train").is_dir() || path.join("test").is_dir() {
        return Ok(DataLayout::TrainTest);
    }
    Ok(if has_classes(path)? { DataLayout::Classes } else { DataLayout::Flat })
}

/// Whether `path` has a folder a class: at least two with images, none with folders in it, and no image beside them. Anything
/// else is an album or a tree of them, whose names are no classes.
fn has_classes(path: &Path) -> Result<bool, DataError> {
    let (mut classes, images) = (0, |entry: &PathBuf| has_image_extension(entry));
    for entry in entries(path)? {
        if !entry.is_dir() {
            if images(&entry) {
                return Ok(false);
            }
        } else if entry.file_name().is_none_or(|name| name != UNLABELED) {
            let inside = entries(&entry)?;
            if inside.iter().any(|entry| entry.is_dir()) {
                return Ok(false);
            }
            classes += usize::from(inside.iter().any(images));
        }
    }
    Ok(classes >= 2)
}

/// What is in a folder, hidden files and folders left out.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let unreadable = |source| DataError::unreadable(folder, source);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// Loads `train/<class>/*` and `test/<class>/*`.
pub(super) fn load_train_test(path: &Path, options: LoadOptions) -> Result<Dataset, DataError> {
    let train = list(&path.join("train"))?;
    let test = path.join("test").is_dir().then(|| list(&path.join("test"))).transpose()?;
    let known = test.as_ref().map_or(&[][..], ImageFolder::classes);
    // Labels of the training images come from a label file: the test set names the classes.
    let classes = if train.classes().is_empty() { known.to_vec() } else { train.classes().to_vec() };
    if classes.len() < 2 {
        return Err(DataError::TooFewClasses { path: path.to_owned(), classes });
    }
    let test_labels = test.as_ref().map(|test| test_labels(&path.join("test"), test, &classes)).transpose()?;
    warn_of_missing(&classes, known);
    Found { layout: DataLayout::TrainTest, classes, train, test: test.zip(test_labels) }.load(path, options)
}

/// Loads `<class>/*`.
pub(super) fn load_classes(path: &Path, options: LoadOptions) -> Result<Dataset, DataError> {
    let train = list(path)?;
    let classes = train.classes().to_vec();
    if classes.len() < 2 {
        return Err(DataError::TooFewClasses { path: path.to_owned(), classes });
    }
    Found { layout: DataLayout::Classes, classes, train, test: None }.load(path, options)
}

/// Loads images at any depth.
pub(super) fn load_flat(path: &Path, options: LoadOptions) -> Result<Dataset, DataError> {
    let train = ImageFolder::flat(path).map_err(|error| match error {
        LoadError::Empty { path } => DataError::UnknownLayout { path },
        other => other.into(),
    })?;
    Found { layout: DataLayout::Flat, classes: Vec::new(), train, test: None }.load(path, options)
}

/// The images of `train` or `test`.
fn list(folder: &Path) -> Result<ImageFolder, DataError> {
    let misplaced = |path: &PathBuf| has_image_extension(path) && !path.is_dir();
    match entries(folder)?.into_iter().find(misplaced) {
        Some(path) => Err(DataError::UnexpectedFile {
            path,
            allowed: "images lie in a folder a class: train/<class>/, train/unlabeled/, test/<class>/",
        }),
        None => Ok(ImageFolder::labeled(folder)?),
    }
}

/// The classes of test images as those of the training set are numbered.
fn test_labels(folder: &Path, test: &ImageFolder, classes: &[String]) -> Result<Vec<usize>, DataError> {
    let unknown = |class: &str| DataError::UnknownTestClass { path: folder.join(class), classes: classes.to_vec() };
    let numbers: Vec<usize> = test
        .classes()
        .iter()
        .map(|name| classes.iter().position(|class| class == name).ok_or_else(|| unknown(name)))
        .collect::<Result<_, _>>()?;
    let number = |index| test.label(index).map(|class| numbers[class]).ok_or_else(|| unknown(UNLABELED));
    (0..test.len()).map(number).collect()
}

/// A class that the test set lacks is not an error: its images are learned, and no accuracy counts them.
fn warn_of_missing(classes: &[String], tested: &[String]) {
    let missing: Vec<&str> = classes.iter().filter(|class| !tested.contains(class)).map(String::as_str).collect();
    if !tested.is_empty() && !missing.is_empty() {
        tracing::warn!("the test set has no image of {}: no accuracy says how well they are told", missing.join(", "));
    }
}

/// The files of a data set.
struct Found {
    layout: DataLayout,
    classes: Vec<String>,
    train: ImageFolder,
    test: Option<(ImageFolder, Vec<usize>)>,
}

impl Found {
    fn load(self, path: &Path, options: LoadOptions) -> Result<Dataset, DataError> {
        let rgb = match options.grey {
            GreyImages::Keep => false,
            GreyImages::Rgb => true,
            GreyImages::RgbAmongColors => {
                [Some(&self.train), self.test.as_ref().map(|(test, _)| test)].into_iter().flatten().any(any_color)
            }
        };
        let decoder = Decoder { rgb, exif: options.exif, ..Decoder::default() };
        let train = self.train.with_decoder(decoder);
        let first = first(&train, options.on_corrupt)?;
        let mut left_out = train.left_out().to_vec();
        let (test, one_test_size) = match self.test {
            Some((test, labels)) => {
                left_out.extend_from_slice(test.left_out());
                split(test.with_decoder(decoder), labels, &first, options.on_corrupt)?
            }
            None => (Split::empty(), true),
        };
        let labels = (0..train.len()).map(|index| train.label(index)).collect();
        let (train, one_size) = split(train, labels, &first, options.on_corrupt)?;
        Ok(Dataset {
            path: path.to_owned(),
            layout: self.layout,
            classes: self.classes,
            train,
            test,
            left_out,
            size: first.size,
            one_size: one_size && one_test_size,
        })
    }
}

/// Whether an image has three channels, by the files' headers. In most folders the first has.
fn any_color(folder: &ImageFolder) -> bool {
    (0..folder.len())
        .into_par_iter()
        .map_init(ReadBuffers::default, |buffers, index| folder.size(index, buffers))
        .any(|size| size.is_ok_and(|size| size.channels == 3))
}

/// The images decoded, where they have the size of the first and are few enough; else as files. And whether they have one size.
fn split<L>(
    folder: ImageFolder,
    labels: Vec<L>,
    first: &First,
    on_corrupt: OnCorrupt,
) -> Result<(Split<L>, bool), DataError> {
    let names = (0..folder.len()).map(|index| folder.id(index)).collect();
    match decode_all(&folder, first, on_corrupt)? {
        Decoded::Kept(images) => Ok((Split::in_memory(images, names, labels), true)),
        Decoded::Files { one_size } => Ok((Split { images: Arc::new(folder), memory: None, names, labels }, one_size)),
    }
}
