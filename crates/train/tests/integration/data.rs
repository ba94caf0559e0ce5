//! Loading data sets: both layouts, label files, every error, and the shipped subset of Fashion-MNIST.

// In tests an unwrap is an assertion.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::{Compression, write::GzEncoder};
use image::{DynamicImage, ImageBuffer, Luma, LumaA, Rgb, Rgba};
use slowburn_augment::loader::{LoadError, ReadBuffers};
use slowburn_augment::{ImageSize, WhiteningConfig};
use slowburn_semi::SemiError;
use slowburn_train::Labeled;
use slowburn_train::data::{DataError, Dataset, LabelError, LabelFile, LabelProblem};
use tempfile::TempDir;

// ---------------------------------------------------------------- IDX folders

const TRAIN_IMAGES: &str = "train-images-idx3-ubyte";
const TRAIN_LABELS: &str = "train-labels-idx1-ubyte";
const TEST_IMAGES: &str = "t10k-images-idx3-ubyte";
const TEST_LABELS: &str = "t10k-labels-idx1-ubyte";

fn idx(magic: u32, dims: &[u32], data: &[u8]) -> Vec<u8> {
    let mut bytes = magic.to_be_bytes().to_vec();
    bytes.extend(dims.iter().flat_map(|dim| dim.to_be_bytes()));
    bytes.extend(data);
    bytes
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

/// Three training and two test images of 2×3, two classes.
fn idx_folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    let pixels: Vec<u8> = (0..18).collect();
    let write = |name: &str, data: Vec<u8>| fs::write(folder.path().join(name), data).unwrap();
    write(TRAIN_IMAGES, idx(0x803, &[3, 2, 3], &pixels));
    write(TRAIN_LABELS, idx(0x801, &[3], &[1, 0, 1]));
    write(TEST_IMAGES, idx(0x803, &[2, 2, 3], &pixels[6..]));
    write(TEST_LABELS, idx(0x801, &[2], &[0, 1]));
    folder
}

/// The error of an IDX folder in which one file has other bytes.
fn idx_error(name: &str, data: Vec<u8>) -> DataError {
    let folder = idx_folder();
    fs::write(folder.path().join(name), data).unwrap();
    let error = Dataset::load(folder.path()).unwrap_err();
    assert!(error.to_string().contains(name), "{error} does not name {name}");
    error
}

#[test]
fn an_idx_folder_loads() {
    let folder = idx_folder();
    let data = Dataset::load(folder.path()).unwrap();
    assert_eq!(data.image_size(), ImageSize::new(2, 3, 1));
    assert_eq!(data.classes, ["0", "1"]);
    assert_eq!(data.train.labels, [Some(1), Some(0), Some(1)]);
    assert_eq!(data.train.names, ["0", "1", "2"]);
    assert_eq!(data.train.memory.as_ref().expect("small").get(1).bytes().unwrap(), [6, 7, 8, 9, 10, 11]);
    assert_eq!(data.test.labels, [0, 1]);
    assert_eq!(data.test.memory.as_ref().expect("small").iter().len(), 2);
}

#[test]
fn compressed_files_and_class_names_load() {
    let folder = idx_folder();
    let plain = Dataset::load(folder.path()).unwrap();
    for name in [TRAIN_IMAGES, TEST_LABELS] {
        let path = folder.path().join(name);
        fs::write(path.with_extension("gz"), gzip(&fs::read(&path).unwrap())).unwrap();
        fs::rename(path.with_extension("gz"), folder.path().join(format!("{name}.gz"))).unwrap();
        fs::remove_file(path).unwrap();
    }
    assert_eq!(Dataset::load(folder.path()).unwrap(), plain);

    fs::write(folder.path().join("classes.txt"), "shirt\n ankle boot \n\n").unwrap();
    let named = Dataset::load(folder.path()).unwrap();
    assert_eq!(named.classes, ["shirt", "ankle boot"]);
    assert_ne!(named.fingerprint().unwrap(), plain.fingerprint().unwrap());
    fs::write(folder.path().join("classes.txt"), "shirt\nshirt\n").unwrap();
    let error = Dataset::load(folder.path()).unwrap_err();
    assert!(matches!(error, DataError::DuplicateClass { .. }), "{error}");
}

