use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use slowburn_augment::ImageSize;
use slowburn_augment::loader::Images;

use super::{DataError, DataLayout, Dataset, Split};

const TRAIN_IMAGES: &str = "train-images-idx3-ubyte";
const TRAIN_LABELS: &str = "train-labels-idx1-ubyte";
const TEST_IMAGES: &str = "t10k-images-idx3-ubyte";
const TEST_LABELS: &str = "t10k-labels-idx1-ubyte";
const FILES: [&str; 4] = [TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS];

/// Unsigned bytes in three dimensions: images, rows, columns.
const IMAGES_MAGIC: u32 = 0x0803;
/// Unsigned bytes in one dimension.
const LABELS_MAGIC: u32 = 0x0801;

/// Whether `path` has one of the IDX files.
pub(super) fn is_layout(path: &Path) -> bool {
    FILES.iter().any(|name| find(path, name).is_some())
}

/// Loads a folder of IDX files.
pub(super) fn load(path: &Path) -> Result<Dataset, DataError> {
    let train_images = required(path, TRAIN_IMAGES)?;
    let train_labels = required(path, TRAIN_LABELS)?;
    let tested = find(path, TEST_IMAGES).is_some() || find(path, TEST_LABELS).is_some();
    let test_files =
        tested.then(|| Ok::<_, DataError>((required(path, TEST_IMAGES)?, required(path, TEST_LABELS)?))).transpose()?;

    let (images, labels) = read_split(&train_images, &train_labels)?;
    let named = read_classes(&path.join("classes.txt"))?;
    let highest = labels.iter().copied().max().map_or(0, usize::from);
    let classes = named.unwrap_or_else(|| (0..=highest).map(|class| class.to_string()).collect());
    if classes.len() < 2 {
        return Err(DataError::TooFewClasses { path: path.to_owned(), classes });
    }
    let train_classes = check_labels(&train_labels, &labels, classes.len())?;

    let size = images.size();
    let test = match &test_files {
        None => Split::empty(),
        Some((test_images, test_labels)) => {
            let (test, labels) = read_split(test_images, test_labels)?;
            let labels = check_labels(test_labels, &labels, classes.len())?;
            if test.size() != size {
                return Err(DataError::ImageSizes {
                    first: train_images,
                    first_size: size,
                    other: test_images.clone(),
                    other_size: test.size(),
                });
            }
            let names = indices(&test);
            Split::in_memory(test, names, labels)
        }
    };
    let names = indices(&images);
    let train = Split::in_memory(images, names, train_classes.into_iter().map(Some).collect());
    let (path, layout) = (path.to_owned(), DataLayout::Idx);
    Ok(Dataset { path, layout, classes, train, test, left_out: Vec::new(), size, one_size: true })
}

/// The file `name` or `name.gz` in `folder`.
fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    [folder.join(name), folder.join(format!("{name}.gz"))].into_iter().find(|path| path.is_file())
}

fn required(folder: &Path, name: &'static str) -> Result<PathBuf, DataError> {
    find(folder, name).ok_or_else(|| DataError::MissingFile {
        path: folder.to_owned(),
        name,
        allowed: FILES.join(", "),
    })
}

/// Images and as many labels.
fn read_split(images_path: &Path, labels_path: &Path) -> Result<(Images, Vec<u8>), DataError> {
    let images: ([usize; 3], Vec<u8>) = read_idx(images_path, IMAGES_MAGIC)?;
    let labels = read_idx_labels(labels_path)?;
    let [count, ..] = images.0;
    if count != labels.len() {
        return Err(DataError::CountMismatch {
            images_path: images_path.to_owned(),
            images: count,
            labels_path: labels_path.to_owned(),
            labels: labels.len(),
        });
    }
    Ok((grey(images_path, images)?, labels))
}

/// Grey images in the IDX format: unsigned bytes in three dimensions, the file plain or with `.gz`.
///
/// # Errors
/// [`DataError`], which names the file.
pub fn read_idx_images(path: &Path) -> Result<Images, DataError> {
    grey(path, read_idx(path, IMAGES_MAGIC)?)
}

