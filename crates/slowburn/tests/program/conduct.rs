//! How the program behaves on a command line: help, settings and their files, spelling, pipes, completions.

use std::fs;
use std::process::Stdio;

use crate::program::{command, failure, path, pretrain, recipe, slowburn, success, tiny_data, train};

const COMMANDS: [&str; 12] = [
    "train",
    "pretrain",
    "evaluate",
    "predict",
    "embed",
    "suggest",
    "check",
    "runs",
    "views",
    "recipes",
    "completions",
    "man",
];

#[test]
fn help_fits_a_screen_and_all_of_it_is_there_when_asked_for() {
    for name in COMMANDS {
        let help = success(slowburn(name, &["--help"]));
        assert!(help.lines().count() <= 48, "{name} --help has {} lines\n{help}", help.lines().count());
        assert!(help.contains("Usage: slowburn"), "{help}");
    }
    let all = success(slowburn("train", &["--help-all"]));
    for flag in ["--logit-distance", "--tensorboard", "--exact", "--labeled-batch", "--threads", "--config"] {
        assert!(all.contains(flag), "{flag} is not in\n{all}");
    }
}

/// The same flags mean the same everywhere.
#[test]
fn commands_that_train_share_their_flags() {
    let [train, pretrain] = ["train", "pretrain"].map(|name| success(slowburn(name, &["--help-all"])));
    for flag in [
        "--data",
        "--size",
        "--exif",
        "--broken",
        "--epochs",
        "--time",
        "--patience",
        "--batch",
        "--lr",
        "--seed",
        "--out",
        "--resume",
        "--recipe",
        "--config",
        "--write-config",
        "--dry-run",
        "--tensorboard",
        "--device",
        "--threads",
        "--from",
    ] {
        let line = |help: &str| {
            help.lines()
                .map(|line| format!("{} ", line.trim_start()))
                .find(|line| line.starts_with(&format!("{flag} ")))
        };
        assert!(line(&train).is_some() && line(&train) == line(&pretrain), "{flag}: {:?}", line(&train));
    }
}

#[test]
fn settings_are_shown_written_edited_and_taken_back() {
    let data = tempfile::tempdir().expect("a temporary folder");
    tiny_data(data.path(), 160, 40);
    let (file, out) = (data.path().join("mine.json"), data.path().join("run"));
    let printed = success(command(data.path(), &["--labels", "16", "--seed", "3", "--dry-run", "--out", path(&out)]));
    let line = |setting: &str| {
        let found = printed.lines().find(|line| line.starts_with(&format!("{setting} ")));
        found.unwrap_or_else(|| panic!("{setting} is not in\n{printed}")).to_owned()
    };
    assert!(line("seed").ends_with("flag") && line("decay.warm_up.decay").ends_with("default"));
    assert!(line("length.epochs").ends_with("chosen for 160 images"), "{printed}");
    assert!(!out.exists(), "a dry run leaves nothing behind");

    success(command(data.path(), &["--labels", "16", "--write-config", path(&file)]));
    let mut settings: serde_json::Value = serde_json::from_slice(&fs::read(&file).expect("written")).expect("JSON");
    settings["length"] = serde_json::json!({"epochs": 1.0});
    settings["consistency"]["weight"] = 3.0.into();
    fs::write(&file, settings.to_string()).expect("written");
    success(train(&["--plain", "--config", path(&file), "--no-baseline", "--out", path(&out)]));
    let run = recipe(&out);
    assert_eq!((&run["consistency"]["weight"], &run["length"]["epochs"]), (&3.0.into(), &1.0.into()));
    assert_eq!(run["labels"], serde_json::json!({"count": 16}));

    // A run's own settings make the same run.
    let again = data.path().join("again");
    success(train(&["--plain", "--config", path(&out.join("config.json")), "--out", path(&again)]));
    let weights = |run: &std::path::Path| fs::read(run.join("teacher.safetensors")).expect("weights");
    assert!(weights(&again) == weights(&out));
}

#[test]
fn what_is_misspelt_is_answered_with_what_was_meant() {
    let data = tempfile::tempdir().expect("a temporary folder");
    tiny_data(data.path(), 160, 40);
    let file = data.path().join("mine.json");
    fs::write(&file, r#"{"consistency": {"wieght": 3}}"#).expect("written");
    let said = failure(command(data.path(), &["--config", path(&file)]));
    assert!(said.contains("`consistency.wieght`") && said.contains("did you mean `weight`?"), "{said}");
    let said = failure(command(data.path(), &["--lables", "3"]));
    assert!(said.contains("--labels"), "{said}");
    let said = failure(command(data.path(), &["--recipe", "svhn-25"]));
    assert!(said.contains("did you mean `svhn-250`?"), "{said}");
    let said = failure(slowburn("trian", &[]));
    assert!(said.contains("train"), "{said}");
    let said = failure(command(data.path(), &["--arch", "resnet8"]));
    assert!(said.contains("resnet18"), "{said}");
    let labels = data.path().join("labels.csv");
    fs::write(&labels, "filename,label\n0,0\n1,12\n").expect("written");
    let said = failure(command(data.path(), &["--labels", path(&labels)]));
    assert!(said.contains("12"), "{said}");
}

#[test]
fn a_reader_that_leaves_is_no_panic() {
    for arguments in [&["recipes"][..], &["completions", "bash"], &["train", "--help-all"]] {
        let mut command = slowburn(arguments[0], &arguments[1..]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains("panicked"), "{arguments:?}: {said}");
    }
}

#[test]
fn completions_and_manual_pages_are_made() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(success(slowburn("completions", &[shell])).contains("suggest"), "{shell}");
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    success(slowburn("man", &[path(folder.path())]));
    let page = fs::read_to_string(folder.path().join("slowburn-train.1")).expect("a page");
    assert!(page.starts_with(".") && page.contains("labels"), "{page}");
}

#[test]
fn tensorboard_files_and_a_table_of_runs() {
    let data = tempfile::tempdir().expect("a temporary folder");
    tiny_data(data.path(), 160, 40);
    let runs = data.path().join("runs");
    let out = runs.join("few");
    let few = ["--labels", "16", "--epochs", "2", "--tensorboard", "--out", path(&out)];
    let printed = crate::program::run(command(data.path(), &few));
    assert!(printed.status.success());
    let said = String::from_utf8_lossy(&printed.stderr).into_owned();
    assert!(said.contains(&format!("next: slowburn predict {} ", path(&out))), "{said}");
    let events: Vec<_> = fs::read_dir(out.join("tensorboard")).expect("made").collect();
    assert_eq!(events.len(), 2, "the baseline's and the method's");
    let none = runs.join("none");
    success(pretrain(data.path(), &["--epochs", "2", "--out", path(&none)]));

    let table = success(slowburn("runs", &[path(&runs)]));
    assert!(table.contains("few") && table.contains("mean-teacher") && table.contains("finished"), "{table}");
    let json: serde_json::Value =
        serde_json::from_str(&success(slowburn("runs", &[path(&runs), "--json"]))).expect("JSON");
    assert_eq!(json["runs"].as_array().map(Vec::len), Some(2), "{json}");
    let plot = data.path().join("curves.png");
    success(slowburn("runs", &[path(&runs), "--plot", path(&plot)]));
    image::open(&plot).expect("a picture");
}
