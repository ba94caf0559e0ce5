use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;
use slowburn_augment::ImageSize;
use slowburn_augment::loader::{Decoder, Images, has_image_extension};

use super::{DataError, Dataset, Split};

/// Folder of the training images that have no label.
const UNLABELED: &str = "unlabeled";
/// What file managers leave behind.
const LITTER: [&str; 2] = ["Thumbs.db", "desktop.ini"];

/// An image that is not decoded yet.
struct Entry {
    path: PathBuf,
    /// Path below `train/` or `test/`.
    name: String,
    /// Name of the class folder.
    class: String,
}

/// Whether `path` has a folder `train` or `test`.
pub(super) fn is_layout(path: &Path) -> bool {
    path.join("train").is_dir() || path.join("test").is_dir()
}

/// Loads `train/<class>/*` and `test/<class>/*`.
pub(super) fn load(path: &Path) -> Result<Dataset, DataError> {
    if !path.join("test").is_dir() {
        return Err(DataError::NoTestSet {
            path: path.to_owned(),
            expected: "looked for the folder test/ with one folder per class",
        });
    }
    // Fails, and names it, if there is no `train`.
    let mut train = list_split(&path.join("train"))?;
    let test = list_split(&path.join("test"))?;

    // Unlabelled images last, so that labelled ones keep their indices when some are added.
    train.sort_by_key(|entry| entry.class == UNLABELED);
    let mut classes = class_names(&train);
    if classes.is_empty() {
        // Labels of the training images come from a label file: the test set names the classes.
        classes = class_names(&test);
    }
    let class_of = |entry: &Entry| classes.binary_search(&entry.class).ok();
    let mut test_labels = Vec::with_capacity(test.len());
    for entry in &test {
        test_labels.push(class_of(entry).ok_or_else(|| DataError::UnknownTestClass {
            path: path.join("test").join(&entry.class),
            classes: classes.clone(),
        })?);
    }
    let train_labels = train.iter().map(class_of).collect();
    if classes.len() < 2 {
        return Err(DataError::TooFewClasses { path: path.to_owned(), classes });
    }

    let size = decode(&train[0].path, &mut Vec::new())?;
    let expect = (size, train[0].path.as_path());
    let train_images = decode_all(&train, expect)?;
    let test_images = decode_all(&test, expect)?;
    Ok(Dataset {
        path: path.to_owned(),
        classes,
        train: Split {
            images: Arc::new(train_images),
            names: train.into_iter().map(|entry| entry.name).collect(),
            labels: train_labels,
        },
        test: Split {
            images: Arc::new(test_images),
            names: test.into_iter().map(|entry| entry.name).collect(),
            labels: test_labels,
        },
    })
}

/// The different classes of `entries`, sorted.
fn class_names(entries: &[Entry]) -> Vec<String> {
    let mut classes: Vec<String> =
        entries.iter().map(|entry| &entry.class).filter(|class| *class != UNLABELED).cloned().collect();
    classes.sort_unstable();
    classes.dedup();
    classes
}

/// The images of `train` or `test`: folders by name, files by name within a folder.
fn list_split(split: &Path) -> Result<Vec<Entry>, DataError> {
    let mut entries = Vec::new();
    let mut any_class = false;
    for (class, folder) in list(split)? {
        if !folder.is_dir() {
            if has_image_extension(&folder) {
                return Err(DataError::UnexpectedFile {
                    path: folder,
                    allowed: "images lie in train/<class>/, train/unlabeled/ or test/<class>/",
                });
            }
            // A read-me, or a list of labels.
            continue;
        }
        any_class = true;
        let before = entries.len();
        for (file, path) in list(&folder)? {
            if path.is_dir() || !has_image_extension(&path) {
                return Err(DataError::UnexpectedFile {
                    path,
                    allowed: "a class folder has .jpg, .jpeg and .png files only",
                });
            }
            entries.push(Entry { path, name: format!("{class}/{file}"), class: class.clone() });
        }
        if entries.len() == before {
            return Err(DataError::Empty {
                path: folder,
                allowed: "a class folder has at least one .jpg, .jpeg or .png file",
            });
        }
    }
    if !any_class {
        return Err(DataError::Empty { path: split.to_owned(), allowed: "it should have one folder per class" });
    }
    Ok(entries)
}

/// Names and paths in `folder`, sorted by name; hidden files and litter left out.
fn list(folder: &Path) -> Result<Vec<(String, PathBuf)>, DataError> {
    let unreadable = |source| DataError::unreadable(folder, source);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let path = entry.path();
        let Ok(name) = entry.file_name().into_string() else {
            return Err(DataError::Name { path });
        };
        if !name.starts_with('.') && !LITTER.contains(&name.as_str()) {
            found.push((name, path));
        }
    }
    found.sort_unstable();
    Ok(found)
}

fn decode(path: &Path, pixels: &mut Vec<u8>) -> Result<ImageSize, DataError> {
    let data = std::fs::read(path).map_err(|source| DataError::unreadable(path, source))?;
    Decoder::default().decode(&data, pixels).map_err(|source| DataError::CorruptImage { path: path.to_owned(), source })
}

/// Decodes on all threads into one piece of memory. Of several bad images the first in order is named.
fn decode_all(entries: &[Entry], expect: (ImageSize, &Path)) -> Result<Images, DataError> {
    let (size, first) = expect;
    let mut pixels = vec![0; entries.len() * size.values()];
    let failure = pixels
        .par_chunks_exact_mut(size.values())
        .zip(entries)
        .map_init(Vec::new, |decoded, (out, entry)| {
            let found = decode(&entry.path, decoded)?;
            if found != size {
                return Err(DataError::ImageSizes {
                    first: first.to_owned(),
                    first_size: size,
                    other: entry.path.clone(),
                    other_size: found,
                });
            }
            out.copy_from_slice(decoded);
            Ok(())
        })
        .find_map_first(Result::err);
    match failure {
        Some(error) => Err(error),
        None => Ok(Images::new(size, pixels).expect("the decoder gives no empty image, and pixels are whole ones")),
    }
}
