//! A stranger's folder of photos through every command: sizes, a broken file, a grey one, one pixel, odd names, EXIF.

use std::fs;
use std::path::{Path, PathBuf};

use image::{DynamicImage, GrayImage, Luma, Rgb, RgbImage};

use crate::program::{failure, path, pretrain, recipe, run, slowburn, success, summary, train};

const SIZES: [(u32, u32); 5] = [(40, 30), (30, 40), (64, 48), (90, 60), (33, 33)];

/// A warm or a cold photo, half of which is brighter: the classes.
fn photo(index: usize, (width, height): (u32, u32)) -> RgbImage {
    let warm = index.is_multiple_of(2);
    RgbImage::from_fn(width, height, |x, y| {
        let shade = (60 + (x * 31 + y * 17 + index as u32 * 7) % 50) as u8;
        Rgb(if warm { [230 - shade / 2, 80, shade] } else { [shade, 90, 220 - shade / 2] })
    })
}

/// What a camera stores that was held so that the EXIF orientation is this: a JPEG with that in its APP1 segment.
fn turned(file: &Path, upright: RgbImage, orientation: u8) {
    let mut stored = DynamicImage::from(upright);
    // A quarter turn is undone by the other one; all else by itself.
    let back = [0, 1, 2, 3, 4, 5, 8, 7, 6][usize::from(orientation)];
    stored.apply_orientation(image::metadata::Orientation::from_exif(back).expect("1 to 8"));
    let mut encoded = std::io::Cursor::new(Vec::new());
    stored.write_to(&mut encoded, image::ImageFormat::Jpeg).expect("encoded");
    let encoded = encoded.into_inner();
    let head = b"\xff\xe1\0\x22Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".as_slice();
    let segment = [head, &[orientation, 0, 0, 0, 0, 0, 0]].concat();
    fs::write(file, [&encoded[..2], &segment, &encoded[2..]].concat()).expect("written");
}

/// `count` whole photos and, where `odd`, those that make programs stumble. Labels of ten are beside it.
fn folder(count: usize, odd: bool) -> (tempfile::TempDir, PathBuf) {
    let outer = tempfile::tempdir().expect("a temporary folder");
    let photos = outer.path().join("photos");
    fs::create_dir_all(photos.join("more")).expect("made");
    let mut labels = "filename,label\n".to_owned();
    for index in 0..count {
        let name = if index % 3 == 0 { format!("more/p {index:03}.jpg") } else { format!("p{index:03}.jpg") };
        photo(index, SIZES[index % 5]).save(photos.join(&name)).expect("written");
        if index < 10 {
            labels += &format!("{name},{}\n", if index % 2 == 0 { "warm" } else { "cold" });
        }
    }
    fs::write(outer.path().join("labels.csv"), labels).expect("written");
    if odd {
        fs::write(photos.join("broken.jpg"), [0xff, 0xd8, 0xff, 0xe0, 1, 2]).expect("written");
        GrayImage::from_pixel(30, 20, Luma([77])).save(photos.join("grey.jpg")).expect("written");
        RgbImage::from_pixel(1, 1, Rgb([1, 2, 3])).save(photos.join("tiny.jpg")).expect("written");
        for orientation in 1..=8 {
            turned(&photos.join(format!("turned{orientation}.jpg")), photo(0, (40, 30)), orientation);
        }
        odd_name(&photos);
    }
    (outer, photos)
}

#[cfg(unix)]
fn odd_name(photos: &Path) {
    use std::os::unix::ffi::OsStrExt;
    let name = std::ffi::OsStr::from_bytes(b"p\xff.jpg");
    photo(1, (50, 50)).save_with_format(photos.join(name), image::ImageFormat::Jpeg).expect("written");
}

#[cfg(not(unix))]
fn odd_name(_photos: &Path) {}

/// Rows of a table by the first column.
fn rows(text: &str) -> std::collections::BTreeMap<String, Vec<String>> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let fields = |row: csv::StringRecord| row.iter().map(str::to_owned).collect::<Vec<_>>();
    reader.records().map(|row| fields(row.expect("CSV"))).map(|row| (row[0].clone(), row)).collect()
}