#[test]
fn damaged_idx_files_are_named() {
    let error = idx_error(TRAIN_IMAGES, idx(0x801, &[3, 2, 3], &[0; 18]));
    assert!(matches!(error, DataError::BadMagic { found: 0x801, expected: 0x803, .. }), "{error}");
    let error = idx_error(TEST_LABELS, vec![]);
    assert!(matches!(error, DataError::IdxLength { found: 0, expected: 8, .. }), "{error}");
    let error = idx_error(TRAIN_IMAGES, idx(0x803, &[3, 2], &[]));
    assert!(matches!(error, DataError::IdxLength { found: 12, expected: 16, .. }), "{error}");
    let error = idx_error(TRAIN_IMAGES, idx(0x803, &[3, 2, 3], &[0; 17]));
    assert!(error.to_string().contains("33 bytes, its header says 34 (it is cut short)"), "{error}");
    let error = idx_error(TRAIN_LABELS, idx(0x801, &[3], &[0, 1, 0, 0]));
    assert!(error.to_string().contains("bytes behind its end"), "{error}");
    // A product of 2⁹⁶ neither overflows nor is allocated.
    let error = idx_error(TRAIN_IMAGES, idx(0x803, &[u32::MAX; 3], &[0; 18]));
    assert!(matches!(error, DataError::IdxLength { expected: u64::MAX, .. }), "{error}");
    let error = idx_error(TRAIN_IMAGES, idx(0x803, &[0, 2, 3], &[]));
    assert!(matches!(error, DataError::CountMismatch { images: 0, labels: 3, .. }), "{error}");
    let error = idx_error(TEST_IMAGES, idx(0x803, &[2, 0, 3], &[]));
    assert!(matches!(error, DataError::Empty { .. }), "{error}");
}

#[test]
fn damaged_gzip_files_are_named() {
    let folder = idx_folder();
    let name = format!("{TRAIN_IMAGES}.gz");
    let whole = gzip(&fs::read(folder.path().join(TRAIN_IMAGES)).unwrap());
    fs::remove_file(folder.path().join(TRAIN_IMAGES)).unwrap();
    for damaged in [&whole[..whole.len() / 2], &whole[..whole.len() - 1], b"plain", b""] {
        fs::write(folder.path().join(&name), damaged).unwrap();
        let error = Dataset::load(folder.path()).unwrap_err();
        assert!(matches!(error, DataError::CorruptGzip { .. }), "{error}");
        assert!(error.to_string().contains(&name), "{error}");
    }
}

#[test]
fn idx_files_must_fit_each_other() {
    let error = idx_error(TRAIN_LABELS, idx(0x801, &[2], &[1, 0]));
    assert!(matches!(error, DataError::CountMismatch { images: 3, labels: 2, .. }), "{error}");
    let error = idx_error(TEST_LABELS, idx(0x801, &[2], &[0, 2]));
    assert!(matches!(error, DataError::LabelRange { index: 1, label: 2, classes: 2, .. }), "{error}");
    assert!(error.to_string().contains("allowed: 0 to 1"), "{error}");
    let error = idx_error(TEST_IMAGES, idx(0x803, &[2, 3, 2], &[0; 12]));
    assert!(matches!(error, DataError::ImageSizes { .. }), "{error}");
    assert!(error.to_string().contains(TRAIN_IMAGES), "{error}");

    let folder = idx_folder();
    fs::write(folder.path().join(TRAIN_LABELS), idx(0x801, &[3], &[0, 0, 0])).unwrap();
    let error = Dataset::load(folder.path()).unwrap_err();
    assert!(matches!(error, DataError::TooFewClasses { .. }), "{error}");
}

#[test]
fn missing_idx_files_are_named() {
    for name in [TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS] {
        let folder = idx_folder();
        fs::remove_file(folder.path().join(name)).unwrap();
        let error = Dataset::load(folder.path()).unwrap_err();
        assert!(matches!(error, DataError::MissingFile { name: missing, .. } if missing == name), "{error}");
    }
    let folder = idx_folder();
    fs::remove_file(folder.path().join(TEST_IMAGES)).unwrap();
    fs::remove_file(folder.path().join(TEST_LABELS)).unwrap();
    let data = Dataset::load(folder.path()).unwrap();
    assert!(data.test.is_empty() && data.train.len() == 3);
}

// -------------------------------------------------------------- image folders

fn rgb(seed: u8) -> DynamicImage {
    ImageBuffer::from_fn(4, 3, |x, y| Rgb([seed, x as u8, y as u8])).into()
}

