//! Pre-training with a predictor or masked queries, and as the beginning of a training with labels.

use std::fs;
use std::path::Path;

use slowburn_models::weights::WeightsFile;

use crate::no_labels::{data, with_out};
use crate::program::{failure, path, recipe, slowburn, spawn, speckled_folder, success, summary, train};
use crate::resume::{assert_same_end, check_resume, checkpoints, kill_when};

#[test]
fn methods_with_a_predictor_leave_networks_that_can_be_used() {
    let data = data();
    for (method, key, dim) in [("byol", true, 8), ("simsiam", false, 8), ("moco-v3", true, 8)] {
        let out = data.path().join(method);
        let printed = success(with_out(data.path(), &out, &["--method", method, "--epochs", "1", "--hidden", "24"]));
        assert!(printed.contains("predictor of [") && printed.contains("both directions"), "{method}:\n{printed}");
        assert_eq!(out.join("key.safetensors").exists(), key, "{method}");
        assert!(!out.join("queue.safetensors").exists(), "{method}");
        // A projector without the predictor, which belongs to training alone.
        let file =
            WeightsFile::open(out.join("query.safetensors")).and_then(|file| file.state_dict()).expect("weights");
        assert_eq!(file["fc.0.weight"].shape()[0], 24, "{method}");
        assert!(file.keys().all(|name| !name.contains("predictor")), "{method}");

        let features = data.path().join(format!("{method}.npy"));
        let embed = ["--embedding", "--out", path(&features)];
        success(slowburn("embed", &[&[path(&out), path(data.path())][..], &embed].concat()));
        let header = fs::read(&features).expect("written");
        let said = String::from_utf8_lossy(&header[..128]).into_owned();
        assert!(said.contains(&format!(", {dim})")), "{method}: {said}");
        assert!(summary(&out)["knn_accuracy"].as_f64().is_some_and(|accuracy| accuracy > 0.5), "{method}");
    }
}

#[test]
fn byol_resumes_bit_for_bit() {
    check_resume(data().path(), &["--method", "byol"]);
}

#[test]
fn simsiam_resumes_bit_for_bit() {
    check_resume(data().path(), &["--method", "simsiam"]);
}

#[test]
fn moco_v3_resumes_bit_for_bit() {
    check_resume(data().path(), &["--method", "moco-v3"]);
}

#[test]
fn masked_queries_are_scored_on_whole_images() {
    let data = data();
    let [masked, plain] = ["masked", "plain"].map(|name| data.path().join(name));
    let printed = success(with_out(data.path(), &masked, &["--mask", "0.5", "--epochs", "2"]));
    assert!(printed.contains("0.5 of the patches of 2×2 px"), "{printed}");
    success(with_out(data.path(), &plain, &["--epochs", "2"]));
    let loss = |run: &Path| summary(run)["loss"].as_f64().expect("a loss");
    assert!(loss(&masked) > loss(&plain), "a masked query is further from its key");
    assert!(summary(&masked)["knn_accuracy"].as_f64().is_some_and(|accuracy| accuracy > 0.5));
    check_resume(data.path(), &["--mask", "0.5"]);
}

/// Where no batch of images is whole, statistics are renewed on the largest.
#[test]
fn masked_queries_are_scored_where_every_batch_has_a_broken_photo() {
    let data = tempfile::tempdir().expect("a temporary folder");
    speckled_folder(data.path(), 40, 0, 8, true);
    for class in 0..4 {
        // The second and the seventh of a class, of ten: the monitor looks at the first and the sixth.
        for index in [class + 4, class + 24] {
            let photo = data.path().join(format!("train/class{class}/{index:04}.png"));
            assert!(photo.exists());
            fs::write(photo, [0xff, 0xd8]).expect("written");
        }
    }
    let out = data.path().join("run");
    let flags =
        ["--method", "moco", "--arch", "small", "--splits", "2", "--epochs", "2", "--batch", "8", "--queue", "16"];
    let others = ["--mask", "0.5", "--broken", "skip", "--knn", "5", "--size", "12"];
    success(with_out(data.path(), &out, &[&flags[..], &others].concat()));
    assert!(summary(&out)["knn_accuracy"].as_f64().is_some_and(|accuracy| accuracy > 0.25), "{}", summary(&out));
}