/// Labels in the IDX format: unsigned bytes in one dimension, the file plain or with `.gz`.
///
/// # Errors
/// [`DataError`], which names the file.
pub fn read_idx_labels(path: &Path) -> Result<Vec<u8>, DataError> {
    let ([_], labels) = read_idx(path, LABELS_MAGIC)?;
    Ok(labels)
}

fn grey(path: &Path, (dims, pixels): ([usize; 3], Vec<u8>)) -> Result<Images, DataError> {
    let [_, height, width] = dims;
    if pixels.is_empty() {
        return Err(DataError::Empty { path: path.to_owned(), allowed: "at least one image of at least one pixel" });
    }
    // The header was compared with the length.
    Ok(Images::new(ImageSize::new(height, width, 1), pixels)?)
}

/// Dimensions and content of an IDX file of unsigned bytes. The whole file must be there, and nothing behind it.
fn read_idx<const RANK: usize>(path: &Path, magic: u32) -> Result<([usize; RANK], Vec<u8>), DataError> {
    let mut data = read(path)?;
    let wrong_length =
        |found: usize, expected: u64| DataError::IdxLength { path: path.to_owned(), found: found as u64, expected };
    let header = 4 * (1 + RANK);
    let number = |place: usize| {
        data.get(4 * place..4 * place + 4)
            .map(|bytes| u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
            .ok_or_else(|| wrong_length(data.len(), header as u64))
    };
    let found = number(0)?;
    if found != magic {
        return Err(DataError::BadMagic { path: path.to_owned(), found, expected: magic });
    }
    let mut dims = [0; RANK];
    // A header of nonsense saturates instead of wrapping round to a plausible length.
    let mut expected = 1u64;
    for (place, dim) in dims.iter_mut().enumerate() {
        let size = number(1 + place)?;
        *dim = size as usize;
        expected = expected.saturating_mul(u64::from(size));
    }
    expected = expected.saturating_add(header as u64);
    if data.len() as u64 != expected {
        return Err(wrong_length(data.len(), expected));
    }
    data.drain(..header);
    Ok((dims, data))
}

/// The bytes of a file, decompressed if its name ends in `.gz`.
fn read(path: &Path) -> Result<Vec<u8>, DataError> {
    let unreadable = |source| DataError::unreadable(path, source);
    let mut data = Vec::new();
    let mut file = BufReader::new(File::open(path).map_err(unreadable)?);
    if path.extension().is_some_and(|extension| extension == "gz") {
        MultiGzDecoder::new(file)
            .read_to_end(&mut data)
            .map_err(|source| DataError::CorruptGzip { path: path.to_owned(), source })?;
    } else {
        file.read_to_end(&mut data).map_err(unreadable)?;
    }
    Ok(data)
}

/// Class names, one a line, or nothing if there is no such file.
fn read_classes(path: &Path) -> Result<Option<Vec<String>>, DataError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(DataError::unreadable(path, error)),
    };
    let mut classes: Vec<String> = Vec::new();
    for name in text.lines().map(str::trim).filter(|name| !name.is_empty()) {
        if classes.iter().any(|class| class == name) {
            return Err(DataError::DuplicateClass { path: path.to_owned(), name: name.to_owned() });
        }
        classes.push(name.to_owned());
    }
    Ok(Some(classes))
}

fn check_labels(path: &Path, labels: &[u8], classes: usize) -> Result<Vec<usize>, DataError> {
    labels
        .iter()
        .enumerate()
        .map(|(index, &label)| {
            if usize::from(label) < classes {
                return Ok(usize::from(label));
            }
            Err(DataError::LabelRange { path: path.to_owned(), index, label, classes })
        })
        .collect()
}

fn indices(images: &Images) -> Vec<String> {
    (0..images.len()).map(|index| index.to_string()).collect()
}
