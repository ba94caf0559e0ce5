//! The promises of the program `evaluate`.

use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use sha2::{Digest, Sha256};
use slowburn::args::Reading;
use slowburn::data::{self, Dataset};
use slowburn::scoring::test_images;
use slowburn::weights::{Choice, Weights};
use slowburn_augment::loader::OnCorrupt;
use slowburn_augment::{WhiteningConfig, presets};
use slowburn_contrastive::evaluation::{Representation, spread};
use slowburn_train::monitor::features;

use crate::program::{
    bare, command, failure, generator, path, pretrain, recipe, slowburn, speckled_folder, success, summary, tiny_data,
    train,
};

/// A folder with data and a short run of `moco` in `run`.
fn pretrained() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    tiny_data(folder.path(), 160, 40);
    let run = folder.path().join("run");
    let mut command = pretrain(folder.path(), &["--epochs", "2"]);
    command.arg("--out").arg(&run);
    success(command);
    (folder, run)
}

fn arguments<'a>(checkpoint: &'a Path, data: &'a Path, flags: &[&'a str]) -> Vec<&'a str> {
    [&[path(checkpoint), "--data", path(data), "--knn", "10", "--epochs", "5"], flags].concat()
}

fn report(checkpoint: &Path, data: &Path, flags: &[&str]) -> serde_json::Value {
    let output = data.join("report.json");
    success(slowburn("evaluate", &arguments(checkpoint, data, &[flags, &["--out", path(&output)]].concat())));
    serde_json::from_slice(&fs::read(&output).expect("written")).expect("JSON")
}

#[test]
fn a_run_and_its_file_score_as_the_run_itself_did() {
    let (data, run) = pretrained();
    let of_run = report(&run, data.path(), &[]);
    assert_eq!(of_run["knn"]["accuracy"], summary(&run)["knn_accuracy"], "the same encoder, images and settings");
    assert_eq!(of_run["encoder_unchanged"], true);

    let file = run.join("query.safetensors");
    // The file says what it needs, wherever it lies; a bare one is told.
    let elsewhere = tempfile::tempdir().expect("a temporary folder");
    let moved = elsewhere.path().join("mine.safetensors");
    fs::copy(&file, &moved).expect("copied");
    assert_eq!(report(&moved, data.path(), &[])["knn"], of_run["knn"]);
    let of_file = report(&bare(&file), data.path(), &["--arch", "small", "--views", "moco_fashion"]);
    assert_eq!(of_file["knn"], of_run["knn"]);
    let average = report(&run, data.path(), &["--encoder", "average"]);
    assert!(average["weights"].as_str().expect("a path").ends_with("key.safetensors"));
    assert_ne!(average["spread"], of_run["spread"], "the average is another network");
    let embedding = report(&run, data.path(), &["--embedding"]);
    assert_eq!((&embedding["knn"]["dim"], &embedding["knn"]["representation"]), (&8.into(), &"embedding".into()));
}

#[test]
fn every_parameter_is_beside_the_score() {
    let (data, run) = pretrained();
    let moco = report(&run, data.path(), &["--protocol", "moco", "--lr", "3", "--seed", "4"]);
    let probe = &moco["linear"]["probe"];
    assert_eq!((&probe["config"]["learning_rate"], &probe["config"]["epochs"]), (&3.0.into(), &5.into()));
    assert_eq!((&probe["config"]["seed"], &probe["config"]["weight_decay"]), (&4.into(), &0.0.into()));
    assert_eq!((&moco["knn"]["k"], &moco["knn"]["temperature"]), (&10.into(), &0.1.into()));
    assert_eq!(probe["config"]["schedule"]["steps"]["at"], serde_json::json!([3, 4]), "60 and 80 of 100, in 5 epochs");
    assert_eq!((&moco["protocol"], &moco["device"], &moco["whitening"]), (&"moco".into(), &"cpu".into(), &().into()));
    let digest = Sha256::digest(fs::read(run.join("query.safetensors")).expect("written"));
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(moco["weights_sha256"], digest);
    let sweep = report(&run, data.path(), &["--standardize"]);
    let sweep = &sweep["linear"]["sweep"];
    assert_eq!(sweep["candidates"].as_array().expect("a list").len(), 8);
    assert_eq!(sweep["held_out_samples"], 16, "a tenth of 160 images, none of them for testing");
    assert_eq!(sweep["probe"]["config"]["standardize"], true);
    let printed = success(slowburn("evaluate", &arguments(&run, data.path(), &["--protocol", "simclr"])));
    let parts =
        ["kNN", "k 10, τ 0.1", "protocol simclr, learning rate 0.1", "5 epochs", "on cpu", &digest, "unchanged"];
    for part in parts {
        assert!(printed.contains(part), "{part} is not in\n{printed}");
    }
}

