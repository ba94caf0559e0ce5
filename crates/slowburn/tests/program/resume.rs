//! A run that was killed and resumed ends as one that never was.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::no_labels::with_out;
use crate::program::{self, command, failure, path, pretrain, spawn, success, tiny_data};

const SHORT: &[&str] = &["--labels", "16", "--epochs", "4", "--seed", "3"];

fn flags<'a>(extra: &[&'a str]) -> Vec<&'a str> {
    SHORT.iter().chain(extra).copied().collect()
}

/// A whole run, without a baseline.
fn train(data: &Path, out: &Path) {
    let mut command = command(data, &flags(&["--no-baseline"]));
    command.arg("--out").arg(out);
    success(command);
}

/// What must be equal between two runs: metrics, and whatever networks they have written.
pub(crate) fn assert_same_end(a: &Path, b: &Path) {
    let files = |run: &Path| -> Vec<String> {
        let entries = fs::read_dir(run).expect("a run folder").map(|entry| entry.expect("readable").file_name());
        let names = entries.map(|name| name.into_string().expect("plain"));
        names.filter(|name| name.ends_with(".safetensors") || name == "metrics.jsonl").collect()
    };
    assert!(files(a).len() >= 2, "metrics and at least one network: {:?}", files(a));
    for file in files(a) {
        assert!(fs::read(a.join(&file)).expect(&file) == fs::read(b.join(&file)).expect(&file), "{file} differs");
    }
    let summary = |run: &Path| -> serde_json::Value {
        let mut summary = program::summary(run);
        let fields = summary.as_object_mut().expect("an object");
        // Times are all that may differ.
        fields.remove("train_seconds").expect("named in the README");
        fields.remove("images_per_second").expect("named in the README");
        summary
    };
    assert_eq!(summary(a), summary(b));
}

pub(crate) fn checkpoints(run: &Path) -> Vec<std::path::PathBuf> {
    let Ok(entries) = fs::read_dir(run.join("checkpoints")) else {
        return Vec::new();
    };
    let mut files: Vec<_> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "ckpt"))
        .collect();
    files.sort();
    files
}

/// Kills the run as soon as `ready` holds, or lets it end.
pub(crate) fn kill_when(mut child: std::process::Child, ready: impl Fn() -> bool) {
    let start = Instant::now();
    while !ready() && child.try_wait().expect("a child can be asked").is_none() {
        assert!(start.elapsed() < Duration::from_secs(120), "the run makes no progress");
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().ok();
    child.wait().expect("a child ends");
}

fn check_method(method: &str, networks: &[&str]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    fs::create_dir(&data).expect("made");
    tiny_data(&data, 120, 40);
    let [whole, killed] = ["whole", "killed"].map(|name| folder.path().join(name));
    let all = |out: &Path, extra: &[&str]| {
        let mut flags = flags(&["--method", method]);
        flags.extend(networks);
        flags.extend(extra);
        let mut command = command(&data, &flags);
        command.arg("--out").arg(out);
        command
    };
    success(all(&whole, &[]));

    // SIGKILL in the baseline or soon after, then again in the method itself.
    kill_when(spawn(all(&killed, &[])), || !checkpoints(&killed).is_empty());
    assert!(!killed.join("summary.json").exists(), "it ended before it was killed");
    let seen = checkpoints(&killed).last().cloned();
    kill_when(spawn(command(&data, &flags_for_resume(&killed))), || checkpoints(&killed).last().cloned() != seen);
    assert!(!killed.join("summary.json").exists(), "it ended before it was killed again");
    success(command(&data, &flags_for_resume(&killed)));
    assert_same_end(&whole, &killed);
}

fn flags_for_resume(run: &Path) -> Vec<&str> {
    vec!["--resume", path(run)]
}

#[test]
fn mean_teacher_resumes_bit_for_bit() {
    check_method("mean-teacher", &["--logit-distance", "0.01"]);
}

#[test]
fn the_pi_model_resumes_bit_for_bit() {
    check_method("pi", &[]);
}

#[test]
fn temporal_ensembling_resumes_bit_for_bit() {
    check_method("temporal", &[]);
}

/// The default, with a first convolution that begins by whitening the first batch's patches: its targets are the average's.
#[test]
fn fixmatch_resumes_bit_for_bit() {
    check_method("fixmatch", &["--arch", "resnet9-quarter"]);
}

#[test]
fn mean_teacher_with_strong_views_resumes_bit_for_bit() {
    check_method("mean-teacher", &["--strong-views"]);
}

/// Its slots are part of the record.
#[test]
fn flexmatch_resumes_bit_for_bit() {
    check_method("flexmatch", &["--threshold", "0.4"]);
}

/// Its running averages are part of the record.
#[test]
fn freematch_resumes_bit_for_bit() {
    check_method("freematch", &[]);
}

#[test]
fn mixed_images_resume_bit_for_bit() {
    check_method("ict", &[]);
}

#[test]
fn mean_teacher_with_hard_targets_resumes_bit_for_bit() {
    check_method("mean-teacher", &["--targets", "hard", "--threshold", "0.4"]);
}

#[test]
fn training_in_bf16_resumes_bit_for_bit() {
    check_method("supervised", &["--bf16"]);
}

#[test]
fn supervised_training_resumes_bit_for_bit() {
    check_method("supervised", &["--exact"]);
}

#[test]
fn a_damaged_checkpoint_is_named_and_the_one_before_it_used() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    tiny_data(folder.path(), 120, 40);
    let [whole, damaged] = ["whole", "damaged"].map(|name| folder.path().join(name));
    for out in [&whole, &damaged] {
        train(folder.path(), out);
    }
    fs::remove_file(damaged.join("summary.json")).expect("there");
    let newest = checkpoints(&damaged).pop().expect("a checkpoint");
    let bytes = fs::read(&newest).expect("readable");
    // As a crash in the middle of writing would leave it, had it been written in place.
    fs::write(&newest, &bytes[..bytes.len() / 2]).expect("written");

    let output = command(folder.path(), &flags_for_resume(&damaged)).output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let name = newest.file_name().expect("a name").to_string_lossy();
    assert!(said.contains(&*name) && said.contains("truncated or altered"), "{said}");
    assert_same_end(&whole, &damaged);

    for file in checkpoints(&damaged) {
        fs::write(&file, b"nothing").expect("written");
    }
    let said = failure(command(folder.path(), &flags_for_resume(&damaged)));
    assert!(said.contains("truncated or altered"), "{said}");
}

