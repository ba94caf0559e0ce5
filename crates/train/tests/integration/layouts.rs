//! Data sets as people have them: photos without classes, class folders alone, turned, broken, grey, tiny, oddly named.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use image::{GrayImage, Luma, Rgb, RgbImage};
use slowburn_augment::ImageSize;
use slowburn_augment::loader::{Exif, LoadError, OnCorrupt, ReadBuffers, Source};
use slowburn_train::data::{DataError, DataLayout, Dataset, GreyImages, LoadOptions, labeled};
use slowburn_train::monitor::ImageSet;

use crate::support::{SIZES, photo, photos, turned_photo, views};

fn load(folder: &Path, options: LoadOptions) -> Dataset {
    Dataset::load_with(folder, options).expect("a data set")
}

fn size(data: &Dataset, index: usize) -> ImageSize {
    data.train.images.read(index, &mut ReadBuffers::default()).expect("decoded").image.size()
}

/// Red above, blue below, 32×16 pixels: JPEG keeps it well enough to tell which side is up.
fn upright() -> RgbImage {
    RgbImage::from_fn(16, 32, |_, y| if y < 16 { Rgb([200, 20, 20]) } else { Rgb([20, 20, 200]) })
}

#[test]
fn photos_without_classes_are_training_images_without_labels() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    photos(folder.path(), 3);
    photos(&folder.path().join("2024/summer"), 2);
    fs::write(folder.path().join("2024/b.heic"), "x").expect("written");
    let data = load(folder.path(), LoadOptions::default());
    assert_eq!((data.layout, data.train.len()), (DataLayout::Flat, 5));
    assert_eq!(data.train.names, ["2024/summer/p0.jpg", "2024/summer/p1.jpg", "p0.jpg", "p1.jpg", "p2.jpg"]);
    assert!(data.classes.is_empty() && data.test.is_empty() && data.train.labels.iter().all(Option::is_none));
    assert_eq!(data.left_out, [folder.path().join("2024/b.heic")]);
    assert!(data.describe().ends_with("5 training images of any size, the first 24×24×3, 0 test images, no labels"));
    assert_eq!(data.fingerprint().expect("readable").len(), 64);
}

#[test]
fn class_folders_need_no_train_folder_around_them() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (class, count) in [("boot", 2), ("unlabeled", 1), ("coat", 1), (".cache", 1)] {
        photos(&folder.path().join(class), count);
    }
    fs::write(folder.path().join("notes.txt"), "x").expect("written");
    let data = load(folder.path(), LoadOptions::default());
    assert_eq!((data.layout, data.classes.clone()), (DataLayout::Classes, vec!["boot".to_owned(), "coat".to_owned()]));
    assert_eq!(data.train.labels, [Some(0), Some(0), Some(1), None]);
    assert_eq!(data.train.names[3], "unlabeled/p0.jpg");
    assert!(data.test.is_empty());
    // The names of folders may be no classes, which the person knows.
    let flat = load(folder.path(), LoadOptions { layout: Some(DataLayout::Flat), ..LoadOptions::default() });
    assert_eq!((flat.layout, flat.train.len(), flat.classes.len()), (DataLayout::Flat, 4, 0));

    fs::create_dir(folder.path().join("hat")).expect("made");
    let error = Dataset::load(folder.path()).expect_err("no image of a class");
    assert!(matches!(&error, DataError::Load(LoadError::Empty { path }) if path.ends_with("hat")), "{error}");
}

#[test]
fn albums_are_no_classes() {
    let layout = |change: &dyn Fn(&Path)| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        photos(&folder.path().join("a"), 1);
        photos(&folder.path().join("b"), 1);
        change(folder.path());
        load(folder.path(), LoadOptions::default()).layout
    };
    assert_eq!(layout(&|_| ()), DataLayout::Classes);
    assert_eq!(layout(&|root| photo(&root.join("beside.jpg"), 0)), DataLayout::Flat);
    assert_eq!(layout(&|root| photos(&root.join("b/deeper"), 1)), DataLayout::Flat);
    assert_eq!(layout(&|root| fs::remove_dir_all(root.join("b")).expect("removed")), DataLayout::Flat);
    let one = |root: &Path| fs::rename(root.join("b"), root.join("unlabeled")).expect("renamed");
    assert_eq!(layout(&one), DataLayout::Flat);
    // A folder `train` says what is meant.
    let trained = |root: &Path| {
        fs::create_dir(root.join("train")).expect("made");
        ["a", "b"]
            .into_iter()
            .for_each(|class| fs::rename(root.join(class), root.join("train").join(class)).expect("moved"));
    };
    assert_eq!(layout(&trained), DataLayout::TrainTest);
}

