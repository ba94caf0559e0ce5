//! What the program chooses for images and encoders, as `--write-config` and `--dry-run` show it before anything is trained.

use std::fs;
use std::path::Path;

use image::{DynamicImage, GrayImage, Luma};
use serde_json::{Value, json};

use crate::program::{path, pretrain, recipe, slowburn, speckled_folder, success};

/// Every setting of `train` with these flags.
fn settings(flags: &[&str]) -> Value {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("settings.json");
    success(slowburn("train", &[flags, &["--write-config", path(&file)]].concat()));
    serde_json::from_slice(&fs::read(&file).expect("written")).expect("JSON")
}

fn last(views: &Value) -> &Value {
    views["operations"].as_array().and_then(|list| list.last()).expect("a list")
}

/// The crop of a photo that is drawn, behind its rotation.
fn crop(views: &Value) -> &Value {
    &views["operations"][1]["random_resized_crop"]
}

/// Two classes of four images each.
fn grey(folder: &Path, side: u32) {
    for class in ["a", "b"] {
        fs::create_dir_all(folder.join(class)).expect("made");
        for number in 0..4 {
            let photo = GrayImage::from_fn(side, side, |x, y| Luma([(x * 3 + y * number) as u8]));
            photo.save(folder.join(class).join(format!("{number}.png"))).expect("written");
        }
    }
}

#[test]
fn a_broken_file_makes_no_photos_of_small_images() {
    let data = tempfile::tempdir().expect("a temporary folder");
    speckled_folder(data.path(), 40, 0, 8, true);
    let line = ["--data", path(data.path()), "--labels", "8", "--batch", "8"];
    let whole = settings(&line);
    fs::write(data.path().join("train/class0/0000.png"), "no picture").expect("written");
    let broken = settings(&line);
    for setting in ["views", "network", "optimizer"] {
        assert_eq!(broken[setting], whole[setting], "{setting}");
    }
    assert_eq!(whole["network"]["arch"], "resnet9-quarter");
}

#[test]
fn grey_photos_of_one_size_are_photos() {
    let data = tempfile::tempdir().expect("a temporary folder");
    grey(data.path(), 80);
    let line = ["--data", path(data.path()), "--labels", "2", "--batch", "4", "--size", "48"];
    let photos = settings(&line);
    assert_eq!(photos["network"]["arch"], "resnet10-quarter");
    assert_eq!(crop(&photos["views"])["height"], 48);
    let small = tempfile::tempdir().expect("a temporary folder");
    grey(small.path(), 28);
    let small = settings(&["--data", path(small.path()), "--labels", "2", "--batch", "4"]);
    assert_eq!((&small["views"]["name"], &small["network"]["arch"]), (&json!("fashion"), &json!("resnet9-quarter")));
}

/// Weak views and strong ones are of the size and the values that the encoder knows.
#[test]
fn strong_views_of_a_recipe_are_normalised_as_the_encoder_knows_it() {
    let data = tempfile::tempdir().expect("a temporary folder");
    speckled_folder(data.path(), 80, 0, 8, true);
    let line = ["--recipe", "cifar10-afternoon", "--data", path(data.path()), "--labels", "8", "--batch", "32"];
    let flags = [&line[..], &["--group", "8", "--pretrain", "1"]].concat();
    let (alone, before) = (settings(&line), settings(&flags));
    assert_eq!(last(&alone["strong_views"]), last(&alone["views"]));
    assert_eq!(last(&before["strong_views"]), last(&before["views"]));
    assert_ne!(last(&before["views"]), last(&alone["views"]), "pre-training has a normalisation of its own");
}

/// Pre-training normalises batches: weights of another normalisation would not fit, hours later.
#[test]
fn a_network_that_is_pre_trained_normalises_as_its_encoder() {
    let data = tempfile::tempdir().expect("a temporary folder");
    speckled_folder(data.path(), 80, 0, 8, true);
    let line = ["--recipe", "svhn-250", "--data", path(data.path()), "--labels", "8", "--batch", "32"];
    assert_eq!(settings(&line)["network"]["normalization"], "weight");
    let before = settings(&[&line[..], &["--labeled-batch", "1", "--pretrain", "1"]].concat());
    assert_eq!(before["network"]["normalization"], "batch");
    // Another network loses what it has no part for, where the recipe said it.
    let other = settings(&[&line[..], &["--arch", "resnet9-quarter"]].concat());
    assert_eq!(other["network"]["normalization"], "batch");
    assert_eq!((&other["network"]["dropout"], &other["network"]["input_noise"]), (&json!(0.0), &json!(0.0)));
}

#[test]
fn photos_are_cropped_before_they_are_shrunk_for_an_encoder_and_train_it_by_adam() {
    let data = tempfile::tempdir().expect("a temporary folder");
    let photos = data.path().join("photos");
    for class in ["a", "b"] {
        fs::create_dir_all(photos.join(class)).expect("made");
        for number in 0..10 {
            let photo = DynamicImage::new_rgb8(40 + number, 60);
            photo.save(photos.join(class).join(format!("{number}.png"))).expect("written");
        }
    }
    let run = data.path().join("run");
    let flags = ["--size", "16", "--epochs", "1", "--queue", "4", "--batch", "4", "--knn", "3", "--no-baseline"];
    success(pretrain(&photos, &[&flags[..], &["--arch", "small", "--out", path(&run)]].concat()));
    let line = ["--data", path(&photos), "--from", path(&run), "--labels", "4", "--batch", "8"];
    let tuned = settings(&line);
    assert_eq!(crop(&tuned["views"])["height"], 16);
    assert!(!tuned["views"].to_string().contains("\"resize\""), "{}", tuned["views"]);
    assert_eq!(tuned["network"]["arch"], "small");
    assert!(tuned["optimizer"]["algorithm"]["adam"].is_object(), "{}", tuned["optimizer"]);
}

#[test]
fn the_length_of_a_run_is_repeated_and_not_the_time_that_it_took() {
    let data = tempfile::tempdir().expect("a temporary folder");
    speckled_folder(data.path(), 40, 0, 8, true);
    let run = data.path().join("run");
    let small = ["--data", path(data.path()), "--labels", "8", "--batch", "8", "--arch", "small", "--no-baseline"];
    success(slowburn("train", &[&small[..], &["--time", "2s", "--plain", "--out", path(&run)]].concat()));
    let file = run.join("config.json");
    let again = settings(&["--config", path(&file)]);
    assert_eq!((&again["time"], &again["length"]), (&Value::Null, &recipe(&run)["length"]));
    // And a flag that says how long is said last.
    let timed = data.path().join("timed.json");
    fs::write(&timed, r#"{"time": 5.0}"#).expect("written");
    let flags = [&small[..], &["--config", path(&timed), "--epochs", "3"]].concat();
    assert_eq!(settings(&flags)["length"], json!({"epochs": 3.0}));
}