#[test]
fn photos_without_labels_are_pre_trained_on_and_used() {
    let (outer, photos) = folder(60, true);
    let out = outer.path().join("run");
    let line = ["--plain", "--data", path(&photos), "--out", path(&out), "--epochs", "1", "--size", "32"];
    let printed = success(slowburn("pretrain", &line));
    assert!(printed.contains("no scores") && printed.contains("chosen for 72 images"), "{printed}");
    assert!(printed.contains("1 file could not be decoded and was left out"), "{printed}");
    let recipe = recipe(&out);
    assert_eq!((&recipe["reading"]["exif"], &recipe["views"]["name"]), (&"apply".into(), &"moco_v2".into()));
    assert!(summary(&out)["knn_accuracy"].is_null() && summary(&out)["effective_rank"].is_number());

    // Features do not depend on batch and threads.
    let embed = |name: &str, flags: &[&str]| {
        let file = outer.path().join(name);
        success(slowburn("embed", &[&[path(&out), path(&photos), "--out", path(&file)], flags].concat()));
        fs::read_to_string(file).expect("text")
    };
    let features = embed("a.csv", &[]);
    assert_eq!(features, embed("b.csv", &["--batch", "7", "--threads", "1"]), "the same bits");
    let found = rows(&features);
    assert_eq!(found.len(), 71, "all but the broken one");
    if cfg!(unix) {
        assert!(found.contains_key("p\\xff.jpg"), "names that are no UTF-8 are written with escapes");
    }
    // Photos are turned: JPEG's losses are small beside what a quarter turn would change.
    let feature = |name: &str| -> Vec<f32> { found[name][1..].iter().map(|v| v.parse().expect("a number")).collect() };
    let distance = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f32>();
    let upright = feature("turned1.jpg");
    let other = distance(&upright, &feature("p001.jpg"));
    for orientation in 2..=8 {
        let turned = distance(&upright, &feature(&format!("turned{orientation}.jpg")));
        assert!(turned < 0.2 * other, "orientation {orientation}: {turned}, another photo {other}");
    }

    let sheet = outer.path().join("alike.png");
    let line = [path(&out), path(&photos), "--neighbours", "3", "--sheet", path(&sheet), "--queries", "5"];
    success(slowburn("embed", &line));
    assert!(image::open(&sheet).expect("a picture").width() > 300);
    let listed = success(slowburn("embed", &[path(&out), path(&photos), "--neighbours", "2"]));
    assert_eq!(listed.lines().count(), 1 + 2 * 71);
    let said = failure(slowburn("predict", &[path(&out), path(&photos)]));
    assert!(said.contains("has no classifier") && said.contains("train --from"), "{said}");
}

#[test]
fn few_labels_lead_to_predictions_suggestions_and_more_labels() {
    let (outer, photos) = folder(60, true);
    let (out, labels) = (outer.path().join("run"), outer.path().join("labels.csv"));
    let line = ["--plain", "--data", path(&photos), "--labels", path(&labels), "--size", "32"];
    let printed = success(train(&[&line[..], &["--out", path(&out), "--epochs", "8", "--no-baseline"]].concat()));
    assert!(printed.contains("no accuracy: there are no test images"), "{printed}");
    assert_eq!(recipe(&out)["classes"], serde_json::json!(["cold", "warm"]));

    let predict = |flags: &[&str]| success(slowburn("predict", &[&[path(&out), path(&photos)], flags].concat()));
    let predicted = predict(&[]);
    assert_eq!(predicted, predict(&["--batch", "5", "--threads", "1"]), "the same bits");
    let found = rows(&predicted);
    assert_eq!(found.len(), 71);
    let right = (0..60).filter(|index| {
        let name = if index % 3 == 0 { format!("more/p {index:03}.jpg") } else { format!("p{index:03}.jpg") };
        found[&name][2] == if index % 2 == 0 { "warm" } else { "cold" }
    });
    assert!(right.count() > 50, "colours tell the classes apart\n{predicted}");
    assert_eq!(predict(&["--format", "jsonl"]).lines().count(), 71);

    // What is sure becomes labels to train with.
    let sure = outer.path().join("sure.csv");
    predict(&["--labels-above", "0.6", "--out", path(&sure)]);
    let more = outer.path().join("more");
    let line = ["--plain", "--data", path(&photos), "--labels", path(&sure), "--from", path(&out), "--size", "32"];
    success(train(&[&line[..], &["--out", path(&more), "--epochs", "1", "--method", "supervised"]].concat()));

    // Accuracy and confusion where labels are known.
    let (matrix, table) = (outer.path().join("confusion.png"), outer.path().join("all.csv"));
    let known = ["--labels", path(&labels), "--confusion", path(&matrix), "--out", path(&table)];
    let said = predict(&known);
    assert!(said.starts_with("accuracy ") && said.contains("of 10 images"), "{said}");
    image::open(&matrix).expect("a picture");

    let sheet = outer.path().join("next.png");
    let line = [path(&out), path(&photos), "--labels", path(&labels), "--count", "6", "--sheet", path(&sheet)];
    for by in [&[][..], &["--by", "typical"], &["--by", "uncertain"]] {
        let suggested = rows(&success(slowburn("suggest", &[&line[..], by].concat())));
        assert_eq!(suggested.len(), 6, "{by:?}");
        let known = fs::read_to_string(&labels).expect("labels");
        assert!(suggested.keys().all(|name| !known.contains(&format!("{name},"))), "{by:?}: {suggested:?}");
        image::open(&sheet).expect("a picture");
    }
}