#[test]
fn one_class_asked_for_as_classes_is_too_few() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    photos(&folder.path().join("a"), 1);
    let options = LoadOptions { layout: Some(DataLayout::Classes), ..LoadOptions::default() };
    let error = Dataset::load_with(folder.path(), options).expect_err("one class");
    assert!(matches!(error, DataError::TooFewClasses { .. }), "{error}");
    photo(&folder.path().join("b.jpg"), 1);
    let error = Dataset::load_with(folder.path(), options).expect_err("an image beside");
    assert!(matches!(error, DataError::UnexpectedFile { .. }), "{error}");
}

/// Five sizes, a broken one, a link to nothing, a grey one, a single pixel, a name that is no UTF-8, eight orientations.
#[test]
fn a_strangers_folder_is_read_as_it_is() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    photos(folder.path(), 5);
    fs::rename(folder.path().join("p3.jpg"), folder.path().join(std::ffi::OsStr::from_bytes(b"p3\xff.jpg")))
        .expect("renamed");
    fs::write(folder.path().join("broken.jpg"), [0xff, 0xd8, 0xff, 0xe0, 1, 2]).expect("written");
    std::os::unix::fs::symlink("/nowhere.jpg", folder.path().join("aaa.jpg")).expect("linked");
    GrayImage::from_pixel(30, 20, Luma([77])).save(folder.path().join("grey.jpg")).expect("written");
    RgbImage::from_pixel(1, 1, Rgb([1, 2, 3])).save(folder.path().join("tiny.jpg")).expect("written");
    for orientation in 1..=8 {
        turned_photo(&folder.path().join(format!("turned{orientation}.jpg")), upright(), orientation);
    }

    let stopped = Dataset::load_with(folder.path(), LoadOptions::photos()).expect_err("the first is a link to nothing");
    assert!(stopped.to_string().contains("aaa.jpg"), "{stopped}");
    let options = LoadOptions { on_corrupt: OnCorrupt::Skip, ..LoadOptions::photos() };
    let data = load(folder.path(), options);
    assert_eq!((data.layout, data.train.len()), (DataLayout::Flat, 17));
    assert_eq!(data.image_size(), ImageSize::new(20, 30, 3), "of the grey one, the first that is whole");
    let mut buffers = ReadBuffers::default();
    for (index, name) in data.train.names.iter().enumerate() {
        let read = data.train.images.read(index, &mut buffers);
        if ["aaa.jpg", "broken.jpg"].contains(&name.as_str()) {
            assert!(read.expect_err("broken").is_corrupt());
            continue;
        }
        let image = read.expect("whole").image;
        let (height, width) = match name.strip_prefix('p').map(|rest| usize::from(rest.as_bytes()[0] - b'0')) {
            Some(number) => (SIZES[number].1 as usize, SIZES[number].0 as usize),
            None if name == "grey.jpg" => (20, 30),
            None if name == "tiny.jpg" => (1, 1),
            None => (32, 16),
        };
        assert_eq!(image.size(), ImageSize::new(height, width, 3), "{name}");
        if name.starts_with("turned") {
            let bytes = image.bytes().expect("decoded");
            let (above, below) = bytes.split_at(bytes.len() / 2);
            assert!(above.chunks(3).all(|pixel| pixel[0] > 150 && pixel[2] < 80), "{name}: red is above");
            assert!(below.chunks(3).all(|pixel| pixel[2] > 150 && pixel[0] < 80), "{name}: blue is below");
        }
    }
    assert_eq!(data.train.names[6], "p3\\xff.jpg");
}

