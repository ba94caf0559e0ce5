//! Run folders made here, found, described, compared and drawn.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use slowburn_train::run::RunFolder;

use super::*;
use crate::pretrain;
use crate::train::recipe;

/// A folder with runs of every kind.
fn folder() -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| root.path().join(name);
    let few = |seed| recipe::Recipe { seed, data: "/data/shoes".into(), ..recipe::fashion() };
    let contrast = pretrain::Recipe { data: "/data/shoes".into(), ..pretrain::fashion() };

    RunFolder::create(&path("a"), &few(0), "x").expect("created");
    metrics(&path("a"), &[("baseline", 1, 0.5), ("mean-teacher", 1, 0.6), ("mean-teacher", 2, 0.7)]);
    let summary = json!({"supervised_accuracy": 0.5, "student_accuracy": 0.7, "teacher_accuracy": 0.75});
    write(&path("a/summary.json"), &summary.to_string());

    RunFolder::create(&path("b"), &few(1), "x").expect("created");
    metrics(&path("b"), &[("mean-teacher", 1, 0.61)]);
    long_ago(&path("b"));

    // A run of an earlier version's `fine_tune`.
    let whole = json!({"start": {"moco": &contrast}, "start_sha256": null, "tuning": few(0)});
    RunFolder::create(&path("whole"), &whole, "x").expect("created");
    RunFolder::create(&path("whole/pretrain"), &contrast, "x").expect("created");
    long_ago(&path("whole"));

    write(&path("trainer/config.json"), &trainer().to_string());
    write(&path("trainer/summary.json"), r#"{"best": {"score": 0.8}, "last": {"student_accuracy": null}}"#);
    write(&path("torn/config.json"), "{\"slowburn\": \"0.1.0\", \"rec");
    write(&path("other/config.json"), "{\"name\": \"another program's\"}");
    root
}

fn trainer() -> Value {
    json!({"slowburn": "0.1.0", "data_sha256": "x", "recipe": {
        "trainer": {"length": {"epochs": 200.0}, "batch": 50, "seed": 0},
        "timeline": {"per_epoch": 9, "total": 1800},
        "task": {"method": "mean-teacher", "images": 400, "views": {"name": "mine", "operations": []}},
    }})
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    fs::write(path, text).expect("written");
}

fn metrics(folder: &Path, rows: &[(&str, u64, f64)]) {
    let lines = rows.iter().map(|(phase, epoch, accuracy)| {
        let loss = 1.0 / *epoch as f64;
        json!({"phase": phase, "epoch": epoch, "step": 10 * epoch, "loss": loss, "student_accuracy": accuracy,
            "spread": {"std": 0.1}, "teacher_accuracy": null})
        .to_string()
    });
    write(&folder.join("metrics.jsonl"), &(lines.collect::<Vec<_>>().join("\n") + "\n"));
}

fn set_age(path: &Path, age: u64) {
    let file = File::options().append(true).open(path).expect("there");
    file.set_modified(SystemTime::now() - Duration::from_secs(age)).expect("set");
}

fn long_ago(folder: &Path) {
    for name in ["config.json", "metrics.jsonl"] {
        if folder.join(name).exists() {
            set_age(&folder.join(name), 7200);
        }
    }
}

fn named<'a>(runs: &'a [RunInfo], name: &str) -> &'a RunInfo {
    runs.iter().find(|run| run.name == name).expect(name)
}

#[test]
fn runs_of_every_kind_are_found_with_their_parts() {
    let root = folder();
    let runs = find(root.path()).expect("a folder");
    let names: Vec<&str> = runs.iter().map(|run| run.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "torn", "trainer", "whole", "whole/pretrain"]);
    let methods: Vec<Option<&str>> = runs.iter().map(|run| run.method.as_deref()).collect();
    let few = Some("mean-teacher");
    assert_eq!(methods, [few, few, None, few, Some("fine-tune"), Some("moco")]);
    assert_eq!(named(&runs, "a").data.as_deref(), Some("/data/shoes"));
    assert_eq!(named(&runs, "trainer").data.as_deref(), Some("400 images"));
    assert_eq!(find(&root.path().join("a")).expect("a run")[0].name, "a", "a run itself");
    assert!(find(&root.path().join("none")).is_err());
}

#[test]
fn states_follow_from_files_and_their_age() {
    let root = folder();
    let runs = find(root.path()).expect("a folder");
    let state = |name: &str| named(&runs, name).state.state.clone();
    assert_eq!([state("a"), state("b"), state("trainer")], [State::Finished, State::Stopped, State::Finished]);
    assert_eq!((state("whole/pretrain"), state("whole")), (State::Running, State::Running), "a part has just begun");
    assert!(matches!(state("torn"), State::Broken { reason } if reason.starts_with("config.json: EOF")));
    let progress = &named(&runs, "b").state;
    assert_eq!((progress.epoch, progress.epochs), (Some(1), Some(10)));
    assert_eq!(named(&runs, "trainer").state.epochs, Some(200));
}

#[test]
fn a_run_with_slow_epochs_counts_as_running_for_longer() {
    let root = folder();
    let run = root.path().join("b");
    for (name, age) in [("checkpoints/1.ckpt", 2400), ("checkpoints/2.ckpt", 1600)] {
        write(&run.join(name), "");
        set_age(&run.join(name), age);
    }
    let state = || State::of(&run, SystemTime::now());
    assert_eq!(state(), State::Running, "800 s between checkpoints, and 1,600 since");
    set_age(&run.join("checkpoints/1.ckpt"), 1700);
    assert_eq!(state(), State::Stopped, "100 s between them");
}

