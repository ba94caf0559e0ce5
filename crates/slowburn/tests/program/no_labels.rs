//! The promises of the program `moco`.

use std::fs;
use std::path::Path;
use std::process::Command;

use slowburn_models::weights::WeightsFile;

use crate::program::{failure, path, pretrain, recipe, run, slowburn, speckled_folder, success, summary, tiny_data};
use crate::resume::{check_resume, checkpoints};

pub(crate) fn data() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    tiny_data(folder.path(), 160, 40);
    folder
}

pub(crate) fn with_out(data: &Path, out: &Path, flags: &[&str]) -> Command {
    let mut command = pretrain(data, flags);
    command.arg("--out").arg(out);
    command
}

#[test]
fn a_run_leaves_all_that_is_promised() {
    let data = data();
    let out = data.path().join("run");
    let printed = success(with_out(data.path(), &out, &["--epochs", "3", "--monitor", "2", "--seed", "5"]));
    for term in ["chance", "pre-trained", "random encoder", "pixels", "linear probe", "feature std"] {
        assert!(printed.contains(term), "{term} is not in\n{printed}");
    }
    for file in [
        "config.json",
        "metrics.jsonl",
        "curves.svg",
        "curves.png",
        "scatter.svg",
        "scatter.png",
        "query.safetensors",
        "key.safetensors",
    ] {
        assert!(out.join(file).metadata().expect(file).len() > 0, "{file}");
    }
    let summary = summary(&out);
    for fraction in [
        "knn_accuracy",
        "random_knn_accuracy",
        "pixel_knn_accuracy",
        "linear_accuracy",
        "random_linear_accuracy",
        "pixel_linear_accuracy",
    ] {
        let value = summary[fraction].as_f64().expect(fraction);
        let right = value * 40.0;
        assert!((right - right.round()).abs() < 1e-9, "{fraction} of 40 test images is {value}");
        assert!(printed.contains(&format!("{:.2}", 100.0 * value)), "{fraction}, {value}, is not in\n{printed}");
        // Four classes that pixels alone tell apart.
        assert!(value > 0.5, "{fraction} is {value}");
    }
    let chance = summary["chance_loss"].as_f64().expect("a number");
    assert!((chance - 49f64.ln()).abs() < 1e-12, "ln(K+1) is {chance}");
    assert!(summary["loss"].as_f64() > Some(0.0) && summary["train_seconds"].as_f64() > Some(0.0));
    assert!(summary["images_per_second"].as_f64() > Some(0.0));
    assert_eq!((summary["seed"].as_u64(), summary["steps"].as_u64()), (Some(5), Some(30)));
    assert_eq!(summary["scores"]["knn"]["k"].as_u64(), Some(10), "parameters are beside the score");

    let metrics = fs::read_to_string(out.join("metrics.jsonl")).expect("written");
    let looked: Vec<bool> = metrics
        .lines()
        .map(|row| serde_json::from_str::<serde_json::Value>(row).expect("JSON")["knn_accuracy"].is_number())
        .collect();
    assert_eq!(looked, [false, true, true], "the monitor looks every second epoch and at the end");
}

#[test]
fn random_weights_and_pixels_are_left_out_on_request() {
    let data = data();
    let out = data.path().join("run");
    let printed = success(with_out(data.path(), &out, &["--epochs", "1", "--no-baseline"]));
    assert!(printed.contains("pre-trained") && !printed.contains("pixels"), "{printed}");
    let summary = summary(&out);
    assert!(summary["knn_accuracy"].is_number() && summary["linear_accuracy"].is_number());
    for left_out in ["random_knn_accuracy", "pixel_knn_accuracy", "random_linear_accuracy", "pixel_linear_accuracy"] {
        assert!(summary.get(left_out).is_none(), "{left_out}");
    }
}

#[test]
fn the_files_have_the_names_of_mocos_checkpoints_and_the_key_encoder_lags_behind() {
    let data = data();
    let out = data.path().join("run");
    success(with_out(data.path(), &out, &["--epochs", "1"]));
    let read = |name: &str| WeightsFile::open(out.join(name)).and_then(|file| file.state_dict()).expect("intact");
    let (query, key) = (read("query.safetensors"), read("key.safetensors"));
    for name in ["conv1.weight", "bn1.running_mean", "fc.0.weight", "fc.2.bias"] {
        assert!(query.contains_key(name), "{name} is not in {:?}", query.keys());
    }
    assert!(query.keys().eq(key.keys()));
    assert_ne!(query["conv1.weight"], key["conv1.weight"], "an average lags behind");
    assert_ne!(query["bn1.running_mean"], key["bn1.running_mean"], "statistics of its own");
}

