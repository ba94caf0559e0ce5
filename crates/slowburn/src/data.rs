//! The data sets of the program: folders of one's own, labels of a file, and the images that it brings along.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use slowburn_train::data::{GreyImages, LabelError, LabelFile, LoadOptions, labeled};
use slowburn_train::run::write_atomically;

use crate::args::Reading;
use crate::train::recipe::Labels;

pub use slowburn_train::data::Dataset;

/// Loads the data set in a folder: see [`Dataset::load_with`]. Grey images among coloured ones become RGB, and so do grey ones of
/// several sizes or of a large one, which are photos.
///
/// # Errors
/// Those of [`Dataset::load_with`].
pub fn load(path: impl AsRef<Path>, reading: Reading) -> Result<Dataset> {
    let Reading { exif, broken: on_corrupt } = reading;
    let options = LoadOptions { exif, on_corrupt, grey: GreyImages::RgbAmongColors, layout: None };
    let data = Dataset::load_with(path.as_ref(), options)?;
    match data.image_size().channels == 1 && !is_small(&data) {
        true => Ok(Dataset::load_with(path, LoadOptions { grey: GreyImages::Rgb, ..options })?),
        false => Ok(data),
    }
}

/// The same; where its folders name no classes, the label file does. Folders of which the file knows none are no classes either,
/// but years or albums.
///
/// # Errors
/// Those of [`load`], and of the label file.
pub fn load_labeled(path: &Path, reading: Reading, labels: &Labels) -> Result<Dataset> {
    let mut data = load(path, reading)?;
    let Labels::File(file) = labels else { return Ok(data) };
    if data.classes.is_empty() {
        data.classes = LabelFile::read(file, &data.train.names, None)?.classes;
    } else if data.test.is_empty() && LabelFile::read(file, &data.train.names, Some(&data.classes)).is_err() {
        let classes = LabelFile::read(file, &data.train.names, None)?.classes;
        let folder = |class: &String| data.classes.contains(class) || class.parse::<usize>().is_ok();
        if !classes.iter().any(folder) {
            tracing::info!("{} names the classes; the folders of {} are none", file.display(), path.display());
            (data.classes, data.train.labels) = (classes, vec![None; data.train.labels.len()]);
        }
    }
    Ok(data)
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

/// The longest side of images that networks see whole.
const SMALL: usize = 64;

/// Whether all images have one size, and a small one.
pub fn is_small(data: &Dataset) -> bool {
    let size = data.image_size();
    data.has_one_size() && size.height.max(size.width) <= SMALL
}

/// The images that come with the program, a part of Fashion-MNIST, as files.
const SHIPPED: [(&str, &[u8]); 6] = [
    ("LICENSE", include_bytes!("../data/fashion-mnist/LICENSE")),
    ("classes.txt", include_bytes!("../data/fashion-mnist/classes.txt")),
    ("train-images-idx3-ubyte.gz", include_bytes!("../data/fashion-mnist/train-images-idx3-ubyte.gz")),
    ("train-labels-idx1-ubyte.gz", include_bytes!("../data/fashion-mnist/train-labels-idx1-ubyte.gz")),
    ("t10k-images-idx3-ubyte.gz", include_bytes!("../data/fashion-mnist/t10k-images-idx3-ubyte.gz")),
    ("t10k-labels-idx1-ubyte.gz", include_bytes!("../data/fashion-mnist/t10k-labels-idx1-ubyte.gz")),
];

/// Where the images are that come with the program: in its source folder, where that still exists, else in the user's cache.
pub fn shipped() -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/fashion-mnist");
    match source.is_dir() {
        true => source,
        false => cache().join("slowburn/fashion-mnist"),
    }
}

fn cache() -> PathBuf {
    let home = || std::env::var_os("HOME").or_else(|| std::env::var_os("USERPROFILE"));
    match (std::env::var_os("XDG_CACHE_HOME"), home()) {
        (Some(cache), _) => cache.into(),
        (None, Some(home)) => Path::new(&home).join(".cache"),
        (None, None) => std::env::temp_dir(),
    }
}

/// Writes the images that come with the program to where [`shipped`] says, if they are not there.
///
/// # Errors
/// If the cache cannot be written.
pub fn unpack_shipped() -> Result<()> {
    unpack(&shipped()).with_context(|| format!("{}: the images that come with the program", shipped().display()))
}

fn unpack(folder: &Path) -> io::Result<()> {
    for (name, bytes) in SHIPPED {
        let path = folder.join(name);
        if !path.exists() {
            std::fs::create_dir_all(folder)?;
            write_atomically(&path, bytes)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_brings_its_images_along() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("cache/fashion-mnist");
        unpack(&path).expect("written");
        let (unpacked, source) = (Dataset::load(&path).expect("images"), Dataset::load(shipped()).expect("images"));
        assert_eq!((unpacked.train.len(), unpacked.test.len(), unpacked.classes.len()), (10_000, 10_000, 10));
        assert_eq!(unpacked.fingerprint().expect("read"), source.fingerprint().expect("read"));
    }
}