#[test]
fn a_run_of_mean_teacher_is_scored_too() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    tiny_data(folder.path(), 160, 40);
    let run = folder.path().join("run");
    let mut command =
        command(folder.path(), &["--labels", "16", "--epochs", "1", "--no-baseline", "--logit-distance", "0.1"]);
    command.arg("--out").arg(&run);
    success(command);
    let report = report(&run, folder.path(), &["--encoder", "average"]);
    assert!(report["weights"].as_str().expect("a path").ends_with("teacher.safetensors"));
}

/// Twelve steps of 16 images on whitened colours, as the published rows of CIFAR-10 have them.
fn whitened() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    speckled_folder(folder.path(), 80, 0, 40, true);
    let run = folder.path().join("run");
    let small = ["--preset", "cifar10-1000", "--arch", "small", "--labels", "16", "--epochs", "1"];
    let mut command = command(folder.path(), &small);
    command.arg("--out").arg(&run);
    success(command);
    (folder, run)
}

/// Scored as they are, images would be strangers to the encoder, and nothing would tell.
#[test]
fn a_run_on_whitened_images_is_scored_on_whitened_images() {
    let (folder, run) = whitened();
    let written = report(&run, folder.path(), &[]);
    assert_eq!(written["whitening"]["bias"], 0.1);
    let data = data::load(folder.path(), Reading::default()).expect("a data set");
    assert_eq!(written["data_sha256"], data.fingerprint().expect("readable"), "that of the images as they were loaded");
    let checkpoint = Weights::read(&run, Choice::default()).expect("a run");
    let device = Device::flex();
    let network = {
        let _drawn = generator();
        checkpoint.network(data.image_size(), false, &device).expect("fits")
    };
    let deviation = |data: &Dataset| {
        let set = test_images(data, &presets::mean_teacher_cifar_tf(), 40, OnCorrupt::Stop)
            .expect("fits")
            .expect("there are some");
        spread(features(&network, &set, Representation::Features, &device).expect("finite").features()).std
    };
    let white = data.clone().whitened(&WhiteningConfig::mean_teacher_cifar()).expect("they fit");
    let (found, expected) = (written["spread"]["std"].as_f64().expect("a number"), deviation(&white));
    // Sums on two threads may end in other last digits.
    assert!((found - expected).abs() < 1e-5 * expected, "{found} for {expected}");
    assert!((deviation(&data) - expected).abs() > 1e-2 * expected, "whitening makes a difference");
    let printed = success(slowburn("evaluate", &arguments(&run, folder.path(), &[])));
    assert!(
        printed.contains("whitened as fitted on the training images, bias 0.1, after global_contrast"),
        "{printed}"
    );

    let said = failure(slowburn("evaluate", &arguments(&run, folder.path(), &["--views", "moco_cifar"])));
    assert!(said.contains("--views cannot be given for") && said.contains("whitened"), "{said}");
    let other = tempfile::tempdir().expect("a temporary folder");
    speckled_folder(other.path(), 84, 0, 40, true);
    let said = failure(slowburn("evaluate", &arguments(&run, other.path(), &[])));
    assert!(said.contains("are not the ones that it began with"), "{said}");
}

#[test]
fn an_encoder_of_whitened_images_is_trained_on_with_whitened_images() {
    let (folder, run) = whitened();
    let out = folder.path().join("tuned");
    let line = ["--plain", "--from", path(&run), "--data", path(folder.path()), "--labels", "16", "--epochs", "1"];
    let sizes = ["--batch", "16", "--labeled-batch", "8", "--method", "supervised", "--compare-scratch"];
    let said = failure(train(&[&line[..], &sizes, &["--out", path(&out), "--views", "moco_cifar"]].concat()));
    assert!(said.contains("--views cannot be given for"), "{said}");
    success(train(&[&line[..], &sizes, &["--out", path(&out)]].concat()));
    let trained = recipe(&run);
    for tuned in [recipe(&out), recipe(&out.join("scratch"))] {
        assert_eq!(tuned["whitening"], trained["whitening"]);
        let operations = tuned["views"]["operations"].as_array().expect("a list");
        assert_eq!(operations.len(), 2, "moved and mirrored, not normalised again: {operations:?}");
    }
    // Its own run remembers the images as they were loaded.
    let scored = report(&out, folder.path(), &[]);
    assert_eq!(scored["whitening"], trained["whitening"]);
    // The accuracies are those of its networks on whitened images: `fc`, their classifier, is the head here.
    let (raw, device) = (data::load(folder.path(), Reading::default()).expect("a data set"), Device::flex());
    let white = raw.clone().whitened(&WhiteningConfig::mean_teacher_cifar()).expect("they fit");
    for part in [&out, &out.join("scratch")] {
        let checkpoint = Weights::read(part, Choice::default()).expect("a run");
        let network = {
            let _drawn = generator();
            checkpoint.network(raw.image_size(), true, &device).expect("fits")
        };
        let accuracy = |data: &Dataset| {
            let set = test_images(data, &presets::mean_teacher_cifar_tf(), 40, OnCorrupt::Stop);
            let set = set.expect("fits").expect("there are some");
            let logits = features(&network, &set, Representation::Embedding, &device).expect("finite").features();
            let classes = logits.argmax(1).into_data();
            let hits = classes.iter::<i64>().zip(&data.test.labels).filter(|(ours, truth)| *ours as usize == **truth);
            hits.count() as f64 / 40.0
        };
        let said = summary(part)["student_accuracy"].as_f64().expect("a number");
        assert_eq!(said, accuracy(&white), "{}", part.display());
        assert_ne!(said, accuracy(&raw), "{}: whitening makes a difference", part.display());
    }
    // What whitens is fitted on images that new ones come without.
    let said = failure(slowburn("predict", &[path(&out), path(folder.path())]));
    assert!(said.contains("was trained on whitened images"), "{said}");
}

