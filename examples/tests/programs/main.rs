//! Every example runs, and what it prints makes sense.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use image::{GrayImage, Luma, Rgb, RgbImage};

/// Builds the examples, once for all tests, unless `cargo test` has just built them.
fn examples() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let test = std::env::current_exe().expect("a running test has a path");
        let profile = test.parent().and_then(Path::parent).expect("tests lie in <profile>/deps");
        let mut build = Command::new(env!("CARGO"));
        // The features of the whole workspace: those of one package alone would compile Burn a second time.
        build.args(["build", "--quiet", "--workspace", "--examples"]);
        if profile.ends_with("release") {
            build.arg("--release");
        }
        build.env("CARGO_TARGET_DIR", profile.parent().expect("a profile lies in the target folder"));
        assert!(build.status().expect("cargo starts").success(), "the examples build");
        profile.join("examples")
    })
}

/// Runs an example in a folder; what it printed, and what it wrote to standard error.
fn run(name: &str, arguments: &[&str], folder: &Path) -> Result<(String, String), String> {
    let mut command = Command::new(examples().join(name));
    let output = command.args(arguments).current_dir(folder).stdin(Stdio::null()).output().expect("it starts");
    let [printed, said] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).expect("text"));
    if output.status.success() { Ok((printed, said)) } else { Err(said) }
}

/// Runs an example that must end well, and returns what it printed.
fn printed(name: &str, arguments: &[&str], folder: &Path) -> String {
    run(name, arguments, folder).unwrap_or_else(|said| panic!("{name} failed: {said}")).0
}

/// Runs an example that must fail, and returns what it said.
fn failure(name: &str, arguments: &[&str], folder: &Path) -> String {
    match run(name, arguments, folder) {
        Ok((printed, _)) => panic!("{name} should have failed: {printed}"),
        Err(said) => said,
    }
}

