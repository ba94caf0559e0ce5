//! The whole check, on folders made here.

use std::fs;
use std::path::{Path, PathBuf};

use image::{ExtendedColorType, ImageEncoder, ImageFormat, Rgb, RgbImage, RgbaImage};

use super::*;

/// A smooth picture; another for another seed.
fn picture(height: u32, width: u32, seed: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let (x, y) = (f64::from(x) / f64::from(width), f64::from(y) / f64::from(height));
        let seed = f64::from(seed) * 1.7;
        let wave = |phase: f64| (127.5 + 120.0 * (seed + phase + 6.0 * x).sin() * (seed * 2.3 + 4.0 * y).cos()) as u8;
        Rgb([wave(0.0), wave(0.4), wave(0.8)])
    })
}

fn save(path: impl AsRef<Path>, picture: &RgbImage) {
    let path = path.as_ref();
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    picture.save(path).expect("saved");
}

/// A folder with two classes, four training and two test images of each, all different.
fn sound() -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("a temporary folder");
    for (class, seed) in [("cat", 0), ("dog", 10)] {
        for image in 0..4 {
            save(root.path().join(format!("train/{class}/{image}.png")), &picture(40, 30, seed + image));
        }
        for image in 4..6 {
            save(root.path().join(format!("test/{class}/{image}.png")), &picture(40, 30, seed + image));
        }
    }
    root
}

fn report(root: &Path) -> Report {
    let report = Report::of(root).expect("a folder");
    let mut text = Vec::new();
    report.write(&mut text, EXAMPLES).expect("written");
    report.write(&mut text, usize::MAX).expect("written");
    serde_json::to_string(&report).expect("JSON");
    report
}

/// The first files of the finding of this kind.
fn files(report: &Report, kind: &str) -> Vec<Vec<String>> {
    let finding = report.findings.iter().find(|finding| finding.kind == kind);
    finding.map_or_else(Vec::new, |finding| finding.subjects.iter().map(|subject| subject.files.clone()).collect())
}

fn severity(report: &Report, kind: &str) -> Option<Severity> {
    report.findings.iter().find(|finding| finding.kind == kind).map(|finding| finding.severity)
}

#[test]
fn a_sound_folder_has_no_finding() {
    let root = sound();
    let report = report(root.path());
    assert_eq!(report.findings, []);
    assert_eq!((report.train, report.labeled, report.test), (8, 8, 4));
    let cat = ClassCount { name: "cat".to_owned(), train: 4, test: 2 };
    assert_eq!((report.classes.len(), &report.classes[0]), (2, &cat));
    assert_eq!(report.sizes, Some(Sizes { height: [40; 3], width: [30; 3], different: 1 }));
    let chosen = slowburn_train::defaults::pretrain(8, 8);
    assert_eq!(report.defaults.expect("images").pretrain.batch, chosen.batch);
}

#[test]
fn copies_are_found_on_both_sides_with_other_labels_and_nearly() {
    let root = sound();
    let path = |name: &str| root.path().join(name);
    fs::copy(path("train/cat/0.png"), path("test/cat/copy.png")).expect("copied");
    fs::copy(path("train/cat/1.png"), path("train/dog/copy.png")).expect("copied");
    fs::copy(path("train/dog/0.png"), path("train/dog/again.png")).expect("copied");
    // Another size and another compression.
    save(path("test/dog/small.jpg"), &picture(80, 60, 11));
    let report = report(root.path());
    assert_eq!(files(&report, "test-in-train"), [["test/cat/copy.png", "train/cat/0.png"]]);
    assert_eq!(files(&report, "labels-differ"), [["train/cat/1.png", "train/dog/copy.png"]]);
    assert_eq!(files(&report, "copies"), [["train/dog/0.png", "train/dog/again.png"]]);
    assert_eq!(files(&report, "near-test-in-train"), [["test/dog/small.jpg", "train/dog/1.png"]]);
    assert_eq!((report.count(Severity::Problem), report.count(Severity::Warning)), (2, 1));
    assert!(report.findings.is_sorted_by_key(|finding| finding.severity));
}

#[test]
fn an_exact_copy_is_not_a_near_one_too() {
    let root = sound();
    fs::copy(root.path().join("train/cat/0.png"), root.path().join("test/dog/x.png")).expect("copied");
    let report = report(root.path());
    let kinds: Vec<&str> = report.findings.iter().map(|finding| finding.kind).collect();
    assert_eq!(kinds, ["test-in-train", "labels-differ"]);
}