#[test]
fn a_loss_that_is_no_number_after_a_resume_names_the_checkpoint_that_it_went_on_from() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    tiny_data(folder.path(), 120, 40);
    let run = folder.path().join("run");
    train(folder.path(), &run);
    // As if it had been killed in its last epoch, with a learning rate that is too high from there on.
    fs::remove_file(run.join("summary.json")).expect("there");
    fs::remove_file(checkpoints(&run).pop().expect("the last epoch's")).expect("there");
    let description = fs::read_to_string(run.join("config.json")).expect("there");
    let altered = description.replace("\"learning_rate\": 0.003", "\"learning_rate\": 1e38");
    assert_ne!(description, altered);
    fs::write(run.join("config.json"), altered).expect("written");

    let said = failure(command(folder.path(), &flags_for_resume(&run)));
    let good = checkpoints(&run).pop().expect("that of the epoch before");
    let last = format!("The last good checkpoint is {}", good.display());
    assert!(said.contains("the loss is") && said.contains(&last), "{last} is not in {said}");
}

#[test]
fn other_settings_or_data_are_refused_by_name() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    tiny_data(folder.path(), 120, 40);
    let run = folder.path().join("run");
    train(folder.path(), &run);

    let said = failure(command(folder.path(), &["--resume", path(&run), "--arch", "wrn28-2", "--lr", "0.5"]));
    assert!(said.contains("network.arch: \"small\" in the run, \"wrn28-2\" asked for"), "{said}");
    assert!(said.contains("optimizer.learning_rate"), "{said}");

    tiny_data(folder.path(), 124, 40);
    let said = failure(command(folder.path(), &flags_for_resume(&run)));
    assert!(said.contains("are not those that the run"), "{said}");

    let said = failure(command(folder.path(), &["--resume", path(folder.path())]));
    assert!(said.contains("holds no run"), "{said}");
}

/// SIGKILL, twice; queue, average and optimizer come back with the checkpoint.
pub(crate) fn check_resume(data: &Path, method: &[&str]) {
    let [whole, killed] = ["whole", "killed"].map(|name| data.join(name));
    let flags = [&["--epochs", "6", "--seed", "3"], method].concat();
    success(with_out(data, &whole, &flags));
    kill_when(spawn(with_out(data, &killed, &flags)), || !checkpoints(&killed).is_empty());
    assert!(!killed.join("summary.json").exists(), "it ended before it was killed");
    let seen = checkpoints(&killed).last().cloned();
    let resume = || pretrain(data, &[&flags, &["--resume", path(&killed)][..]].concat());
    kill_when(spawn(resume()), || checkpoints(&killed).last().cloned() != seen);
    assert!(!killed.join("summary.json").exists(), "it ended before it was killed again");
    success(resume());
    assert_same_end(&whole, &killed);
}