/// Speckles in places drawn anew: what random weights make of an image is mostly where its speckles are, of which crops
/// leave nothing. Images chosen so that a program that trains can be told from one that does not: on others of this size,
/// whose classes random weights see at once, there is nothing to gain. docs/experiments.md has real images.
#[test]
fn pre_training_teaches_more_than_random_weights_know() {
    let data = tempfile::tempdir().expect("a temporary folder");
    speckled_folder(data.path(), 320, 0, 160, false);
    let out = data.path().join("run");
    success(with_out(data.path(), &out, &["--epochs", "20", "--queue", "128"]));
    let summary = summary(&out);
    let number = |name: &str| summary[name].as_f64().expect(name);
    assert!(number("loss") < 0.97 * number("chance_loss"), "loss {} of {}", number("loss"), number("chance_loss"));
    let (knn, random) = (number("knn_accuracy"), number("random_knn_accuracy"));
    println!("kNN {knn} beside {random}, pixels {}", number("pixel_knn_accuracy"));
    assert!(knn > random + 0.1, "kNN {knn}, {random} with random weights");
    let (linear, random) = (number("linear_accuracy"), number("random_linear_accuracy"));
    println!("linear {linear} beside {random}");
    assert!(linear > random + 0.05, "linear {linear}, {random} with random weights");
    assert!(number("feature_std") > 0.1 * number("even_std"), "features have collapsed: {}", number("feature_std"));
}

/// Labels are for scores alone: images without one are trained on, and are in no score.
#[test]
fn images_without_a_label_are_trained_on_and_not_scored_by() {
    let data = tempfile::tempdir().expect("a temporary folder");
    speckled_folder(data.path(), 120, 40, 40, true);
    let out = data.path().join("run");
    success(with_out(data.path(), &out, &["--epochs", "1"]));
    let whole = summary(&out);
    assert_eq!(whole["steps"].as_u64(), Some(7), "120 images in batches of 16");
    assert_eq!((whole["train_images"].as_u64(), whole["test_images"].as_u64()), (Some(80), Some(40)));

    let report = data.path().join("report.json");
    let line = [path(&out), "--data", path(data.path()), "--knn", "10", "--epochs", "2"];
    success(slowburn("evaluate", &[&line[..], &["--out", path(&report)]].concat()));
    let report: serde_json::Value = serde_json::from_slice(&fs::read(&report).expect("written")).expect("JSON");
    assert_eq!((report["knn"]["bank"].as_u64(), report["knn"]["queries"].as_u64()), (Some(80), Some(40)));
    assert_eq!(report["knn"]["accuracy"], whole["knn_accuracy"]);
}

/// At a temperature of a thousand every key is as likely as any other.
#[test]
fn a_loss_that_stays_at_chance_is_warned_of() {
    let data = data();
    let out = data.path().join("run");
    let output = run(with_out(data.path(), &out, &["--epochs", "4", "--temperature", "1000", "--monitor", "1"]));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("epoch 4: the loss") && said.contains("not 1 % below chance, 3.89"), "{said}");
    assert!(!said.contains("epoch 3: the loss"), "the first epochs may be at chance: {said}");
}

/// Images that are almost one.
#[test]
fn a_collapse_of_the_features_is_warned_of() {
    let data = tempfile::tempdir().expect("a temporary folder");
    for (set, count) in [("train", 12), ("test", 3)] {
        for class in 0..4_u8 {
            let folder = data.path().join(set).join(format!("class{class}"));
            fs::create_dir_all(&folder).expect("made");
            for index in 0..count {
                let image = image::GrayImage::from_pixel(12, 12, image::Luma([128 + class]));
                image.save(folder.join(format!("{index}.png"))).expect("written");
            }
        }
    }
    let out = data.path().join("run");
    let output = run(with_out(data.path(), &out, &["--epochs", "1", "--queue", "32"]));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("epoch 1: features collapse: their standard deviation is 0.0"), "{said}");
}