fn save(folder: &Path, name: &str, image: &DynamicImage) -> PathBuf {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    image.save(&path).unwrap();
    path
}

/// Two classes, `cat` and `dog`, and unlabelled images; PNG, which is exact.
fn image_folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    for (seed, name) in [
        "train/dog/b.png",
        "train/cat/z.png",
        "train/cat/a.PNG",
        "train/unlabeled/a.png",
        "train/unlabeled/u 1.png",
        "test/cat/1.png",
        "test/dog/1.png",
    ]
    .into_iter()
    .enumerate()
    {
        save(folder.path(), name, &rgb(seed as u8));
    }
    // What is left alone: files beside the class folders, hidden files, litter.
    for name in ["train/README", "train/.DS_Store", "train/cat/.x", "test/dog/Thumbs.db"] {
        fs::write(folder.path().join(name), "x").unwrap();
    }
    folder
}

#[test]
fn an_image_folder_loads_in_a_fixed_order() {
    let folder = image_folder();
    let data = Dataset::load(folder.path()).unwrap();
    assert_eq!(data.image_size(), ImageSize::new(3, 4, 3));
    assert_eq!(data.classes, ["cat", "dog"]);
    assert_eq!(data.train.names, ["cat/a.PNG", "cat/z.png", "dog/b.png", "unlabeled/a.png", "unlabeled/u 1.png"]);
    assert_eq!(data.train.labels, [Some(0), Some(0), Some(1), None, None]);
    assert_eq!(data.test.labels, [0, 1]);
    let first = data.train.memory.as_ref().expect("small").get(0).bytes().unwrap();
    assert_eq!(first[..6], [2, 0, 0, 2, 1, 0]);
    assert_eq!(first[33..], [2, 3, 2]);
}

#[test]
fn a_data_set_becomes_images_with_as_many_labels_of_each_class() {
    let folder = image_folder();
    let data = Dataset::load(folder.path()).unwrap();
    let train = Labeled::from_train(&data).unwrap();
    assert_eq!((train.labels(), train.classes()), (&data.train.labels[..], &data.classes[..]));
    assert_eq!(train.source().id(4), data.train.images.id(4));
    assert_eq!(Labeled::from_test(&data).unwrap().labels(), [Some(0), Some(1)]);

    let kept = train.clone().keep_balanced(2, 0).unwrap();
    assert_eq!(kept.counts(), [1, 1]);
    assert!(kept.labels().iter().zip(train.labels()).all(|(kept, label)| kept.is_none() || kept == label));
    let cats = |seed| train.clone().keep_balanced(2, seed).unwrap().labels()[..2].to_vec();
    assert!((1..20).any(|seed| cats(seed) != cats(0)), "the seed chooses");
    let error = train.keep_balanced(5, 0).unwrap_err();
    assert_eq!(error, SemiError::TooManyLabels { asked: 5, available: 3 });
}

#[test]
fn without_training_classes_the_test_set_names_them() {
    let folder = image_folder();
    fs::remove_dir_all(folder.path().join("train/cat")).unwrap();
    fs::remove_dir_all(folder.path().join("train/dog")).unwrap();
    let data = Dataset::load(folder.path()).unwrap();
    assert_eq!(data.classes, ["cat", "dog"]);
    assert_eq!(data.train.labels, [None, None]);
}

#[test]
fn grey_stays_grey_and_all_else_becomes_rgb() {
    let grey8 = DynamicImage::from(ImageBuffer::from_pixel(4, 3, Luma([7u8])));
    let grey16 = DynamicImage::from(ImageBuffer::from_pixel(4, 3, Luma([7u16 * 257])));
    let grey_alpha = DynamicImage::from(ImageBuffer::from_pixel(4, 3, LumaA([7u8, 128])));
    let rgb16 = DynamicImage::from(ImageBuffer::from_pixel(4, 3, Rgb([7u16 * 257; 3])));
    let rgba = DynamicImage::from(ImageBuffer::from_pixel(4, 3, Rgba([7u8, 7, 7, 0])));
    for (channels, images) in [(1, vec![grey8, grey16, grey_alpha]), (3, vec![rgb16, rgba])] {
        let folder = TempDir::new().unwrap();
        for (index, image) in images.iter().enumerate() {
            for name in ["train/a", "train/b", "test/a"] {
                save(folder.path(), &format!("{name}/{index}.png"), image);
            }
        }
        let data = Dataset::load(folder.path()).unwrap();
        assert_eq!(data.image_size().channels, channels);
        assert!(data.train.memory.as_ref().expect("small").bytes().expect("decoded").iter().all(|byte| *byte == 7));
    }
}