#[test]
fn scores_are_of_the_summary_or_the_last_epoch() {
    let root = folder();
    let runs = find(root.path()).expect("a folder");
    let scores = |name: &str| named(&runs, name).scores.iter().map(|s| (s.name, s.accuracy)).collect::<Vec<_>>();
    assert_eq!(scores("a"), [("teacher", 0.75), ("student", 0.7), ("labels alone", 0.5)]);
    assert_eq!(scores("b"), [("student", 0.61)]);
    assert_eq!(scores("trainer"), [("validation", 0.8)]);
    assert_eq!(scores("whole"), []);
}

#[test]
fn settings_are_compared_across_kinds_of_runs() {
    let root = folder();
    let runs = find(root.path()).expect("a folder");
    let shown = |name: &str, key: &str| named(&runs, name).settings.get(key).map(|setting| setting.shown.clone());
    assert_eq!(shown("a", "length").as_deref(), Some("10 epochs"));
    assert_eq!(shown("a", "labels").as_deref(), Some("100"));
    assert_eq!(shown("trainer", "views").as_deref(), Some("mine"));
    assert_eq!(shown("whole", "labels").as_deref(), Some("100"), "the part behind `tuning` has no prefix");
    let differ = differing(&runs);
    assert_eq!(differ[..2], ["seed", "length"]);
    assert!(!differ.contains(&"labels".to_owned()) && !differ.iter().any(|name| name.starts_with("fixed")));
    let alike: Vec<RunInfo> = runs.into_iter().filter(|run| run.name == "a" || run.name == "b").collect();
    assert_eq!(differing(&alike), ["seed"]);
}

#[test]
fn the_table_fits_and_never_panics() {
    let root = folder();
    let runs = find(root.path()).expect("a folder");
    let text = table::text(&runs, root.path(), 80);
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    for said in ["75.00 teacher", "stopped 1/10", "broken: torn: config.json", "Also different", "fine-tune"] {
        assert!(text.contains(said), "{said} is not in\n{text}");
    }
    for width in 0..120 {
        table::text(&runs, root.path(), width);
    }
    let narrow = table::text(&runs, root.path(), 40);
    assert!(narrow.lines().all(|line| line.starts_with("broken") || line.chars().count() <= 50), "{narrow}");
    let alike: Vec<RunInfo> = runs.iter().filter(|run| run.name == "a" || run.name == "b").cloned().collect();
    let text = table::text(&alike, root.path(), 80);
    let words: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(words[0], ["data:", "/data/shoes"]);
    assert_eq!(words[2], ["run", "method", "seed", "state", "teacher", "student", "labels", "alone"]);
    assert_eq!(words[3], ["a", "mean-teacher", "0", "finished", "75.00", "70.00", "50.00"]);
    let wide = table::text(&runs, root.path(), usize::MAX);
    assert!(wide.contains("/data/shoes") && !wide.contains("Also different"));
    assert_eq!(table::json(&runs)["runs"][0]["state"], "finished");
}

#[test]
fn different_values_never_look_the_same() {
    let root = tempfile::tempdir().expect("a temporary folder");
    for (name, operations) in [("a", json!([1])), ("b", json!([2])), ("c", json!([1]))] {
        let views = json!({"name": "mine", "operations": operations});
        let config = json!({"slowburn": "0.1.0", "recipe": {"views": views, "batch": 5}});
        write(&root.path().join(name).join("config.json"), &config.to_string());
    }
    let runs = find(root.path()).expect("a folder");
    assert_eq!(differing(&runs), ["views"]);
    assert_eq!(settings::column(&runs, "views"), ["mine #1", "mine #2", "mine #1"]);
    let names = ["optimizer.decay", "teacher.decay", "batch"].map(str::to_owned);
    assert_eq!(settings::short_names(&names), ["optimizer.decay", "teacher.decay", "batch"]);
}

#[test]
fn curves_have_every_figure_and_the_baseline_its_own() {
    let root = folder();
    let runs = find(root.path()).expect("a folder");
    let all = curves(named(&runs, "a"));
    let points = |name: &str| all.iter().find(|(figure, _)| figure == name).map(|(_, points)| points.clone());
    assert_eq!(points("student accuracy").expect("one"), [(10.0, 60.0), (20.0, 70.0)]);
    assert_eq!(points("baseline student accuracy").expect("one"), [(10.0, 50.0)]);
    assert_eq!(points("spread std").expect("one").len(), 2);
    assert_eq!((points("teacher accuracy"), points("epoch")), (None, None));
    assert_eq!(curves(named(&runs, "torn")), []);
    write(&root.path().join("b/metrics.jsonl"), "{\"epoch\": 1");
    let broken = &find(root.path()).expect("a folder")[1];
    assert!(matches!(&broken.state.state, State::Broken { reason } if reason.contains("metrics.jsonl, line 1")));
}

#[test]
fn a_figure_is_drawn_and_a_misspelt_one_is_refused() {
    let root = folder();
    let runs = find(root.path()).expect("a folder");
    let file = root.path().join("runs.png");
    plot::plot(&runs, None, &file).expect("drawn");
    let png = image::open(&file).expect("a picture").into_rgb8();
    let blue = |pixel: &&image::Rgb<u8>| pixel.0[2] > pixel.0[0].saturating_add(60);
    assert!(png.pixels().filter(blue).count() > 100, "a curve");
    let error = plot::plot(&runs, Some("student acuracy"), &file).expect_err("misspelt").to_string();
    assert!(error.contains("student accuracy, "), "{error}");
    let error = plot::plot(&[], None, &file).expect_err("nothing").to_string();
    assert!(error.contains("no run has a curve"), "{error}");
}