#[test]
fn labels_are_asked_what_they_mean_before_anything_is_trained() {
    let (outer, photos) = folder(40, false);
    let out = outer.path().join("run");
    let labels = |name: &str, of: &dyn Fn(usize) -> &'static str, count: usize| {
        let file = outer.path().join(name);
        let known: Vec<_> =
            fs::read_to_string(outer.path().join("labels.csv")).expect("labels").lines().map(str::to_owned).collect();
        let mut text = "filename,label\n".to_owned();
        for (index, line) in known[1..].iter().take(count).enumerate() {
            text += &format!("{},{}\n", line.split(',').next().expect("a name"), of(index));
        }
        fs::write(&file, text).expect("written");
        file
    };
    let with = |labels: &Path, flags: &[&str]| {
        let line = ["--plain", "--data", path(&photos), "--labels", path(labels), "--size", "32", "--epochs", "0.2"];
        train(&[&line[..], flags].concat())
    };
    let one = labels("one.csv", &|_| "horse", 5);
    let said = failure(with(&one, &["--out", path(&out)]));
    assert!(said.contains("one class only, horse"), "{said}");
    let two = labels("two.csv", &|index| if index % 2 == 0 { "fire engine" } else { "boat" }, 10);
    let said = failure(with(&two, &["--out", path(&out), "--batch", "41"]));
    assert!(said.contains("--batch is 41, but there are 40"), "{said}");
    let said = failure(with(&two, &["--out", path(&out), "--from", path(&out), "--compare-scratch"]));
    assert!(said.contains("does not exist"), "{said}");
    assert!(!out.exists(), "nothing is left behind");

    // What a run writes is read back, with classes of several words.
    success(with(&two, &["--out", path(&out)]));
    assert_eq!(recipe(&out)["baseline"], false, "nothing is compared where nothing is scored");
    let again = outer.path().join("again");
    success(with(&out.join("labels.txt"), &["--out", path(&again)]));
    assert_eq!(recipe(&again)["classes"], serde_json::json!(["boat", "fire engine"]));
    let said =
        failure(with(&two, &["--out", path(&outer.path().join("c")), "--from", path(&out), "--compare-scratch"]));
    assert!(said.contains("nothing to compare by"), "{said}");
    let output = run(slowburn("train", &["--resume", path(&outer.path().join("none"))]));
    assert!(String::from_utf8_lossy(&output.stderr).contains("holds no run"));
    let said = failure(slowburn("pretrain", &["--resume", path(&out)]));
    assert!(said.contains("is a run of `slowburn train`"), "{said}");

    // Labels that are known are kept, those that the network is sure of come on top.
    let more = outer.path().join("more.txt");
    let line = [path(&out), path(&photos), "--labels", path(&two), "--labels-above", "0", "--out", path(&more)];
    let output = run(slowburn("predict", &line));
    assert!(String::from_utf8_lossy(&output.stderr).contains("30 labels from 30 images without one"), "{output:?}");
    let text = fs::read_to_string(&more).expect("labels");
    assert_eq!(text.lines().count(), 40);
    assert!(text.contains("more/p 000.jpg\tfire engine"), "{text}");
}