/// The error of an image folder after a change, which must name `name`.
fn folder_error(name: &str, change: impl FnOnce(&Path)) -> DataError {
    let folder = image_folder();
    change(folder.path());
    let error = Dataset::load(folder.path()).unwrap_err();
    assert!(error.to_string().contains(name), "{error} does not name {name}");
    error
}

#[test]
fn damaged_images_are_named() {
    let write = |name: &'static str, data: Vec<u8>| {
        let error = folder_error(name, |root| fs::write(root.join(name), data).unwrap());
        assert!(matches!(error, DataError::Load(LoadError::Corrupt { .. })), "{error}");
    };
    let folder = TempDir::new().unwrap();
    let noise = ImageBuffer::from_fn(64, 64, |x, y| Rgb([(x * y * 7) as u8, (x * 31) as u8, (y * 17) as u8]));
    let noise = DynamicImage::from(noise);
    let png = fs::read(save(folder.path(), "a.png", &noise)).unwrap();
    let jpeg = fs::read(save(folder.path(), "a.jpg", &noise)).unwrap();
    write("train/cat/z.png", vec![]);
    write("train/dog/b.png", b"not an image".to_vec());
    write("test/dog/1.png", png[..png.len() / 2].to_vec());
    for length in [3, 20, jpeg.len() / 2, jpeg.len() - 2, jpeg.len() - 1] {
        write("train/cat/a.PNG", jpeg[..length].to_vec());
    }
}

/// A format with another ending is read for what it is; images of another size make all of them be read as they are needed.
#[test]
fn images_of_another_size_are_read_when_they_are_needed() {
    let folder = image_folder();
    let whole = Dataset::load(folder.path()).unwrap().fingerprint().unwrap();
    let large = DynamicImage::from(ImageBuffer::from_pixel(5, 3, Rgb([9u8; 3])));
    let jpeg = save(folder.path(), "a.jpg", &large);
    fs::rename(jpeg, folder.path().join("train/dog/b.png")).unwrap();
    let data = Dataset::load(folder.path()).unwrap();
    assert!(data.train.memory.is_none() && data.test.memory.is_some());
    assert_eq!((data.image_size(), data.train.len()), (ImageSize::new(3, 4, 3), 5));
    let mut buffers = ReadBuffers::default();
    assert_eq!(data.train.images.read(2, &mut buffers).unwrap().image.size(), ImageSize::new(3, 5, 3));
    assert_ne!(data.fingerprint().unwrap(), whole);
    let error = data.whitened(&WhiteningConfig::mean_teacher_cifar()).unwrap_err();
    assert!(matches!(error, DataError::NotInMemory { .. }), "{error}");
}

#[test]
fn images_of_another_depth_are_named_with_the_first() {
    let grey = DynamicImage::from(ImageBuffer::from_pixel(4, 3, Luma([0u8])));
    for name in ["train/dog/b.png", "test/cat/1.png"] {
        let error = folder_error(name, |root| drop(save(root, name, &grey)));
        let message = error.to_string();
        assert!(matches!(error, DataError::Channels { .. }), "{message}");
        assert!(message.contains("cat/a.PNG") && message.contains("3×4×1"), "{message}");
    }
}

#[test]
fn folders_must_have_what_belongs_there() {
    let error = folder_error("train/bird", |root| fs::create_dir(root.join("train/bird")).unwrap());
    assert!(matches!(error, DataError::Load(LoadError::Empty { .. })), "{error}");
    let error = folder_error("train", |root| {
        fs::remove_dir_all(root.join("train")).unwrap();
        fs::create_dir(root.join("train")).unwrap();
    });
    assert!(matches!(error, DataError::Load(LoadError::Empty { .. })), "{error}");
    let error = folder_error("train", |root| fs::remove_dir_all(root.join("train")).unwrap());
    assert!(matches!(error, DataError::Unreadable { .. }), "{error}");
    let error = folder_error("train/x.png", |root| fs::write(root.join("train/x.png"), "x").unwrap());
    assert!(matches!(error, DataError::UnexpectedFile { .. }), "{error}");
    let error = folder_error("test/unlabeled", |root| drop(save(root, "test/unlabeled/1.png", &rgb(0))));
    assert!(matches!(error, DataError::UnknownTestClass { .. }), "{error}");

    let error = folder_error("test/bird", |root| drop(save(root, "test/bird/1.png", &rgb(0))));
    assert!(matches!(error, DataError::UnknownTestClass { .. }), "{error}");
    let error = folder_error("1 class(es)", |root| {
        fs::remove_dir_all(root.join("train/dog")).unwrap();
        fs::remove_dir_all(root.join("test/dog")).unwrap();
    });
    assert!(matches!(error, DataError::TooFewClasses { .. }), "{error}");
}

