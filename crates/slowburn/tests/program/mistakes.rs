//! What strangers do that is easily taken wrong: albums for classes, sizes that fit nothing, flags that say nothing.

use std::fs;
use std::path::Path;

use image::{Rgb, RgbImage};

use crate::program::{failure, path, recipe, slowburn, success, train};

/// Twelve photos in folders of these names, and a label file that calls every other one a cat.
fn albums(names: [&str; 2], broken: bool) -> tempfile::TempDir {
    let outer = tempfile::tempdir().expect("a temporary folder");
    let mut labels = "filename,label\r\n".to_owned();
    for index in 0..12_u32 {
        let (album, class) = (names[index as usize % 2], if index % 4 < 2 { "cat" } else { "dog" });
        let place = outer.path().join("photos").join(album);
        fs::create_dir_all(&place).expect("made");
        let photo = RgbImage::from_fn(30 + index, 40, |x, y| Rgb([(x * 7) as u8, (y * 5) as u8, index as u8 * 20]));
        photo.save(place.join(format!("p{index}.png"))).expect("written");
        labels += &format!("{album}/p{index}.png,{class}\r\n");
    }
    fs::write(outer.path().join("labels.csv"), labels).expect("written");
    if broken {
        fs::write(outer.path().join("photos").join(names[0]).join("a.png"), b"no picture").expect("written");
    }
    outer
}

fn files(outer: &Path) -> [std::path::PathBuf; 3] {
    [outer.join("photos"), outer.join("labels.csv"), outer.join("run")]
}

#[test]
fn folders_of_which_the_label_file_knows_none_are_no_classes() {
    let outer = albums(["2023", "2024"], false);
    let [photos, labels, out] = files(outer.path());
    let line = ["--plain", "--data", path(&photos), "--labels", path(&labels), "--size", "16", "--no-baseline"];
    success(train(&[&line[..], &["--out", path(&out), "--epochs", "1"]].concat()));
    assert_eq!(recipe(&out)["classes"], serde_json::json!(["cat", "dog"]));
    // Where it knows one, a name that it does not know is a slip.
    let outer = albums(["cat", "bird"], false);
    let [photos, labels, _] = files(outer.path());
    let said = failure(train(&["--data", path(&photos), "--labels", path(&labels), "--dry-run"]));
    // The header is line 1, whatever ends lines.
    assert!(said.contains(":4: \"dog\" is no class"), "{said}");
}

#[test]
fn sizes_that_nothing_follows_or_no_network_takes_are_refused() {
    let outer = albums(["cat", "dog"], false);
    let [photos, _, out] = files(outer.path());
    let line = ["--data", path(&photos), "--out", path(&out)];
    for (flags, expected) in [
        (&["--size", "8"][..], "--arch small takes images of at least 9×9 pixels, and these are 8×8"),
        (&["--size", "48", "--recipe", "cifar10-afternoon"], "--size is 48, but the views"),
    ] {
        let said = failure(train(&[&line[..], flags].concat()));
        assert!(said.contains(expected), "{flags:?}: {said}");
        assert!(!out.exists(), "nothing is written");
    }
    let said = failure(slowburn("pretrain", &[&line[..], &["--size", "8"]].concat()));
    assert!(said.contains("at least 9×9"), "{said}");
    // On the shipped images, which are no photos.
    let said = failure(train(&["--size", "48", "--dry-run"]));
    assert!(said.contains("--size is 48, but the views"), "{said}");
}

#[test]
fn flags_that_say_nothing_to_a_method_are_refused() {
    for (method, flag) in [
        ("supervised", ["--weight", "3"]),
        ("supervised", ["--decay", "0.5"]),
        ("pi", ["--decay", "0.5"]),
        ("pi", ["--targets", "hard"]),
    ] {
        let said = failure(train(&["--method", method, flag[0], flag[1]]));
        assert!(said.contains(&format!("{} says nothing to {method}", flag[0])), "{said}");
    }
    let said = failure(train(&["--method", "fixmatch", "--labeled-batch", "64", "--batch", "64"]));
    assert!(said.contains("--labeled-batch is 64, which is all of --batch: fixmatch learns"), "{said}");
    let said = failure(slowburn("train", &["--resume", "run", "--dry-run"]));
    assert!(said.contains("--dry-run") && said.contains("--resume"), "{said}");
    let said = failure(slowburn("pretrain", &["--recipe", "cifar10-4000", "--data", "photos"]));
    assert!(said.contains("`cifar10-4000` is a recipe of `slowburn train`"), "{said}");
}