/// Five normalisations of CIFAR-10 alone are in use: which one is not guessed.
#[test]
fn a_bare_file_of_colour_images_needs_its_views() {
    let data = tempfile::tempdir().expect("a temporary folder");
    speckled_folder(data.path(), 80, 0, 40, true);
    let run = data.path().join("run");
    let mut command = pretrain(data.path(), &["--epochs", "1"]);
    command.arg("--out").arg(&run);
    success(command);
    let file = bare(&run.join("query.safetensors"));
    let said = failure(slowburn("evaluate", &arguments(&file, data.path(), &["--arch", "small"])));
    assert!(said.contains("query.safetensors does not say how") && said.contains("--views"), "{said}");
    let of_file = report(&file, data.path(), &["--arch", "small", "--views", "lightly_moco_cifar"]);
    assert_eq!(of_file["pipeline"]["name"], "lightly_moco_cifar/evaluation");
    assert_eq!(report(&run, data.path(), &[])["knn"]["accuracy"], summary(&run)["knn_accuracy"], "the run's views");
}

/// A checkpoint of MoCo on several GPUs, as `torch.save` and safetensors have it: the query encoder is scored.
#[test]
fn a_checkpoint_with_mocos_prefix_scores_as_without() {
    let (data, run) = pretrained();
    let bytes = fs::read(run.join("query.safetensors")).expect("written");
    let tensors = safetensors::SafeTensors::deserialize(&bytes).expect("intact");
    let (key, pointer) = ([0_u8; 4], [0_u8; 8]);
    let view = |kind, shape, bytes| safetensors::tensor::TensorView::new(kind, shape, bytes).expect("fits");
    let mut named: Vec<_> = tensors.iter().map(|(name, tensor)| (format!("module.encoder_q.{name}"), tensor)).collect();
    named.push(("module.encoder_k.conv1.weight".to_owned(), view(safetensors::Dtype::F32, vec![1], &key[..])));
    named.push(("module.queue_ptr".to_owned(), view(safetensors::Dtype::I64, vec![1], &pointer[..])));
    let file = data.path().join("moco.safetensors");
    fs::write(&file, safetensors::serialize(named, None).expect("serialises")).expect("written");
    let flags = ["--arch", "small", "--views", "moco_fashion"];
    let [with, without] =
        [&file, &bare(&run.join("query.safetensors"))].map(|file| report(file, data.path(), &flags)["knn"].clone());
    assert_eq!(with, without);
    let said = failure(slowburn("evaluate", &arguments(&file, data.path(), &["--arch", "resnet18"])));
    for part in
        ["moco.safetensors, branch `module.encoder_q`, does not fit", "missing: `layer1", "unexpected: `bn2", "more"]
    {
        assert!(said.contains(part), "{part} is not in\n{said}");
    }
}

#[test]
fn what_is_wrong_is_named() {
    let (data, run) = pretrained();
    let (own, file) = (run.join("query.safetensors"), bare(&run.join("query.safetensors")));
    let text = data.path().join("text.safetensors");
    fs::write(&text, "no weights").expect("written");
    for (checkpoint, flags, expected) in [
        (&file, vec![], "name it by --arch (its tensors are those of small)"),
        (&file, vec!["--arch", "resnet18"], "does not fit the network"),
        (&text, vec!["--arch", "small"], "text.safetensors is no"),
        (&run, vec!["--arch", "resnet18"], "says that it is Small"),
        (&run, vec!["--branch", "encoder_q"], "is a run folder"),
        (&file, vec!["--arch", "small", "--branch", "encoder_q"], "no branch `encoder_q`"),
        (&run, vec!["--knn", "161"], "k is 161"),
        (&run, vec!["--temperature", "0"], "temperature is 0"),
        (&run, vec!["--epochs", "0"], "epochs is 0"),
        (&run, vec!["--views", "no_such"], "no_such"),
        (&data.path().to_owned(), vec![], "holds no run"),
    ] {
        let said = failure(slowburn("evaluate", &arguments(checkpoint, data.path(), &flags)));
        assert!(said.contains(expected), "{flags:?}: {said}");
    }
    fs::remove_file(&own).expect("removed");
    let said = failure(slowburn("evaluate", &arguments(&run, data.path(), &[])));
    assert!(said.contains("query.safetensors is not there"), "{said}");
}