#[test]
fn files_that_are_no_images_are_told_apart() {
    let root = sound();
    let path = |name: &str| root.path().join(name);
    let whole = fs::read(path("train/cat/0.png")).expect("readable");
    fs::write(path("train/cat/cut.png"), &whole[..whole.len() / 2]).expect("written");
    fs::write(path("train/cat/empty.jpg"), b"").expect("written");
    fs::write(path("train/cat/really.jpg"), b"RIFF\x24\0\0\0WEBPVP8 ").expect("written");
    fs::write(path("train/cat/text.jpg"), b"hello").expect("written");
    fs::write(path("train/cat/photo.webp"), b"RIFF\x24\0\0\0WEBPVP8 ").expect("written");
    fs::write(path("train/cat/notes.TXT"), b"hello").expect("written");
    fs::write(path("train/cat/.DS_Store"), b"x").expect("written");
    picture(40, 30, 50).save_with_format(path("train/cat/png.jpg"), ImageFormat::Png).expect("written");
    picture(40, 30, 51).save_with_format(path("train/cat/unnamed"), ImageFormat::Png).expect("written");
    let report = report(root.path());
    let broken = report.findings.iter().find(|finding| finding.kind == "broken").expect("broken files");
    let reasons: Vec<&str> = broken.subjects.iter().filter_map(|subject| subject.detail.as_deref()).collect();
    assert_eq!(reasons[1..], ["it is WebP, by its content", "its content is no image"]);
    assert_eq!(files(&report, "broken"), [["train/cat/cut.png"], ["train/cat/really.jpg"], ["train/cat/text.jpg"]]);
    assert_eq!(files(&report, "empty"), [["train/cat/empty.jpg"]]);
    assert_eq!(files(&report, "other-format"), [["train/cat/photo.webp"]]);
    assert_eq!(files(&report, "without-ending"), [["train/cat/unnamed"]]);
    assert_eq!(files(&report, "misnamed"), [["train/cat/png.jpg"]]);
    assert_eq!(files(&report, "skipped"), [["train/cat/notes.TXT"]]);
    assert_eq!((report.hidden, report.skipped[".txt"], report.skipped[""]), (1, 1, 1));
    assert_eq!(severity(&report, "refused"), Some(Severity::Problem), "training says so too");
}

#[test]
fn classes_that_one_side_lacks_and_uneven_ones_are_named() {
    let root = sound();
    let path = |name: &str| root.path().join(name);
    fs::remove_dir_all(path("test/cat")).expect("removed");
    save(path("test/fox/0.png"), &picture(40, 30, 60));
    for image in 0..40 {
        save(path(&format!("train/dog/more{image}.png")), &picture(40, 30, 100 + image));
    }
    let report = report(root.path());
    assert_eq!(files(&report, "no-test-images"), [["cat"]]);
    assert_eq!(files(&report, "no-training-images"), [["fox"]]);
    assert_eq!(severity(&report, "unbalanced"), Some(Severity::Warning));
    let refused = report.findings.iter().find(|finding| finding.kind == "refused").expect("an unknown class");
    assert!(refused.message.contains("fox"), "{}", refused.message);
}

/// A JPEG image with this orientation in its EXIF data.
fn with_orientation(picture: &RgbImage, orientation: u8) -> Vec<u8> {
    let mut jpeg = Vec::new();
    let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, 95);
    encoder.write_image(picture, picture.width(), picture.height(), ExtendedColorType::Rgb8).expect("encoded");
    let mut exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
    let length = (exif.len() as u16 + 2).to_be_bytes();
    [&jpeg[..2], &[0xff, 0xe1], &length, &exif, &jpeg[2..]].concat()
}

#[test]
fn a_flat_folder_of_all_kinds_is_described() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| root.path().join(name);
    for (index, side) in [60, 64, 72, 80, 90].into_iter().enumerate() {
        save(path(&format!("a/{index}.jpg")), &picture(side, side + 10, index as u32));
    }
    for orientation in 1..=8 {
        let name = path(&format!("a/turned{orientation}.jpg"));
        fs::write(name, with_orientation(&picture(48, 64, 20 + u32::from(orientation)), orientation)).expect("written");
    }
    save(path("b/dot.png"), &picture(1, 1, 0));
    image::imageops::grayscale(&picture(50, 50, 30)).save(path("b/gray.png")).expect("saved");
    RgbaImage::from_fn(50, 50, |x, y| image::Rgba([x as u8 * 5, y as u8 * 5, 9, 128]))
        .save(path("b/alpha.png"))
        .expect("saved");
    let deep = image::ImageBuffer::<Rgb<u16>, _>::from_fn(50, 50, |x, y| Rgb([x as u16 * 900, y as u16 * 1200, 7]));
    deep.save(path("b/deep.png")).expect("saved");
    // An album in a folder: these are no class folders.
    fs::create_dir(path("a/album")).expect("made");
    let report = report(root.path());
    assert_eq!((report.layout, report.images, report.turned), (Layout::Flat, 17, 7));
    assert_eq!(report.colors, Colors { gray: 1, rgb: 16, alpha: 1, more_than_8_bits: 1 });
    assert_eq!(files(&report, "tiny"), [["b/dot.png"]]);
    assert_eq!(files(&report, "gray-among-colours"), [["b/gray.png"]]);
    assert_eq!(files(&report, "turned").len(), 7);
    assert_eq!(severity(&report, "no-classes"), Some(Severity::Note));
    assert_eq!(report.sizes.expect("images").height[0], 1);
    assert_eq!(report.defaults.expect("images").train, None, "there is no label");
}