#[test]
fn what_a_method_does_not_read_is_refused() {
    let data = data();
    for (flags, said) in [
        (&["--method=byol", "--queue=64"][..], "--queue means nothing to --method byol: it has no negatives"),
        (&["--method=simsiam", "--decay=0.9"], "--decay means nothing to --method simsiam"),
        (&["--method=moco-v3", "--version=v1"], "--version means nothing to --method moco-v3"),
        (&["--method=byol", "--mask=0.3"], "--mask means nothing to --method byol"),
        (&["--method=moco", "--mask=0.3", "--symmetric"], "--mask is for one direction"),
        (&["--method=moco", "--mask=1", "--queue=48"], "--mask is 1: it must be in [0, 1)"),
        (&["--method=moco", "--hidden=8", "--queue=48"], "--hidden means nothing to --method moco"),
    ] {
        let out = data.path().join("out");
        let line = [&["--data", path(data.path()), "--out", path(&out)][..], flags].concat();
        let message = failure(slowburn("pretrain", &line));
        assert!(message.contains(said), "{flags:?}: {message}");
        assert!(!out.exists(), "{flags:?} left a folder behind");
    }
}

/// The encoder of `train --pretrain` is the one that `train` would begin with.
#[test]
fn pre_training_whitens_patches_where_the_training_would() {
    let data = data();
    for (arch, whitens) in [("resnet9-quarter", true), ("small", false)] {
        let out = data.path().join(arch);
        let line = ["--plain", "--data", path(data.path()), "--labels", "16", "--epochs", "0.1", "--batch", "16"];
        let flags = ["--method", "fixmatch", "--pretrain", "1", "--arch", arch, "--no-baseline", "--out", path(&out)];
        let before = out.join("pretrain");
        success(train(&[&line[..], &flags].concat()));
        assert_eq!(recipe(&out)["pretrain"]["network"]["whiten_patches"], whitens, "{arch}");
        if whitens {
            // So slowly that the first weights are still to be seen.
            let (slow, config) = (data.path().join("slow"), data.path().join("slow.json"));
            fs::write(&config, serde_json::to_vec(&recipe(&before)).expect("settings")).expect("written");
            success(slowburn(
                "pretrain",
                &["--plain", "--config", path(&config), "--lr", "1e-9", "--knn", "10", "--out", path(&slow)],
            ));
            let file = WeightsFile::open(slow.join("query.safetensors")).and_then(|file| file.state_dict());
            let weights = file.expect("weights")["conv1.weight"].try_to_vec::<f32>().expect("numbers");
            // Filters of one sign, then the same of the other.
            let (one, other) = weights.split_at(weights.len() / 2);
            assert!(one.iter().zip(other).all(|(one, other)| (one + other).abs() < 1e-4), "{weights:?}");
            assert!(one.iter().any(|weight| weight.abs() > 0.1));
        }
    }
}

