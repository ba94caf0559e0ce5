//! The promises of the program `fine_tune`.

use std::fs;
use std::path::Path;
use std::process::Command;

use slowburn_train::run::read_safetensors;

use crate::program::{failure, fine_tune, moco, path, recipe, speckled_folder, success, summary, tiny_data};

/// A command on 160 tiny images of which 16 keep their label; one epoch of everything.
fn command(data: &Path, out: &Path, flags: &[&str]) -> Command {
    let line = [&["--data", path(data), "--out", path(out), "--labels", "16", "--epochs", "1"], flags].concat();
    fine_tune(&[&["--batch", "16", "--labeled-batch", "8"], line.as_slice()].concat())
}

const PRETRAINING: [&str; 8] = ["--pretrain-epochs", "1", "--pretrain-batch", "16", "--queue", "48", "--knn", "10"];

#[test]
fn both_starts_are_trained_and_compared_and_a_run_can_be_gone_on_with() {
    let data = tempfile::tempdir().expect("a temporary folder");
    tiny_data(data.path(), 160, 40);
    let out = data.path().join("run");
    let printed = success(command(data.path(), &out, &[&PRETRAINING[..], &["--mean-teacher", "--seed", "5"]].concat()));
    for term in ["from scratch", "pre-trained", "labels alone", "Mean Teacher", "gain of Mean Teacher"] {
        assert!(printed.contains(term), "{term} is not in\n{printed}");
    }
    let whole = summary(&out);
    assert_eq!((whole["labels"].as_u64(), whole["seed"].as_u64()), (Some(16), Some(5)));
    assert_eq!(whole["scratch"]["supervised"], summary(&out.join("scratch"))["supervised_accuracy"]);
    assert_eq!(whole["pretrained"]["mean_teacher"], summary(&out.join("pretrained"))["teacher_accuracy"]);

    // The encoder started from the query encoder's weights, and was trained from there.
    let tensors = |file: &str| read_safetensors(&out.join(file)).expect("weights");
    let query = tensors("pretrain/query.safetensors");
    let distance = |file: &str| -> f32 {
        let own = tensors(file);
        let weights = query.iter().filter(|(name, data)| !name.starts_with("fc") && data.shape().len() == 4);
        weights
            .map(|(name, data)| {
                data.iter::<f32>().zip(own[name].iter::<f32>()).map(|(a, b)| (a - b).abs()).sum::<f32>()
            })
            .sum()
    };
    let (pretrained, scratch) = (distance("pretrained/student.safetensors"), distance("scratch/student.safetensors"));
    assert!(0.0 < pretrained && pretrained < 0.5 * scratch, "{pretrained} from the start, {scratch} from scratch");

    // Without its last part the run goes on there, and ends as it did: here as if it was killed when that part began.
    fs::remove_dir_all(out.join("pretrained")).expect("removed");
    fs::create_dir_all(out.join("pretrained/checkpoints")).expect("made");
    fs::remove_file(out.join("summary.json")).expect("removed");
    success(fine_tune(&["--resume", path(&out)]));
    let again = summary(&out);
    assert_eq!((&again["pretrained"], &again["scratch"]), (&whole["pretrained"], &whole["scratch"]));

    // The pre-trained encoder serves another run.
    let other = data.path().join("other");
    success(command(data.path(), &other, &["--from", path(&out.join("pretrain")), "--seed", "5"]));
    assert_eq!(summary(&other)["pretrained"]["supervised"], whole["pretrained"]["supervised"]);
    assert!(summary(&other)["pretrained"]["mean_teacher"].is_null());

    // Stopped before its end, it does not continue with other weights than it began with.
    fs::remove_file(other.join("summary.json")).expect("removed");
    let weights = out.join("pretrain/query.safetensors");
    fs::copy(out.join("pretrain/key.safetensors"), &weights).expect("copied");
    let said = failure(fine_tune(&["--resume", path(&other)]));
    assert!(said.contains("query.safetensors has changed since the run began: its SHA-256 is"), "{said}");
}

/// The programs' own views of colour images differ in their normalisation.
#[test]
fn training_with_labels_is_on_images_as_the_encoder_knows_them() {
    let data = tempfile::tempdir().expect("a temporary folder");
    speckled_folder(data.path(), 80, 0, 40, true);
    let out = data.path().join("run");
    success(command(data.path(), &out, &PRETRAINING));
    let last = |views: &serde_json::Value| views["operations"].as_array().expect("a list").last().cloned();
    let normalisation = last(&recipe(&out.join("pretrain"))["views"]);
    let tuned = recipe(&out)["tuning"]["views"].take();
    assert_eq!(tuned["name"], "mean_teacher_cifar on images as of moco_cifar");
    assert_eq!(last(&tuned), normalisation);
    for part in ["scratch", "pretrained"] {
        assert_eq!(recipe(&out.join(part))["views"], tuned, "{part}");
    }

    let (run, file) = (out.join("pretrain"), out.join("pretrain/query.safetensors"));
    let from = |name: &str, flags: &[&str]| command(data.path(), &data.path().join(name), flags);
    success(from("from_run", &["--from", path(&run)]));
    assert_eq!(recipe(&data.path().join("from_run"))["tuning"]["views"], tuned);
    let bare = ["--from", path(&file), "--arch", "small"];
    let said = failure(from("refused", &bare));
    assert!(said.contains("query.safetensors does not say how") && said.contains("--views"), "{said}");
    assert!(!data.path().join("refused").exists());
    success(from("from_file", &[&bare[..], &["--views", "usb_weak_cifar"]].concat()));
    let of_file = recipe(&data.path().join("from_file"))["tuning"]["views"].take();
    assert_eq!(of_file["name"], "mean_teacher_cifar on images as of usb_weak_cifar");
    assert!(last(&of_file) != normalisation && last(&of_file).is_some());
}

#[test]
fn an_encoder_that_does_not_fit_is_named_before_anything_is_written() {
    let data = tempfile::tempdir().expect("a temporary folder");
    tiny_data(data.path(), 160, 40);
    let run = data.path().join("run");
    let mut train = moco(data.path(), &["--epochs", "0.2"]);
    train.arg("--out").arg(&run);
    success(train);
    let out = data.path().join("out");
    let file = run.join("query.safetensors");
    for (from, arch, expected) in [
        (&file, "resnet18", ["query.safetensors does not fit the network", "missing: `layer1.0", "more"]),
        (&run, "resnet18", ["--arch is ResNet18", "the run in", "Small"]),
    ] {
        let said = failure(command(data.path(), &out, &["--from", path(from), "--arch", arch]));
        assert!(expected.iter().all(|part| said.contains(part)), "{said}");
        assert!(!out.exists(), "{arch} left a folder behind");
    }
}

#[test]
fn what_is_wrong_is_said_before_anything_is_written() {
    let data = tempfile::tempdir().expect("a temporary folder");
    tiny_data(data.path(), 160, 40);
    let out = data.path().join("run");
    for (flags, expected) in [
        (vec!["--labels", "161"], "161"),
        (vec!["--lr", "0"], "--lr is 0"),
        (vec!["--from", "nowhere.safetensors"], "--arch"),
        (vec!["--queue", "145"], "145"),
        (vec!["--device", "no-such"], "no-such"),
    ] {
        let pretraining: &[&str] = if flags[0] == "--from" { &[] } else { &PRETRAINING };
        let said = failure(command(data.path(), &out, &[pretraining, &flags].concat()));
        assert!(said.contains(expected), "{flags:?}: {said}");
        assert!(!out.exists(), "{flags:?} left a folder behind");
    }
}
