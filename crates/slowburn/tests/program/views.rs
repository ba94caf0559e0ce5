//! The contact sheet, from the command line to the picture.

use std::fs;
use std::path::Path;

use image::{ImageBuffer, Rgb};
use slowburn_augment::presets::Preset;
use slowburn_augment::{Image, ImageSize, Pipeline, View};

use crate::program::{failure, path, slowburn, success};

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::create_dir(folder.path().join("deep")).expect("made");
    for (name, width) in [("a.png", 32), ("b.jpg", 48), ("deep/c.png", 40)] {
        let picture = ImageBuffer::from_fn(width, 32, |x, y| Rgb([(x * 5) as u8, (y * 7) as u8, 90]));
        picture.save(folder.path().join(name)).expect("written");
    }
    folder
}

#[test]
fn a_folder_becomes_a_sheet_whose_views_can_be_replayed() {
    let folder = folder();
    let (sheet, json) = (folder.path().join("out.png"), folder.path().join("out.json"));
    let arguments = ["--preset", "mean_teacher_cifar", "--views", "3", "--seed", "7", "--epoch", "2", "--limit", "2"];
    let files = ["--out", path(&sheet), "--json", path(&json), path(folder.path())];
    let printed = success(slowburn("views", &[&arguments[..], &files].concat()));
    assert!(printed.contains("mean_teacher_cifar:") && printed.contains("2 images with 3 views each"), "{printed}");
    let picture = image::open(&sheet).expect("a picture").into_rgb8();
    assert!(picture.width() > 4 * 192 && picture.height() > 2 * 192);
    // The first original begins below the title, which takes as many lines as it needs.
    assert!((28..100).any(|y| picture.get_pixel(12, y).0 == [0, 0, 90]), "no original at the left");

    let replay: serde_json::Value = serde_json::from_slice(&fs::read(&json).expect("written")).expect("JSON");
    let pipeline: Pipeline = serde_json::from_value(replay["pipeline"].clone()).expect("a pipeline");
    let stored = &replay["images"][1];
    assert!(stored["path"].as_str().is_some_and(|path| path.ends_with("b.jpg")));
    let size = ImageSize::new(32, 48, 3);
    let view: View = serde_json::from_value(stored["views"][2].clone()).expect("a view");
    assert_eq!((view.key.seed, view.key.epoch, view.key.sample, view.key.view), (7, 2, 1, 2));
    assert_eq!(pipeline.draw(view.key, size).expect("it fits"), view);
    let pixels = vec![0; size.values()];
    let mut values = vec![0.0; pipeline.output_size(size).values()];
    pipeline.apply(&view, Image::new(size, &pixels).expect("whole"), &mut values).expect("it can be applied");

    // The stored pipeline gives the same picture.
    let (stored, again) = (folder.path().join("pipeline.json"), folder.path().join("again.png"));
    fs::write(&stored, replay["pipeline"].to_string()).expect("written");
    let files = ["--pipeline", path(&stored), "--out", path(&again)];
    fs::remove_file(&sheet).expect("removed");
    let arguments = ["--views", "3", "--seed", "7", "--epoch", "2", "--limit", "2", path(folder.path())];
    success(slowburn("views", &[&arguments[..], &files].concat()));
    assert!(image::open(&again).expect("a picture").into_rgb8() == picture);
}

#[test]
fn presets_are_listed() {
    let printed = success(slowburn("views", &["--list"]));
    assert!(printed.contains("fashion: translate by up to 2 px; flip"), "{printed}");
    let listed: Vec<&str> = printed.lines().filter_map(|line| line.split(':').next()).collect();
    assert_eq!(listed, Preset::ALL.map(|preset| preset.name()));
}

#[test]
fn what_is_wrong_is_named() {
    let folder = folder();
    let image = folder.path().join("a.png");
    let wrong = |arguments: &[&str]| failure(slowburn("views", &[arguments, &["--out", "/dev/null"]].concat()));
    let has = |message: String, parts: &[&str]| {
        for part in parts {
            assert!(message.contains(part), "{part} is not in {message}");
        }
    };
    has(wrong(&["--preset", "moco_v9", path(&image)]), &["moco_v9", "allowed", "fashion"]);
    has(wrong(&["--preset", "usb_weak_svhn", "--size", "0", path(&image)]), &["0", "1..=4096"]);
    has(wrong(&["--preset", "usb_weak_svhn", "--size", "64", path(&image)]), &["usb_weak_svhn", "64"]);
    has(wrong(&["--views", "0", path(&image)]), &["1..=32"]);
    has(wrong(&[path(&folder.path().join("none.png"))]), &["none.png does not exist"]);
    has(wrong(&[]), &["IMAGES"]);
    has(wrong(&["--preset", "fashion", path(&image)]), &["a.png", "channels"]);
    let text = folder.path().join("text.png");
    fs::write(&text, "no image").expect("written");
    has(wrong(&[path(&text)]), &["text.png", "neither JPEG nor PNG"]);
    has(wrong(&["--pipeline", path(&text), path(&image)]), &["text.png is no pipeline"]);
    let bad = folder.path().join("bad.json");
    let operations = r#"{"name": "bad", "operations": [{"horizontal_flip": {"probability": 2.0}}]}"#;
    fs::write(&bad, operations).expect("written");
    has(wrong(&["--pipeline", path(&bad), path(&image)]), &["bad.json", "probability", "[0, 1]"]);
    assert!(Path::new(&image).exists());
}