/// Six photos are too few for anything, and no reason to fall over.
#[test]
fn six_photos_are_enough_to_run() {
    let (outer, photos) = folder(6, false);
    let (out, labels) = (outer.path().join("run"), outer.path().join("labels.csv"));
    let data = ["--plain", "--data", path(&photos), "--size", "32", "--epochs", "2"];
    success(slowburn("pretrain", &[&data[..], &["--out", path(&out)]].concat()));
    let few = outer.path().join("few");
    success(train(&[&data[..], &["--labels", path(&labels), "--out", path(&few)]].concat()));
    let settings = success(slowburn("train", &[&data[..], &["--labels", path(&labels), "--dry-run"]].concat()));
    for (setting, value) in [("network.arch", "resnet10-quarter"), ("network.whiten_patches", "false")] {
        let line = settings.lines().find(|line| line.starts_with(setting)).expect("a line for each setting");
        assert_eq!(line.split_whitespace().nth(1), Some(value), "{line}");
    }
    let suggested = success(slowburn("suggest", &[path(&out), path(&photos), "--count", "20"]));
    assert_eq!(rows(&suggested).len(), 6);
}

#[test]
fn photos_of_several_sizes_in_class_folders_have_scores() {
    let outer = tempfile::tempdir().expect("a temporary folder");
    for (part, count) in [("train", 40), ("test", 20)] {
        for index in 0..count {
            let class = outer.path().join(part).join(if index % 2 == 0 { "warm" } else { "cold" });
            fs::create_dir_all(&class).expect("made");
            photo(index, SIZES[index % 5]).save(class.join(format!("{index}.png"))).expect("written");
        }
    }
    let out = outer.path().join("run");
    let line = ["--plain", "--data", path(outer.path()), "--labels", "10", "--size", "32", "--epochs", "4"];
    success(train(&[&line[..], &["--out", path(&out), "--patience", "3"]].concat()));
    let whole = summary(&out);
    let teacher = whole["teacher_accuracy"].as_f64().expect("there are test images");
    assert!(whole["validation_accuracy"].is_number() && whole["best_epoch"].is_number(), "{whole}");

    // Predictions of the test images are those that the run was scored by: classes are the names of folders.
    let table = outer.path().join("all.csv");
    let test = outer.path().join("test");
    let said = success(slowburn("predict", &[path(&out), path(&test), "--out", path(&table)]));
    assert!(said.contains(&format!("accuracy {:.2} %", 100.0 * teacher)), "{said}, {teacher}");
}

#[test]
fn check_finds_what_is_wrong_and_says_so_to_scripts() {
    let (outer, photos) = folder(6, true);
    let output = run(slowburn("check", &[path(&photos)]));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("broken.jpg"), "{said}");
    assert_eq!(output.status.code(), Some(1), "{said}");
    let json = run(slowburn("check", &[path(&photos), "--json"])).stdout;
    assert!(serde_json::from_slice::<serde_json::Value>(&json).is_ok());
    let whole = outer.path().join("whole");
    fs::create_dir(&whole).expect("made");
    for index in 0..6 {
        photo(index, SIZES[index % 5]).save(whole.join(format!("{index}.png"))).expect("written");
    }
    assert_eq!(run(slowburn("check", &[path(&whole)])).status.code(), Some(0));
}

/// A budget of time decides the number of steps; the run then has a length like any other.
#[test]
fn a_time_becomes_a_number_of_steps() {
    let (outer, photos) = folder(20, false);
    let out = outer.path().join("run");
    let mut command = pretrain(&photos, &["--size", "32", "--time", "1s", "--out", path(&out)]);
    command.args(["--queue", "4", "--batch", "4"]);
    let printed = success(command);
    assert!(printed.contains("time") && printed.contains("flag"), "{printed}");
    let steps = recipe(&out)["length"]["steps"].as_u64().expect("steps");
    assert_eq!(summary(&out)["steps"].as_u64(), Some(steps));
    success(slowburn("pretrain", &["--plain", "--resume", path(&out)]));
}