/// Pre-training and training with labels as one run.
#[test]
fn training_can_begin_with_pre_training_and_goes_on_where_it_stopped() {
    let data = data();
    let out = data.path().join("both");
    let small = ["--plain", "--data", path(data.path()), "--labels", "16", "--epochs", "1", "--batch", "16"];
    let both = ["--pretrain", "1", "--pretrain-method", "byol", "--compare-scratch", "--method", "fixmatch"];
    let line = [&small[..], &both, &["--out", path(&out)]].concat();
    let printed = success(train(&line));
    for term in ["byol", "from scratch", "pre-trained", "supervised, labels alone"] {
        assert!(printed.contains(term), "{term} is not in\n{printed}");
    }
    let before = out.join("pretrain");
    assert!(summary(&before).get("knn_accuracy").is_none(), "no label is known to it");
    assert_eq!(recipe(&out)["pretrain"]["method"], "byol");
    assert_eq!(recipe(&out)["views"]["operations"].as_array().map(Vec::len), Some(3));
    // Labels alone are without what images without a label gave.
    let whole = summary(&out);
    assert_eq!(whole["supervised_accuracy"], whole["scratch"]["supervised_accuracy"]);

    // Stopped before its end it goes on, without pre-training once more, and ends as it did.
    let written = fs::metadata(before.join("query.safetensors")).and_then(|file| file.modified()).expect("there");
    for checkpoint in fs::read_dir(out.join("checkpoints")).expect("there").flatten() {
        fs::remove_file(checkpoint.path()).expect("removed");
    }
    fs::remove_file(out.join("summary.json")).expect("removed");
    success(train(&["--plain", "--resume", path(&out)]));
    assert_eq!(summary(&out)["teacher_accuracy"], whole["teacher_accuracy"]);
    let after = fs::metadata(before.join("query.safetensors")).and_then(|file| file.modified()).expect("there");
    assert_eq!(after, written);
}

/// What chooses the best epoch is in no stream, that of the pre-training among them.
#[test]
fn images_that_choose_are_not_pre_trained_on() {
    let data = data();
    for (validation, batch) in [("0", 160 / 8), ("0.8", (160 - 64) / 8)] {
        let out = data.path().join(validation);
        let line = ["--plain", "--data", path(data.path()), "--labels", "80", "--epochs", "0.1", "--batch", "16"];
        let flags = ["--pretrain", "1", "--no-baseline", "--arch", "small", "--validation", validation];
        success(train(&[&line[..], &flags, &["--out", path(&out)]].concat()));
        assert_eq!(recipe(&out)["pretrain"]["batch"], batch, "an eighth of its images");
        assert_eq!(summary(&out.join("pretrain"))["steps"], 8, "one pass over them");
    }
}

/// Settings of the pre-training that a file says stay.
#[test]
fn a_settings_file_says_how_to_pre_train() {
    let data = data();
    let [first, second] = ["first", "second"].map(|name| data.path().join(name));
    let line = ["--plain", "--data", path(data.path()), "--labels", "16", "--epochs", "0.1", "--no-baseline"];
    success(train(&[&line[..], &["--pretrain", "1", "--arch", "small", "--out", path(&first)]].concat()));
    let mut settings = recipe(&first);
    assert_ne!(settings["pretrain"]["temperature"], 0.7);
    (settings["pretrain"]["batch"], settings["pretrain"]["temperature"]) = (10.into(), 0.7.into());
    let config = data.path().join("settings.json");
    fs::write(&config, settings.to_string()).expect("written");
    success(train(&["--plain", "--config", path(&config), "--out", path(&second)]));
    let before = recipe(&second)["pretrain"].take();
    assert_eq!((&before["batch"], &before["temperature"]), (&10.into(), &0.7.into()));
}

/// SIGKILL in the pre-training, then in the training.
#[test]
fn pre_training_and_training_resume_bit_for_bit() {
    let data = data();
    let [whole, killed] = ["whole", "killed"].map(|name| data.path().join(name));
    let both = |out: &Path| {
        let line = ["--plain", "--data", path(data.path()), "--labels", "16", "--epochs", "6", "--batch", "16"];
        train(&[&line[..], &["--method", "fixmatch", "--no-baseline", "--pretrain", "8", "--out", path(out)]].concat())
    };
    success(both(&whole));
    let before = killed.join("pretrain");
    kill_when(spawn(both(&killed)), || !checkpoints(&before).is_empty());
    assert!(!before.join("summary.json").exists(), "pre-training ended before it was killed");
    let resume = || train(&["--plain", "--resume", path(&killed)]);
    kill_when(spawn(resume()), || !checkpoints(&killed).is_empty());
    assert!(!killed.join("summary.json").exists(), "it ended before it was killed again");
    success(resume());
    assert_same_end(&whole, &killed);
    assert_same_end(&whole.join("pretrain"), &before);
}