#[test]
fn other_formats_nested_folders_and_a_missing_test_set_do_no_harm() {
    let folder = image_folder();
    fs::write(folder.path().join("train/cat/x.webp"), "x").unwrap();
    save(folder.path(), "train/cat/nested/n.png", &rgb(3));
    fs::remove_dir_all(folder.path().join("test")).unwrap();
    let data = Dataset::load(folder.path()).unwrap();
    assert_eq!(data.train.names[..3], ["cat/a.PNG", "cat/nested/n.png", "cat/z.png"]);
    assert!(data.test.is_empty());
}

#[test]
fn a_path_that_is_no_data_set_says_what_was_looked_for() {
    let folder = TempDir::new().unwrap();
    let message = Dataset::load(folder.path()).unwrap_err().to_string();
    assert!(message.contains(TRAIN_IMAGES) && message.contains("train/<class>/"), "{message}");
    let missing = folder.path().join("missing");
    let error = Dataset::load(&missing).unwrap_err();
    assert!(matches!(&error, DataError::Unreadable { path, .. } if *path == missing), "{error}");
    let file = folder.path().join("file");
    fs::write(&file, "x").unwrap();
    assert!(matches!(Dataset::load(&file), Err(DataError::Unreadable { .. })));
}

// ---------------------------------------------------------------- label files

fn read_labels(path: &Path, data: &Dataset) -> Result<Vec<(usize, usize)>, LabelError> {
    let file = LabelFile::read(path, &data.train.names, Some(&data.classes))?;
    Ok(file.labels.into_iter().enumerate().filter_map(|(image, label)| label.map(|label| (image, label))).collect())
}

/// What a label file with `text` gives.
fn labels(data: &Dataset, text: &str) -> Result<Vec<(usize, usize)>, LabelError> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("labels.txt");
    fs::write(&path, text).unwrap();
    read_labels(&path, data)
}

#[test]
fn label_files_name_images_by_path_name_or_index() {
    let folder = image_folder();
    let data = Dataset::load(folder.path()).unwrap();
    let text = "# comment\n\nunlabeled/u 1.png dog\n  z.png\t0\nunlabeled/a.png cat\nz.png cat\r\n";
    assert_eq!(labels(&data, text).unwrap(), [(1, 0), (3, 0), (4, 1)]);

    let folder = idx_folder();
    let data = Dataset::load(folder.path()).unwrap();
    assert_eq!(labels(&data, "2 1\n0 0\n").unwrap(), [(0, 0), (2, 1)]);
}

#[test]
fn wrong_lines_are_named_by_file_and_number() {
    let folder = image_folder();
    save(folder.path(), "train/dog/z.png", &rgb(9));
    let data = Dataset::load(folder.path()).unwrap();
    let problem = |text: &str, at: &str| match labels(&data, text).unwrap_err() {
        error @ LabelError::Line { .. } => {
            assert!(error.to_string().contains(at), "{error}");
            let LabelError::Line { problem, .. } = error else { unreachable!() };
            problem
        }
        other => panic!("{other}"),
    };
    let missing = problem("# x\nnone.png cat", "labels.txt:2: there is no image \"none.png\"");
    assert!(matches!(missing, LabelProblem::MissingImage { samples: 6, .. }), "{missing}");
    let unknown = problem("a.PNG 2", "labels.txt:1: \"2\" is no class, allowed: 0 to 1 or cat, dog");
    assert!(matches!(unknown, LabelProblem::UnknownClass { .. }), "{unknown}");
    let unknown = problem("a.PNG cta", "labels.txt:1");
    assert_eq!(unknown.to_string(), "\"cta\" is no class: did you mean \"cat\"?");
    let unknown = problem("a.PNG bird", "labels.txt:1");
    assert!(matches!(unknown, LabelProblem::UnknownClass { .. }), "{unknown}");
    let two = problem("a.PNG", "labels.txt:1");
    assert!(matches!(two, LabelProblem::NotTwoWords { .. }), "{two}");
    let ambiguous = problem("z.png cat", "\"cat/z.png\" and \"dog/z.png\"");
    assert!(matches!(ambiguous, LabelProblem::AmbiguousImage { .. }), "{ambiguous}");
    let conflict = problem("a.PNG cat\n\ncat/a.PNG dog", "labels.txt:3");
    assert!(matches!(conflict, LabelProblem::Conflict { earlier_line: 1, .. }), "{conflict}");

    for empty in ["", "# only this\n\n"] {
        let error = labels(&data, empty).unwrap_err();
        assert!(matches!(error, LabelError::NoLabels { .. }), "{error}");
    }
    let error = read_labels(&folder.path().join("missing.txt"), &data).unwrap_err();
    assert!(error.to_string().contains("missing.txt"), "{error}");
}