#[test]
fn numbers_that_nothing_can_follow_are_refused_by_their_flag() {
    for (flags, expected) in [
        (&["--pretrain=-1"][..], "--pretrain is -1: it must be at least 0"),
        (&["--ramp-up=-6"], "--ramp-up"),
        (
            &["--method", "fixmatch", "--arch", "resnet9-quarter", "--dropout", "0.5"],
            "--dropout is 0.5, which says nothing",
        ),
        (&["--arch", "resnet18", "--input-noise", "0.1"], "--input-noise is 0.1, which says nothing to resnet18"),
        (&["--batch", "2305843009213693952"], "--batch is 2305843009213693952, but there are 10000"),
    ] {
        let said = failure(train(&[flags, &["--dry-run"]].concat()));
        assert!(said.contains(expected), "{flags:?}: {said}");
    }
    for (patch, expected) in [
        ("64", "--mask-patch is 64: it must be at most the side of a view, and views are 28×28"),
        ("28", "--mask is 0.3, which is 0 of the 1 patches"),
    ] {
        let line = ["--method", "moco", "--mask", "0.3", "--mask-patch", patch, "--dry-run"];
        let said = failure(slowburn("pretrain", &line));
        assert!(said.contains(expected), "{said}");
    }
    let line = ["run", "photos", "--labels-above", "0.9", "--format", "jsonl"];
    let said = failure(slowburn("predict", &line));
    assert!(said.contains("--labels-above writes a label file"), "{said}");
}

#[test]
fn a_run_does_not_go_on_with_another_label_file() {
    let outer = albums(["2023", "2024"], false);
    let [photos, labels, out] = files(outer.path());
    let line = ["--plain", "--data", path(&photos), "--labels", path(&labels), "--size", "16", "--no-baseline"];
    success(train(&[&line[..], &["--out", path(&out), "--epochs", "1"]].concat()));
    let again = || train(&["--plain", "--resume", path(&out)]);
    success(again());
    let table = fs::read_to_string(&labels).expect("written");
    fs::write(&labels, table.replacen(",cat", ",dog", 1)).expect("written");
    let said = failure(again());
    assert!(said.contains("labels.csv: its labels are not those that the run in"), "{said}");
    // Another order of the lines is the same labels.
    let mut lines: Vec<&str> = table.lines().collect();
    lines[1..].reverse();
    fs::write(&labels, lines.join("\n")).expect("written");
    success(again());
}

#[test]
fn an_empty_class_folder_is_a_problem_and_not_a_flat_folder() {
    let outer = albums(["cat", "dog"], false);
    let [photos, ..] = files(outer.path());
    fs::create_dir(photos.join("empty")).expect("made");
    let said = slowburn("check", &[path(&photos)]).output().expect("run");
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(!said.contains("flat folder") && said.contains("empty"), "{said}");
    assert!(!said.contains(" 0 problems"), "{said}");
}

#[test]
fn a_broken_photo_is_left_out_of_a_contact_sheet() {
    let outer = albums(["cat", "dog"], true);
    let [photos, _, _] = files(outer.path());
    let sheet = outer.path().join("sheet.png");
    let line = ["--limit", "100", "--out", path(&sheet), path(&photos)];
    let printed = success(slowburn("views", &line));
    assert!(printed.contains("12 images"), "{printed}");
    let said = failure(slowburn("views", &[&["--broken", "stop"][..], &line].concat()));
    assert!(said.contains("a.png"), "{said}");
}