#[test]
fn broken_images_are_skipped_in_training_and_test_set() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for part in ["train/a", "train/b", "test/a", "test/b"] {
        for number in 0..2 {
            fs::create_dir_all(folder.path().join(part)).expect("made");
            upright().save(folder.path().join(format!("{part}/{number}.png"))).expect("written");
        }
    }
    let skip = LoadOptions { on_corrupt: OnCorrupt::Skip, ..LoadOptions::default() };
    let whole = load(folder.path(), skip);
    assert!(whole.train.memory.is_some() && whole.test.memory.is_some() && whole.has_one_size());
    for broken in ["train/a/0.png", "test/b/1.png"] {
        fs::write(folder.path().join(broken), "broken").expect("written");
        let error = Dataset::load(folder.path()).expect_err("broken");
        assert!(matches!(error, DataError::Load(LoadError::Corrupt { .. })), "{error}");
    }
    let data = load(folder.path(), skip);
    assert_eq!((data.image_size(), data.train.len(), data.test.len()), (ImageSize::new(32, 16, 3), 4, 4));
    assert_eq!((&data.train.names, &data.test.labels), (&whole.train.names, &whole.test.labels));
    assert!(data.train.memory.is_none() && data.has_one_size(), "the others have one size still");
    assert_ne!(data.fingerprint().expect("readable"), whole.fingerprint().expect("readable"));

    let read = |images: &Arc<dyn Source>, chosen| {
        let set = ImageSet::with_on_corrupt(Arc::clone(images), chosen, &views(), OnCorrupt::Skip).expect("they fit");
        let batches = set.batches(&Device::flex()).expect("indices of the source");
        batches.flat_map(|batch| batch.expect("others are whole").samples).collect::<Vec<_>>()
    };
    assert_eq!(read(&data.train.images, labeled(&data.train.labels)), [1, 2, 3]);
    assert_eq!(read(&data.test.images, data.test.labels.iter().copied().enumerate().collect()), [0, 1, 2]);

    for part in ["train/a/1.png", "train/b/0.png", "train/b/1.png"] {
        fs::write(folder.path().join(part), "broken").expect("written");
    }
    let error = Dataset::load_with(folder.path(), skip).expect_err("nothing is left");
    assert!(error.to_string().contains("train/a/0.png"), "{error}");
}

#[test]
fn turned_photos_are_other_pixels_and_upright_ones_the_same() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let both = || {
        let load = |exif| load(folder.path(), LoadOptions { exif, ..LoadOptions::default() });
        let (applied, ignored) = (load(Exif::Apply), load(Exif::Ignore));
        let prints = [&applied, &ignored].map(|data| data.fingerprint().expect("readable"));
        (applied, ignored, prints[0] == prints[1])
    };
    turned_photo(&folder.path().join("a.jpg"), upright(), 1);
    turned_photo(&folder.path().join("b.jpg"), upright(), 1);
    let (applied, ignored, same) = both();
    assert!(same && applied.train.names == ignored.train.names);
    let kept = |data: &Dataset| data.train.memory.clone().expect("of one size").bytes().expect("decoded").to_vec();
    assert_eq!(kept(&applied), kept(&ignored));
    // What was done is known of images in memory, too.
    assert_eq!((applied.train.images.exif(), ignored.train.images.exif()), (Exif::Apply, Exif::Ignore));

    turned_photo(&folder.path().join("b.jpg"), upright(), 6);
    let (applied, ignored, same) = both();
    assert!(!same);
    // Of one size only when they are upright: then they are kept.
    assert!(applied.train.memory.is_some() && ignored.train.memory.is_none());
    assert_eq!((size(&applied, 1), size(&ignored, 1)), (ImageSize::new(32, 16, 3), ImageSize::new(16, 32, 3)));
    assert_eq!(ignored.train.images.exif(), Exif::Ignore);
    photo(&folder.path().join("c.jpg"), 3);
    assert_eq!(both().0.train.images.exif(), Exif::Apply);
}

#[test]
fn grey_photos_become_colours_where_any_has_some() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for name in ["a", "b", "c"] {
        GrayImage::from_pixel(16, 32, Luma([77])).save(folder.path().join(format!("{name}.png"))).expect("written");
    }
    let channels = |grey| {
        let data = Dataset::load_with(folder.path(), LoadOptions { grey, ..LoadOptions::default() })?;
        Ok::<_, DataError>([size(&data, 0), size(&data, 2)].map(|size| size.channels))
    };
    assert_eq!(channels(GreyImages::Keep).expect("all are grey"), [1, 1]);
    assert_eq!(channels(GreyImages::RgbAmongColors).expect("all are grey"), [1, 1]);
    assert_eq!(channels(GreyImages::Rgb).expect("all become colours"), [3, 3]);
    upright().save(folder.path().join("d.png")).expect("written");
    assert!(matches!(channels(GreyImages::Keep), Err(DataError::Channels { .. })));
    assert_eq!(channels(GreyImages::RgbAmongColors).expect("all become colours"), [3, 3]);
}

#[test]
fn options_are_kept_as_words() {
    let kept = serde_json::to_string(&LoadOptions::photos()).expect("plain");
    assert_eq!(kept, r#"{"exif":"apply","grey":"rgb_among_colors","on_corrupt":"stop","layout":null}"#);
    assert_eq!(serde_json::from_str::<LoadOptions>(&kept).expect("valid"), LoadOptions::photos());
    assert_eq!(serde_json::from_str::<LoadOptions>("{}").expect("valid"), LoadOptions::default());
}