#[test]
fn keys_in_the_order_of_queries_are_warned_of() {
    let data = data();
    let said = |name: &str, flags: &[&str]| {
        let output = run(with_out(data.path(), &data.path().join(name), &[&["--epochs", "0.1"], flags].concat()));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        said
    };
    let warning = "into 2 groups, but keys are not shuffled: a query and its key share their group";
    let without = said("without", &["--no-shuffle"]);
    assert!(without.contains("WARN") && without.contains(warning), "{without}");
    assert!(!said("with", &[]).contains("WARN"), "nothing is wrong with the defaults");
}

/// What a preset says and no default does: views of a size of its own, scores of two representations, MoCo's probe.
#[test]
fn a_preset_trains_on_images_of_any_size() {
    let data = tempfile::tempdir().expect("a temporary folder");
    speckled_folder(data.path(), 60, 0, 20, true);
    let out = data.path().join("run");
    let flags = ["--preset", "cifar10-symmetric-200", "--arch", "small", "--epochs", "0.6", "--queue", "48"];
    success(with_out(data.path(), &out, &flags));
    let summary = summary(&out);
    assert_eq!((summary["steps"].as_u64(), summary["version"].as_str()), (Some(2), Some("v1")));
    let scores = &summary["scores"];
    assert_eq!((&scores["knn"]["representation"], &scores["knn"]["dim"]), (&"embedding".into(), &8.into()));
    let probe = &scores["linear"]["probe"];
    assert_eq!((&probe["representation"], &probe["config"]["learning_rate"]), (&"features".into(), &30.0.into()));
    let written = recipe(&out);
    assert_eq!((&written["preset"], &written["symmetric"]), (&"cifar10-symmetric-200".into(), &true.into()));
    assert_eq!(written["views"]["name"], "moco_cifar");
}

#[test]
fn every_method_and_version_trains() {
    let data = data();
    for (name, flags) in [
        ("v1", vec!["--version", "v1", "--symmetric"]),
        ("end", vec!["--method", "end-to-end"]),
        ("bank", vec!["--method", "memory-bank"]),
        ("plain", vec!["--splits", "1", "--no-shuffle"]),
        ("deep", vec!["--arch", "resnet18", "--batch", "8"]),
    ] {
        let out = data.path().join(name);
        success(with_out(data.path(), &out, &[&["--epochs", "0.2"], &flags[..]].concat()));
        assert!(out.join("query.safetensors").exists(), "{name}");
    }
}

#[test]
fn moco_resumes_bit_for_bit() {
    // 48 keys and batches of 16: the pointer is not where it began at the end of an epoch of 10 steps.
    check_resume(data().path(), &["--symmetric"]);
}

#[test]
fn end_to_end_training_resumes_bit_for_bit() {
    check_resume(data().path(), &["--method", "end-to-end"]);
}

#[test]
fn the_memory_bank_resumes_bit_for_bit() {
    check_resume(data().path(), &["--method", "memory-bank"]);
}

/// Every kind of bad input: what is said, and that nothing was written.
#[test]
fn bad_input_is_named_and_writes_nothing() {
    let data = data();
    for (flags, expected) in [
        (["--queue", "145"], "--queue is 145"),
        (["--queue", "8"], "must hold the 16 keys of one step"),
        (["--batch", "162"], "--batch is 162, but there are 160 training images"),
        (["--splits", "5"], "multiple of --splits, 5"),
        (["--decay", "1.5"], "--decay is 1.5"),
        (["--temperature", "-1"], "--temperature is -1"),
        (["--knn", "150"], "kNN with k = 150"),
        (["--data", "/nowhere"], "/nowhere"),
        (["--device", "tpu"], "unknown device `tpu`"),
        (["--preset", "no-such"], "no recipe `no-such`"),
    ] {
        let out = data.path().join("out");
        let flag = format!("{}={}", flags[0], flags[1]);
        let said = failure(with_out(data.path(), &out, &[&flag]));
        assert!(said.contains(expected), "{flags:?}: {said}");
        assert!(!out.exists(), "{flags:?} left a folder behind");
    }
}