// -------------------------------------------------------- fingerprint, subset

#[test]
fn the_fingerprint_is_of_the_data_and_nothing_else() {
    let folder = image_folder();
    let data = Dataset::load(folder.path()).unwrap();
    assert_eq!(data.fingerprint().unwrap().len(), 64);
    // Another place, another name, the same data.
    let elsewhere = image_folder();
    fs::rename(elsewhere.path().join("test/cat/1.png"), elsewhere.path().join("test/cat/2.png")).unwrap();
    assert_eq!(Dataset::load(elsewhere.path()).unwrap().fingerprint().unwrap(), data.fingerprint().unwrap());

    let mut label = data.clone();
    label.train.labels[0] = None;
    let mut test_label = data.clone();
    test_label.test.labels.reverse();
    save(elsewhere.path(), "train/cat/a.PNG", &rgb(200));
    let pixel = Dataset::load(elsewhere.path()).unwrap();
    for changed in [label, test_label, pixel] {
        assert_ne!(changed.fingerprint().unwrap(), data.fingerprint().unwrap());
    }
}

#[test]
fn the_shipped_subset_is_what_its_readme_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../slowburn/data/fashion-mnist");
    let data = Dataset::load(path).unwrap();
    assert_eq!(data.image_size(), ImageSize::new(28, 28, 1));
    assert_eq!(data.classes.len(), 10);
    assert_eq!(data.classes[9], "Ankle boot");
    let mut counts = vec![(0, 0); 10];
    for label in &data.train.labels {
        counts[label.unwrap()].0 += 1;
    }
    for label in &data.test.labels {
        counts[*label].1 += 1;
    }
    assert_eq!(counts, vec![(1000, 1000); 10]);
    assert_eq!(data.train.len(), 10_000);
    assert_eq!(data.fingerprint().unwrap(), "588f8f0e233b897660c925ac27f109c9818e18a761c6f9a8e102dc9c3f4469de");
}

#[test]
fn whitening_is_fitted_on_the_training_images_and_applied_to_all() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, count) in [("train", 40_u32), ("t10k", 8)] {
        let pixels: Vec<u8> = (0..count * 144).map(|place| (place.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let labels: Vec<u8> = (0..count).map(|image| (image % 4) as u8).collect();
        fs::write(folder.path().join(format!("{name}-images-idx3-ubyte")), idx(0x803, &[count, 12, 12], &pixels))
            .unwrap();
        fs::write(folder.path().join(format!("{name}-labels-idx1-ubyte")), idx(0x801, &[count], &labels)).unwrap();
    }
    let bytes = Dataset::load(folder.path()).expect("intact");
    let fingerprint = bytes.fingerprint().unwrap();
    let white = bytes.clone().whitened(&WhiteningConfig::mean_teacher_cifar()).expect("they fit");
    assert_ne!(white.fingerprint().unwrap(), fingerprint);
    assert_eq!((white.train.labels.clone(), white.test.names.clone()), (bytes.train.labels, bytes.test.names));
    assert_eq!((white.train.len(), white.test.len()), (40, 8));

    let values = white.train.memory.as_ref().expect("small").values().expect("values, not bytes");
    let mean = |index: usize| values.iter().skip(index).step_by(144).sum::<f32>() / 40.0;
    assert!((0..144).all(|index| mean(index).abs() < 1e-3));
    assert!(
        values
            .iter()
            .chain(white.test.memory.as_ref().expect("small").values().expect("values"))
            .all(|value| value.is_finite())
    );
}