/// The percentages of the line that begins like this.
fn percentages(printed: &str, begin: &str) -> Vec<f64> {
    let line = printed.lines().find(|line| line.trim_start().starts_with(begin));
    let line = line.unwrap_or_else(|| panic!("no line begins with {begin}:\n{printed}"));
    let words: Vec<&str> = line.split_whitespace().collect();
    words.windows(2).filter(|pair| pair[1] == "%").map(|pair| pair[0].parse().expect("a number")).collect()
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

#[test]
fn mean_teacher_trains_beside_the_labels_alone_and_goes_on_where_it_was() {
    let folder = folder();
    let first = printed("mean_teacher", &["0.2", "3"], folder.path());
    for name in ["labels alone", "student", "teacher"] {
        let accuracy = percentages(&first, name);
        assert!(accuracy.len() == 1 && (12.0..90.0).contains(&accuracy[0]), "better than a guess: {first}");
    }
    let run_folder = folder.path().join("runs/mean_teacher-3/mean-teacher");
    let labels = std::fs::read_to_string(run_folder.join("labels.txt")).expect("written");
    assert_eq!(labels.lines().count(), 100, "the labels that were used");
    assert!(run_folder.join("teacher.safetensors").exists());

    assert_eq!(printed("mean_teacher", &["0.2", "3"], folder.path()), first, "it is finished");
    let said = failure("mean_teacher", &["0.3", "3"], folder.path()); // another length is another run
    assert!(said.contains("length"), "{said}");
    let said = failure("mean_teacher", &["ten"], folder.path()); // no number
    assert!(said.contains("usage: mean_teacher [EPOCHS [SEED]]"), "{said}");
}

#[test]
fn moco_is_scored_beside_random_weights_and_fine_tune_begins_with_its_encoder() {
    let folder = folder();
    let said = failure("fine_tune", &["0.1"], folder.path()); // there is no encoder yet
    assert!(said.contains("run the example `moco`"), "{said}");

    let text = printed("moco", &["0.5"], folder.path());
    for (name, [knn, linear]) in [("MoCo", [60.0, 75.0]), ("random weights", [60.0, 75.0]), ("pixels", [77.0, 83.0])] {
        let accuracies = percentages(&text, name);
        assert!(accuracies.len() == 2 && accuracies[0] > knn && accuracies[1] > linear, "{name}: {text}");
    }
    assert!(text.contains("ln(4097) = 8.318"), "{text}");

    let text = printed("fine_tune", &["0.1"], folder.path());
    for name in ["labels alone", "Mean Teacher"] {
        let [scratch, pretrained] = percentages(&text, name)[..] else { panic!("two starts: {text}") };
        assert!(scratch > 12.0 && pretrained > 12.0 && scratch != pretrained, "{text}");
    }
}

#[test]
fn fixmatch_goes_on_from_an_encoder_that_was_trained_without_labels() {
    let folder = folder();
    let text = printed("pretrain_then_fixmatch", &["0.5", "3"], folder.path());
    let [random, pretrained] = ["random weights", "pre-trained"].map(|name| percentages(&text, name)[0]);
    assert!(random > 12.0 && pretrained > 12.0 && random != pretrained, "{text}");
    assert_eq!(printed("pretrain_then_fixmatch", &["0.5", "3"], folder.path()), text, "it is finished");
}

#[test]
fn a_network_of_ones_own_learns_both_ways() {
    let text = printed("own_network", &["0.3"], folder().path());
    assert!(percentages(&text, "without labels")[0] > 50.0, "{text}");
    assert!(percentages(&text, "with 100 labels")[0] > 15.0, "{text}");
}

/// Stripes from top to bottom where the number is even, else from side to side.
fn stripes(number: u32, x: u32, y: u32) -> u8 {
    let place = if number.is_multiple_of(2) { x } else { y };
    let stripe = if (place / 3).is_multiple_of(2) { 200 } else { 40 };
    (stripe + (number * 7 + x * y) % 40) as u8
}

#[test]
fn photos_of_ones_own_become_features_and_predictions() {
    let folder = folder();
    let photos = folder.path().join("photos/holiday");
    std::fs::create_dir_all(&photos).expect("made");
    let mut labels = "filename,label\n".to_owned();
    for number in 0..24 {
        let (width, height) = [(70, 50), (50, 70), (64, 64), (120, 40)][number as usize % 4];
        let shade = |x, y| stripes(number, x / 4, y / 4);
        let name = format!("p{number}.jpg");
        RgbImage::from_fn(width, height, |x, y| Rgb([shade(x, y), shade(x, y) / 2, 90]))
            .save(photos.join(&name))
            .expect("written");
        if number < 12 {
            labels += &format!("holiday/{name},{}\n", ["upright", "flat"][number as usize % 2]);
        }
    }
    std::fs::write(photos.join("broken.jpg"), "no photo").expect("written");
    std::fs::write(folder.path().join("labels.csv"), labels).expect("written");

    let text = printed("own_photos", &["photos", "labels.csv"], folder.path());
    assert!(text.contains("features of 24 photos, 1 left out") && text.contains("is the best"), "{text}");
    let run = folder.path().join("runs/own_photos");
    assert!(run.join("moco/features.safetensors").exists() && run.join("mean-teacher/teacher.safetensors").exists());
    let lines = std::fs::read_to_string(run.join("mean-teacher/predictions.jsonl")).expect("written");
    let predictions: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(predictions.len(), 24);
    for prediction in &predictions {
        assert!(prediction["photo"].as_str().is_some_and(|name| name.starts_with("holiday/p")), "{prediction}");
        assert!(["upright", "flat"].contains(&prediction["class"].as_str().expect("a name")), "{prediction}");
        assert!((0.5..=1.0).contains(&prediction["probability"].as_f64().expect("a number")), "{prediction}");
    }
    let said = failure("own_photos", &[], folder.path());
    assert!(said.contains("usage: own_photos PHOTOS [LABELS]"), "{said}");
}

#[test]
fn single_crates_hold_what_they_promise() {
    let text = printed("single_crates", &[], folder().path());
    for begin in ["average: ", "views: ", "queue: 4 keys"] {
        assert!(text.lines().any(|line| line.starts_with(begin)), "{begin}: {text}");
    }
}

#[test]
fn burn_train_drives_moco() {
    let folder = folder();
    let text = printed("burn_train", &["1"], folder.path());
    let last = text.lines().last().expect("it prints");
    assert!(last.starts_with("78 steps; "), "{text}");
    assert!(percentages(last, "78 steps")[0] > 50.0, "{last}");
    assert!(folder.path().join("runs/burn_train/checkpoint").exists());
}

/// Grey images in `train` and `test` folders of two classes.
fn class_folders(folder: &Path) {
    for (set, count) in [("train", 80), ("test", 20)] {
        for number in 0..count {
            let place = folder.join(set).join(["upright", "flat"][number as usize % 2]);
            std::fs::create_dir_all(&place).expect("made");
            let image = GrayImage::from_fn(12, 12, |x, y| Luma([stripes(number, x, y)]));
            image.save(place.join(format!("{number:03}.png"))).expect("written");
        }
    }
}

#[test]
fn ablation_compares_settings_and_does_not_repeat_what_is_finished() {
    let folder = folder();
    class_folders(&folder.path().join("data"));
    let arguments = ["--data", "data", "--epochs", "1", "--seeds", "2", "--out", "study"];
    let (text, said) = run("ablation", &arguments, folder.path()).expect("it ends");
    for term in ["random weights", "queue", "70 (default)", "0.9999", "whole batch", "v1", "end-to-end", "memory bank"]
    {
        assert!(text.contains(term), "{term} is not in\n{text}");
    }
    let defaults: Vec<&str> = text.lines().filter(|line| line.contains("(default)")).collect();
    let scores = |line: &str| line.split("(default)").nth(1).map(str::trim).expect("scores").to_owned();
    assert_eq!(defaults.len(), 5, "one in each group: {text}");
    assert!(defaults.iter().all(|line| scores(line) == scores(defaults[0])), "trained once: {text}");
    assert!(said.contains("epoch"), "progress is shown: {said}");
    let study = folder.path().join("study");
    assert!(text.contains(&std::fs::read_to_string(study.join("table.txt")).expect("written")));
    assert!(std::fs::read_to_string(study.join("ablation.svg")).expect("drawn").contains("keys in the queue"));

    // One run is lost: it alone is made again.
    let lost = study.join("memorybank-v2-queue70-decay0.5-splits2-shuffled-seed1");
    std::fs::remove_dir_all(&lost).expect("it is there");
    let (again, said) = run("ablation", &arguments, folder.path()).expect("it ends");
    assert_eq!(again, text);
    assert!(said.contains("memorybank") && !said.contains("moco"), "{said}");

    let longer = ["--data", "data", "--epochs", "2", "--seeds", "1", "--out", "study"];
    let said = failure("ablation", &longer, folder.path()); // the folder is of another study
    assert!(said.contains("give another --out"), "{said}");
}

#[test]
fn why_consistency_scores_and_draws_five_trainings() {
    let folder = folder();
    let text = printed("why_consistency", &["--steps", "40", "--seeds", "2"], folder.path());
    for idea in ["labels only", "noise on labelled inputs", "consistency on unlabelled points", "the averaged teacher"]
    {
        assert!(text.contains(idea), "{idea}: {text}");
    }
    let run = folder.path().join(text.lines().last().expect("the folder"));
    let summary = std::fs::read(run.join("summary.json")).expect("a finished run has a summary");
    let rows: serde_json::Value = serde_json::from_slice(&summary).expect("JSON");
    let rows = rows.as_array().expect("a list");
    assert_eq!(rows.len(), 5);
    for row in rows {
        let scores = row["scores"][0].as_array().expect("by seed");
        assert!(
            scores.len() == 2 && scores.iter().all(|score| (0.4..1.0).contains(&score.as_f64().expect("a number")))
        );
    }
    let svg = std::fs::read_to_string(run.join("why_consistency.svg")).expect("drawn");
    assert!(svg.contains("(e) the averaged teacher") && svg.trim_end().ends_with("</svg>"));

    // Without noise, the second training is the first.
    let still = printed("why_consistency", &["--steps", "40", "--seeds", "2", "--noise", "0"], folder.path());
    let [first, second] =
        ["labels only", "noise on labelled inputs"].map(|idea| still.split(idea).nth(1).expect("a row").lines().next());
    assert_eq!(first.map(str::trim), second.map(str::trim), "{still}");

    for (flag, value) in [("--seeds", "0"), ("--labels", "1001"), ("--decay", "2")] {
        let said = failure("why_consistency", &["--steps", "2", flag, value], folder.path());
        assert!(said.contains(flag.trim_start_matches('-')), "{flag} {value}: {said}");
    }
}