/// What was chosen for grey images by trials goes with the method; what somebody says goes before it.
#[test]
fn end_to_end_training_on_grey_images_has_a_rate_and_a_temperature_of_its_own() {
    let data = data();
    let shown = |flags: &[&str]| {
        let out = data.path().join("run");
        let printed = success(with_out(data.path(), &out, &[flags, &["--dry-run"]].concat()));
        let value = |setting: &str| {
            let line = printed.lines().find(|line| line.starts_with(&format!("{setting} ")));
            line.and_then(|line| line.split_whitespace().nth(1)).unwrap_or_else(|| panic!("no {setting}")).to_owned()
        };
        ["optimizer.learning_rate", "temperature", "views"].map(value)
    };
    // 0.3·16/256.
    assert_eq!(shown(&["--method", "end-to-end"]), ["0.01875", "0.1", "in_batch_fashion"]);
    assert_eq!(shown(&["--method", "end-to-end", "--lr", "0.06"]), ["0.06", "0.1", "in_batch_fashion"]);
    assert_eq!(shown(&["--method", "end-to-end", "--temperature", "0.3"]), ["0.01875", "0.3", "in_batch_fashion"]);
    assert_eq!(shown(&["--method", "moco"]), ["0.06", "0.2", "moco_fashion"]);
}

#[test]
fn other_settings_are_refused_by_name() {
    let data = data();
    let run = data.path().join("run");
    success(with_out(data.path(), &run, &["--epochs", "0.2"]));
    let said = failure(pretrain(data.path(), &["--resume", path(&run), "--epochs", "0.2", "--temperature", "0.5"]));
    assert!(said.contains("temperature: 0.2 in the run, 0.5 asked for"), "{said}");
}

#[test]
fn a_loss_that_is_no_number_stops_the_run() {
    let data = data();
    let out = data.path().join("run");
    let said = failure(with_out(data.path(), &out, &["--lr", "1e38"]));
    assert!(said.contains("the loss is") && said.contains("raise --temperature"), "{said}");
    assert!(!out.join("summary.json").exists(), "a failed run has no summary");
}

/// The loss of an epoch's only step is read before the step: what it did shows in the weights alone.
#[test]
fn weights_that_diverge_in_the_last_step_of_an_epoch_are_in_no_checkpoint() {
    let data = data();
    let out = data.path().join("run");
    let said = failure(with_out(data.path(), &out, &["--method", "end-to-end", "--batch", "160", "--lr", "1e39"]));
    let expected = "the weights have diverged by step 1 of end-to-end: the absolute values of `";
    assert!(said.contains(expected) && said.contains("raise --temperature"), "{said}");
    assert!(checkpoints(&out).is_empty(), "{:?}", checkpoints(&out));
}

#[test]
fn the_list_of_presets_shows_published_numbers() {
    let printed = success(pretrain(Path::new("."), &["--preset", "list"]));
    for part in ["cifar10-200", "82.6 kNN", "imagenet-v1-200", "60.8 ± 0.2 linear"] {
        assert!(printed.contains(part), "{part} is not in\n{printed}");
    }
}

/// The ImageNet presets crop: photos of several sizes are read as they are needed.
#[test]
fn an_imagenet_preset_streams_photos_of_several_sizes() {
    let data = tempfile::tempdir().expect("a temporary folder");
    speckled_folder(data.path(), 24, 0, 8, true);
    for folder in std::fs::read_dir(data.path().join("train")).expect("readable") {
        let folder = folder.expect("one").path();
        let path = std::fs::read_dir(&folder).expect("readable").next().expect("an image").expect("one").path();
        image::RgbImage::from_pixel(40, 25, image::Rgb([90, 30, 60])).save(path).expect("written");
    }
    let loaded = ::slowburn::data::load(data.path(), ::slowburn::args::Reading::default()).expect("a data set");
    assert!(loaded.train.memory.is_none() && loaded.test.memory.is_some());
    let out = data.path().join("run");
    let flags = ["--preset", "imagenet-v2-200", "--arch", "small", "--splits", "1", "--epochs", "0.7", "--batch", "8"];
    let sizes = ["--queue", "16", "--knn", "5", "--no-shuffle"];
    success(with_out(data.path(), &out, &[&flags[..], &sizes].concat()));
    assert_eq!(summary(&out)["train_images"], 24);
}