/// As training reads it.
#[test]
fn a_folder_a_class_has_labels_without_train_and_test() {
    let root = tempfile::tempdir().expect("a temporary folder");
    for (class, count) in [("cat", 6), ("dog", 5), ("unlabeled", 3)] {
        fs::create_dir(root.path().join(class)).expect("made");
        for index in 0..count {
            save(root.path().join(class).join(format!("{index}.png")), &picture(40, 30, 9 * index + count));
        }
    }
    let report = report(root.path());
    assert_eq!((report.layout, report.images), (Layout::ClassFolders, 14));
    assert!(report.defaults.expect("images").train.is_some(), "there are labels");
    assert_eq!(severity(&report, "no-test-set"), Some(Severity::Warning));
    assert_eq!(severity(&report, "refused"), None);
}

#[test]
#[cfg(unix)]
fn odd_names_circles_pipes_and_broken_links_are_findings() {
    use std::os::unix::ffi::OsStrExt;
    let root = sound();
    let odd = PathBuf::from(std::ffi::OsStr::from_bytes(b"odd\xff\n.png"));
    save(root.path().join("train/cat").join(odd), &picture(40, 30, 70));
    std::os::unix::fs::symlink("nowhere", root.path().join("train/cat/link.png")).expect("linked");
    let checked = report(root.path());
    assert_eq!(files(&checked, "unreadable"), [["train/cat/link.png"]]);
    assert_eq!(checked.train, 10);
    std::os::unix::fs::symlink(root.path().join("train/dog"), root.path().join("train/dog/up")).expect("linked");
    let checked = report(root.path());
    assert_eq!(files(&checked, "circle")[0], ["train/dog/up"]);
    let said = severity(&checked, "refused");
    assert_eq!(said, Some(Severity::Problem));
    let names: Vec<String> =
        checked.findings.iter().flat_map(|f| f.subjects.iter().flat_map(|s| s.files.clone())).collect();
    assert!(names.iter().all(|name| !name.contains('\n')));
}

#[test]
fn folders_that_training_refuses_are_problems_and_none_is_an_error() {
    let root = tempfile::tempdir().expect("a temporary folder");
    assert_eq!(severity(&report(root.path()), "refused"), Some(Severity::Problem), "empty");
    let error = Report::of(&root.path().join("none")).expect_err("no folder").to_string();
    assert!(error.contains("none"), "{error}");
    fs::create_dir_all(root.path().join("train/cat")).expect("made");
    let checked = report(root.path());
    assert_eq!(files(&checked, "empty-class").len() + usize::from(checked.images > 0), 0, "nothing but a problem");
    assert_eq!(severity(&checked, "refused"), Some(Severity::Problem));
    save(root.path().join("train/0.png"), &picture(40, 30, 0));
    assert_eq!(files(&report(root.path()), "misplaced"), [["train/0.png"]]);
}

/// An IDX folder of images of 2×2 pixels: a label and a pixel value each.
fn idx(root: &Path, train: &[(u8, u8)], test: &[(u8, u8)]) {
    for (name, images) in [("train", train), ("t10k", test)] {
        let count = (images.len() as u32).to_be_bytes();
        let pixels: Vec<u8> = images.iter().flat_map(|&(_, value)| [value, 0, 0, 255]).collect();
        let head = [[0, 0, 8, 3], count, [0, 0, 0, 2], [0, 0, 0, 2]].concat();
        fs::write(root.join(format!("{name}-images-idx3-ubyte")), [head, pixels].concat()).expect("written");
        let labels: Vec<u8> = images.iter().map(|&(label, _)| label).collect();
        let head = [[0, 0, 8, 1], count].concat();
        fs::write(root.join(format!("{name}-labels-idx1-ubyte")), [head, labels].concat()).expect("written");
    }
}

#[test]
fn idx_files_are_checked_by_their_pixels() {
    let root = tempfile::tempdir().expect("a temporary folder");
    idx(root.path(), &[(0, 10), (1, 20), (0, 30), (0, 30), (1, 40), (0, 40)], &[(0, 50), (1, 20)]);
    let checked = report(root.path());
    assert_eq!((checked.layout, checked.train, checked.test), (Layout::Idx, 6, 2));
    assert_eq!(files(&checked, "test-in-train"), [["test 1", "train 1"]]);
    assert_eq!(files(&checked, "labels-differ"), [["train 4", "train 5"]]);
    assert_eq!(files(&checked, "copies"), [["train 2", "train 3"]]);
    fs::write(root.path().join("train-labels-idx1-ubyte"), b"x").expect("written");
    assert_eq!(severity(&report(root.path()), "refused"), Some(Severity::Problem));
}

#[test]
fn exit_codes_say_problem_or_not() {
    let code = |problems, warnings, strict| Verdict { problems, warnings, strict }.exit_code();
    assert_eq!([code(0, 0, true), code(0, 2, false), code(0, 2, true), code(1, 0, false)], [0, 0, 1, 1]);
}
