//! Few labels from a pre-trained encoder: `train --from`.

use std::fs;
use std::path::Path;
use std::process::Command;

use slowburn_models::weights::WeightsFile;

use crate::program::{bare, failure, path, pretrain, recipe, speckled_folder, success, summary, tiny_data, train};

/// A command on 160 tiny images of which 16 keep their label; one epoch of everything.
fn command(data: &Path, out: &Path, flags: &[&str]) -> Command {
    let line = ["--plain", "--data", path(data), "--out", path(out), "--labels", "16", "--epochs", "1"];
    let small = ["--batch", "16", "--labeled-batch", "8"];
    train(&[&line[..], &small, flags].concat())
}

/// Tiny images and a short pre-training on them.
fn pretrained() -> (tempfile::TempDir, std::path::PathBuf) {
    let data = tempfile::tempdir().expect("a temporary folder");
    tiny_data(data.path(), 160, 40);
    let run = data.path().join("pretrain");
    success(pretrain(data.path(), &["--epochs", "1", "--out", path(&run)]));
    (data, run)
}

#[test]
fn both_starts_are_trained_and_compared_and_a_run_can_be_gone_on_with() {
    let (data, run) = pretrained();
    let out = data.path().join("run");
    let from = ["--from", path(&run), "--compare-scratch", "--seed", "5"];
    let printed = success(command(data.path(), &out, &from));
    for term in ["from scratch", "pre-trained", "gain", "supervised, labels alone", "mean-teacher, teacher"] {
        assert!(printed.contains(term), "{term} is not in\n{printed}");
    }
    let (whole, scratch) = (summary(&out), summary(&out.join("scratch")));
    assert_eq!((whole["labels"].as_u64(), whole["seed"].as_u64()), (Some(16), Some(5)));
    assert_eq!(whole["scratch"]["teacher_accuracy"], scratch["teacher_accuracy"]);
    // The part from random weights is what it would be on its own.
    let alone = data.path().join("alone");
    success(command(data.path(), &alone, &["--seed", "5"]));
    assert_eq!(summary(&alone)["teacher_accuracy"], scratch["teacher_accuracy"]);

    // The encoder started from the query encoder's weights, and was trained from there.
    let query = WeightsFile::open(run.join("query.safetensors")).and_then(|file| file.state_dict()).expect("weights");
    let distance = |run: &Path| -> f32 {
        let own =
            WeightsFile::open(run.join("student.safetensors")).and_then(|file| file.state_dict()).expect("weights");
        let weights = query.iter().filter(|(name, data)| !name.starts_with("fc") && data.shape().len() == 4);
        let moved = |(name, data): (&String, &burn::tensor::TensorData)| {
            data.iter::<f32>().zip(own[name].iter::<f32>()).map(|(a, b)| (a - b).abs()).sum::<f32>()
        };
        weights.map(moved).sum()
    };
    let (pretrained, scratch) = (distance(&out), distance(&out.join("scratch")));
    assert!(0.0 < pretrained && pretrained < 0.5 * scratch, "{pretrained} from the start, {scratch} from scratch");

    // Stopped before its end it goes on, and ends as it did.
    for checkpoint in fs::read_dir(out.join("checkpoints")).expect("there").flatten() {
        fs::remove_file(checkpoint.path()).expect("removed");
    }
    fs::remove_file(out.join("summary.json")).expect("removed");
    success(train(&["--plain", "--resume", path(&out)]));
    for accuracy in ["supervised_accuracy", "student_accuracy", "teacher_accuracy"] {
        assert_eq!(summary(&out)[accuracy], whole[accuracy], "{accuracy}");
    }

    // It does not go on with other weights than it began with.
    fs::remove_file(out.join("summary.json")).expect("removed");
    fs::copy(run.join("key.safetensors"), run.join("query.safetensors")).expect("copied");
    let said = failure(train(&["--plain", "--resume", path(&out)]));
    assert!(said.contains("query.safetensors has changed since the run began: its SHA-256 is"), "{said}");
}

/// The program's own views of colour images differ in their normalisation.
#[test]
fn training_with_labels_is_on_images_as_the_encoder_knows_them() {
    let data = tempfile::tempdir().expect("a temporary folder");
    speckled_folder(data.path(), 80, 0, 40, true);
    let (run, out) = (data.path().join("pretrain"), data.path().join("run"));
    success(pretrain(data.path(), &["--epochs", "1", "--out", path(&run)]));
    success(command(data.path(), &out, &["--from", path(&run), "--method", "supervised", "--compare-scratch"]));
    let last = |views: &serde_json::Value| views["operations"].as_array().expect("a list").last().cloned();
    let normalisation = last(&recipe(&run)["views"]);
    let tuned = recipe(&out)["views"].take();
    assert_eq!(tuned["name"], "mean_teacher_cifar on images as of moco_cifar");
    assert_eq!(last(&tuned), normalisation);
    assert_eq!(recipe(&out.join("scratch"))["views"], tuned);

    let file = bare(&run.join("query.safetensors"));
    let from = |name: &str, flags: &[&str]| {
        command(data.path(), &data.path().join(name), &[flags, &["--method", "supervised"]].concat())
    };
    let bare = ["--from", path(&file), "--arch", "small"];
    let said = failure(from("refused", &bare));
    assert!(said.contains("query.safetensors does not say how") && said.contains("--views"), "{said}");
    assert!(!data.path().join("refused").exists());
    success(from("from_file", &[&bare[..], &["--views", "usb_weak_cifar"]].concat()));
    let of_file = recipe(&data.path().join("from_file"))["views"].take();
    assert_eq!(of_file["name"], "mean_teacher_cifar on images as of usb_weak_cifar");
    assert!(last(&of_file) != normalisation && last(&of_file).is_some());
}

#[test]
fn pre_training_goes_on_from_an_encoder() {
    let (data, run) = pretrained();
    let second = data.path().join("second");
    success(pretrain(data.path(), &["--epochs", "0.2", "--from", path(&run), "--out", path(&second)]));
    let digest = recipe(&second)["start_sha256"].as_str().map(str::len);
    assert_eq!(digest, Some(64));
    let scratch = data.path().join("scratch");
    success(pretrain(data.path(), &["--epochs", "0.2", "--out", path(&scratch)]));
    let first = |run: &Path| fs::read_to_string(run.join("metrics.jsonl")).expect("metrics");
    assert_ne!(first(&second), first(&scratch));
}

#[test]
fn an_encoder_that_does_not_fit_is_named_before_anything_is_written() {
    let (data, run) = pretrained();
    let out = data.path().join("out");
    let file = bare(&run.join("query.safetensors"));
    for (from, arch, expected) in [
        (&file, "resnet18", ["query.safetensors, names without a prefix, does not fit", "missing: `layer1.0", "more"]),
        (&run, "resnet18", ["--arch is ResNet18", "query.safetensors says that it is", "Small"]),
    ] {
        let said = failure(command(data.path(), &out, &["--from", path(from), "--arch", arch]));
        assert!(expected.iter().all(|part| said.contains(part)), "{said}");
        assert!(!out.exists(), "{arch} left a folder behind");
    }
    for (flags, expected) in [
        (&["--from", "nowhere.safetensors"][..], "nowhere.safetensors does not exist"),
        (&["--compare-scratch"], "--compare-scratch needs --from"),
    ] {
        let said = failure(command(data.path(), &out, flags));
        assert!(said.contains(expected), "{flags:?}: {said}");
        assert!(!out.exists(), "{flags:?} left a folder behind");
    }
}
