use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;
use slowburn_augment::ImageSize;
use slowburn_augment::loader::{ImageFolder, Images, LoadError, ReadBuffers, Source, has_image_extension};

use super::{DataError, Dataset, Split};

/// Bytes of decoded images that are kept.
const KEPT: usize = 1 << 30;

/// Whether `path` has a folder `train` or `test`.
pub(super) fn is_layout(path: &Path) -> bool {
    path.join("train").is_dir() || path.join("test").is_dir()
}

/// Loads `train/<class>/*` and `test/<class>/*`.
pub(super) fn load(path: &Path) -> Result<Dataset, DataError> {
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

    let first = size_of(&train, 0)?;
    let train_labels = (0..train.len()).map(|index| train.label(index)).collect();
    let test = match test.zip(test_labels) {
        Some((test, labels)) => split(test, labels, (&train, first))?,
        None => Split::empty(),
    };
    let train_split = split(train.clone(), train_labels, (&train, first))?;
    Ok(Dataset { path: path.to_owned(), classes, train: train_split, test, size: first })
}

/// The images of `train` or `test`.
fn list(folder: &Path) -> Result<ImageFolder, DataError> {
    let entries = std::fs::read_dir(folder).map_err(|source| DataError::unreadable(folder, source))?;
    for entry in entries {
        let path = entry.map_err(|source| DataError::unreadable(folder, source))?.path();
        if has_image_extension(&path) && !path.is_dir() {
            return Err(DataError::UnexpectedFile {
                path,
                allowed: "images lie in train/<class>/, train/unlabeled/ or test/<class>/",
            });
        }
    }
    Ok(ImageFolder::labeled(folder)?)
}

/// The classes of test images as those of the training set are numbered.
fn test_labels(folder: &Path, test: &ImageFolder, classes: &[String]) -> Result<Vec<usize>, DataError> {
    let unknown = |class: &str| DataError::UnknownTestClass { path: folder.join(class), classes: classes.to_vec() };
    let numbers: Vec<usize> = test
        .classes()
        .iter()
        .map(|name| classes.iter().position(|class| class == name).ok_or_else(|| unknown(name)))
        .collect::<Result<_, _>>()?;
    let number = |index| test.label(index).map(|class| numbers[class]).ok_or_else(|| unknown("unlabeled"));
    (0..test.len()).map(number).collect()
}

/// A class that the test set lacks is not an error: its images are learned, and no accuracy counts them.
fn warn_of_missing(classes: &[String], tested: &[String]) {
    let missing: Vec<&str> = classes.iter().filter(|class| !tested.contains(class)).map(String::as_str).collect();
    if !tested.is_empty() && !missing.is_empty() {
        tracing::warn!("the test set has no image of {}: no accuracy says how well they are told", missing.join(", "));
    }
}

/// The images decoded, where they have the size of the first and are few enough; else as files.
fn split<L>(folder: ImageFolder, labels: Vec<L>, first: (&ImageFolder, ImageSize)) -> Result<Split<L>, DataError> {
    let names = (0..folder.len()).map(|index| folder.id(index)).collect();
    match decode_all(&folder, first)? {
        Some(images) => Ok(Split::in_memory(images, names, labels)),
        None => Ok(Split { images: Arc::new(folder), memory: None, names, labels }),
    }
}

fn size_of(folder: &ImageFolder, index: usize) -> Result<ImageSize, DataError> {
    Ok(folder.read(index, &mut ReadBuffers::default())?.image.size())
}

/// Decodes on all threads into one piece of memory; nothing where sizes differ, or the pieces are too large. Of several bad
/// images the first in order is named.
fn decode_all(folder: &ImageFolder, first: (&ImageFolder, ImageSize)) -> Result<Option<Images>, DataError> {
    let (in_first, size) = first;
    if folder.len().saturating_mul(size.values()) > KEPT {
        return Ok(None);
    }
    let (mut pixels, differ) = (vec![0; folder.len() * size.values()], AtomicBool::new(false));
    let failure = pixels
        .par_chunks_exact_mut(size.values())
        .enumerate()
        .map_init(ReadBuffers::default, |buffers, (index, out)| {
            if differ.load(Ordering::Relaxed) {
                return Ok(());
            }
            let image = folder.read(index, buffers)?.image;
            match image.bytes() {
                Some(bytes) if image.size() == size => out.copy_from_slice(bytes),
                _ if image.size().channels != size.channels => {
                    return Err(DataError::Channels {
                        first: in_first.path(0).unwrap_or_default(),
                        first_size: size,
                        other: folder.path(index).unwrap_or_default(),
                        other_size: image.size(),
                    });
                }
                _ => differ.store(true, Ordering::Relaxed),
            }
            Ok(())
        })
        .find_map_first(Result::err);
    match failure {
        // Read as they are needed, a broken one may be left out.
        Some(DataError::Load(LoadError::Corrupt { .. })) if differ.load(Ordering::Relaxed) => Ok(None),
        Some(error) => Err(error),
        None if differ.load(Ordering::Relaxed) => Ok(None),
        None => Ok(Some(Images::new(size, pixels)?)),
    }
}
