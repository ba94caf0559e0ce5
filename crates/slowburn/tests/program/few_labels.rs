//! The program's promises: what it prints, writes and refuses.

use std::fs;
use std::path::Path;

use slowburn_models::StateDict;
use slowburn_models::weights::WeightsFile;

use crate::program::{command, failure, path, run, success, tiny_data, train};
use crate::resume::checkpoints;

const SHORT: &[&str] = &["--labels", "16", "--epochs", "3"];

fn data() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    tiny_data(folder.path(), 160, 40);
    folder
}

fn with_out(data: &Path, out: &Path, flags: &[&str]) -> std::process::Command {
    let mut command = command(data, SHORT);
    command.args(flags).arg("--out").arg(out);
    command
}

#[test]
fn every_method_learns_better_than_chance() {
    let data = data();
    for method in ["mean-teacher", "fixmatch", "flexmatch", "freematch", "ict", "pi", "temporal", "supervised"] {
        let out = data.path().join(method);
        let printed = success(with_out(data.path(), &out, &["--method", method, "--epochs", "12", "--no-baseline"]));
        let summary: serde_json::Value =
            serde_json::from_slice(&fs::read(out.join("summary.json")).expect("written")).expect("JSON");
        let accuracy = summary["student_accuracy"].as_f64().expect("a number");
        assert!(accuracy > 0.6, "{method}: {accuracy} of four classes\n{printed}");
    }
}

#[test]
fn a_run_leaves_all_that_is_promised() {
    let data = data();
    let out = data.path().join("run");
    let printed = success(with_out(data.path(), &out, &["--seed", "5"]));
    for term in ["consistency", "effective ratio", "learning rate", "labels", "device", "seed"] {
        assert!(printed.contains(term), "{term} is not in\n{printed}");
    }
    assert!(printed.contains("supervised, labels alone") && printed.contains("mean-teacher, teacher"), "{printed}");
    for file in
        ["config.json", "metrics.jsonl", "curves.svg", "curves.png", "student.safetensors", "teacher.safetensors"]
    {
        assert!(out.join(file).metadata().expect(file).len() > 0, "{file}");
    }
    let summary: serde_json::Value =
        serde_json::from_slice(&fs::read(out.join("summary.json")).expect("written")).expect("JSON");
    for fraction in ["supervised_accuracy", "student_accuracy", "teacher_accuracy"] {
        let value = summary[fraction].as_f64().expect(fraction);
        assert!((0.0..=1.0).contains(&value), "{fraction} is {value}");
    }
    assert_eq!(
        (summary["seed"].as_u64(), summary["labels"].as_u64(), summary["epochs"].as_u64()),
        (Some(5), Some(16), Some(3))
    );
    assert!(summary["train_seconds"].as_f64() > Some(0.0) && summary["images_per_second"].as_f64() > Some(0.0));
    let rows = fs::read_to_string(out.join("metrics.jsonl")).expect("written").lines().count();
    assert_eq!(rows, 6, "three epochs of the baseline and three of the method");
}

#[test]
fn without_unlabelled_images_it_is_supervised_training() {
    let data = data();
    let out = data.path().join("run");
    let printed = success(with_out(data.path(), &out, &["--labels", "all", "--no-baseline"]));
    assert!(printed.contains("0 images in the unlabelled stream"), "{printed}");
}

/// A tenth of an epoch with these flags: what is in the run's settings, its last row of metrics and its student's weights.
fn short_run(data: &Path, name: &str, flags: &[&str]) -> (String, serde_json::Value, StateDict) {
    let out = data.join(name);
    let short =
        ["--plain", "--labeled-batch", "4", "--labels", "8", "--epochs", "0.1", "--no-baseline", "--batch", "8"];
    let mut command = train(&[&short[..], flags].concat());
    command.arg("--data").arg(data).arg("--out").arg(&out);
    success(command);
    let read = |file: &str| fs::read_to_string(out.join(file)).expect(file);
    let metrics = serde_json::from_str(read("metrics.jsonl").lines().last().expect("a row")).expect("JSON");
    let config = read("config.json");
    let student = out.join("student.safetensors");
    let weights = WeightsFile::open(student).and_then(|file| file.state_dict()).expect("weights");
    // Checkpoints of large networks fill a disk.
    fs::remove_dir_all(&out).expect("removed");
    (config, metrics, weights)
}

#[test]
fn every_network_is_the_one_that_was_asked_for_and_learns() {
    let data = data();
    for (arch, weight, tensors) in [
        ("small", "conv2.weight", 17),
        ("resnet18", "layer4.1.conv2.weight", 102),
        ("wrn28-2", "block3.3.conv2.weight", 130),
        ("convnet13", "block3.2.conv.weight", 47),
    ] {
        let name = |steps: &str| format!("{arch}-{steps}");
        let (config, metrics, weights) = short_run(data.path(), &name("more"), &["--arch", arch]);
        assert!(config.contains(&format!("\"{arch}\"")), "{arch} is not in {config}");
        let cost = metrics["class_cost"].as_f64().expect("a number");
        assert!(cost.is_finite() && cost > 0.0, "{arch}: {metrics}");
        assert_eq!((weights.contains_key(weight), weights.len()), (true, tensors), "{arch}: {:?}", weights.keys());
        let (_, _, still) = short_run(data.path(), &name("still"), &["--arch", arch, "--lr", "1e-30"]);
        assert_ne!(weights[weight], still[weight], "{arch}'s optimizer leaves {weight} alone");
    }
}

#[test]
fn a_first_convolution_that_whitens_patches_holds_filters_and_their_opposites() {
    let data = data();
    let config = data.path().join("patches.json");
    fs::write(&config, r#"{"network": {"arch": "resnet9-half", "whiten_patches": true}}"#).expect("written");
    let flags = ["--config", path(&config), "--method", "mean-teacher", "--lr", "1e-30"];
    let (said, _, weights) = short_run(data.path(), "whitened", &flags);
    assert!(said.contains("\"whiten_patches\": true"), "{said}");
    let filters: Vec<f32> = weights["conv1.weight"].iter().collect();
    // Grey images have nine components, which is fewer than half of the filters: these come first.
    let found: Vec<bool> = (0..9 * 9).map(|at| filters[at] != 0.0 && filters[at] == -filters[9 * 9 + at]).collect();
    assert!(found.iter().all(|it| *it), "{filters:?}");
    assert_eq!(filters.len(), 32 * 9);
    let settings = r#"{"network": {"arch": "resnet9-half", "whiten_patches": false}}"#;
    let plain = data.path().join("plain.json");
    fs::write(&plain, settings).expect("written");
    let (_, _, weights) = short_run(data.path(), "plain", &["--config", path(&plain), "--lr", "1e-30"]);
    let random: Vec<f32> = weights["conv1.weight"].iter().collect();
    assert!((0..9 * 9).all(|at| random[at] != -random[9 * 9 + at]), "whitened without being asked");
    let other = ["--config", path(&config), "--arch", "small"];
    let (said, _, _) = short_run(data.path(), "small", &other);
    assert!(said.contains("\"whiten_patches\": false"), "{said}");
}

#[test]
fn every_cost_is_the_one_that_was_asked_for() {
    let data = data();
    let cost = |name: &str, flags: &[&str]| {
        let (_, metrics, weights) = short_run(data.path(), name, flags);
        (metrics["consistency_cost"].as_f64().expect("a number"), weights)
    };
    let ((mse, _), (kl, _)) = (cost("mse", &[]), cost("kl", &["--consistency", "kl"]));
    // Of the same predictions: the divergence is at least half the squared distance in 1-norm, hence twice the sum of squares
    // where half of the difference is up and half down, and the cost takes the mean over four classes.
    assert!(mse > 0.0 && kl > 2.0 * mse, "{kl} beside {mse}");
    let (_, heads) = cost("heads", &["--logit-distance", "0.01"]);
    let second: Vec<&String> = heads.keys().filter(|name| name.contains("consistency")).collect();
    assert_eq!(second.len(), 2, "weight and bias of the second head: {:?}", heads.keys());
}

/// Each method does something of its own, and is said to be active.
#[test]
fn every_method_ends_with_other_weights() {
    let data = data();
    let mut seen = Vec::new();
    for (method, term) in [
        ("mean-teacher", "average of weights"),
        ("fixmatch", "strong views"),
        ("flexmatch", "less for classes that are learned slowly"),
        ("freematch", "less for rare classes"),
        ("ict", "on mixed images"),
        ("pi", "the student itself"),
        ("temporal", "average of predictions"),
        ("supervised", "none"),
    ] {
        let (_, metrics, weights) = short_run(data.path(), method, &["--method", method, "--seed", "7"]);
        assert!(seen.iter().all(|other| *other != weights), "{method} is as another method");
        let kept = metrics.get("kept").and_then(serde_json::Value::as_f64);
        let selects = method.ends_with("match");
        assert_eq!(kept.is_some(), selects, "{method}: {kept:?}");
        assert!(kept.is_none_or(|kept| (0.0..=1.0).contains(&kept)), "{method}: {kept:?}");
        let number = |name: &str| metrics.get(name).and_then(serde_json::Value::as_f64);
        let fairness = number("regularizer");
        assert_eq!(fairness.is_some(), method == "freematch", "{method}: {fairness:?}");
        if let (Some(fairness), Some(loss)) = (fairness, number("loss")) {
            let parts = number("class_cost").zip(number("consistency_cost")).expect("costs");
            assert!((loss - parts.0 - parts.1 - 0.01 * fairness).abs() < 1e-4, "{metrics:?}");
        }
        let mut command =
            command(data.path(), &["--method", method, "--labels", "16", "--epochs", "0.1", "--no-baseline"]);
        command.arg("--out").arg(data.path().join(format!("{method}-said")));
        let said = success(command);
        assert!(said.contains(term), "{method}: {term} is not in\n{said}");
        seen.push(weights);
    }
}

#[test]
fn labelled_images_have_strong_views_where_asked() {
    let data = data();
    for method in ["supervised", "mean-teacher", "fixmatch"] {
        let (config, _, weak) = short_run(data.path(), "weak", &["--method", method]);
        assert!(config.contains("\"strong_labels\": false"), "{config}");
        let (config, _, strong) = short_run(data.path(), "strong", &["--method", method, "--strong-labels"]);
        assert!(config.contains("\"strong_labels\": true") && config.contains("rand_augment"), "{config}");
        assert_ne!(weak, strong, "{method}");
    }
}

#[test]
fn mean_teacher_has_strong_views_where_asked() {
    let data = data();
    let (_, _, weak) = short_run(data.path(), "weak", &["--method", "mean-teacher"]);
    let flags = ["--method", "mean-teacher", "--strong-views"];
    let (config, metrics, strong) = short_run(data.path(), "strong", &flags);
    assert!(config.contains("rand_augment") && config.contains("sharpened"), "{config}");
    assert!(metrics.get("kept").is_none_or(serde_json::Value::is_null), "all targets count: {metrics:?}");
    assert_ne!(weak, strong);
    let refused = failure(command(data.path(), &["--method", "pi", "--strong-views"]));
    assert!(refused.contains("--strong-views is for mean-teacher"), "{refused}");
}

/// What a short run says beside its results.
fn said(data: &Path, name: &str, flags: &[&str]) -> String {
    let output = run(with_out(data, &data.join(name), &[&["--epochs", "0.1", "--no-baseline"], flags].concat()));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    said
}

#[test]
fn batch_statistics_that_the_student_never_sees_are_warned_of() {
    let data = data();
    let said = |name: &str, source: &str, group: &str| {
        said(data.path(), name, &["--method", "fixmatch", "--targets-from", source, "--group", group])
    };
    let warning = "all views of a batch share the student's batch statistics";
    assert!(said("whole", "average", "0").contains(warning));
    assert!(!said("groups", "average", "16").contains(warning));
    assert!(!said("student", "student", "0").contains(warning));
}

#[test]
fn the_teacher_that_is_announced_is_whose_targets_are_learned() {
    let data = data();
    let printed = |name: &str, source: &str| {
        let flags = ["--method", "fixmatch", "--targets-from", source, "--epochs", "0.1", "--no-baseline"];
        success(with_out(data.path(), &data.path().join(name), &flags))
    };
    let (average, student) = (printed("average", "average"), printed("student", "student"));
    assert!(average.contains("average of weights on weak views") && average.contains("of the average:"), "{average}");
    assert!(student.contains("the student on weak views") && student.contains("of the student:"), "{student}");
}

#[test]
fn a_threshold_that_nothing_passes_is_warned_of() {
    let data = data();
    let said =
        |name: &str, threshold: &str| said(data.path(), name, &["--method", "fixmatch", "--threshold", threshold]);
    let warning = "no unlabelled sample passes its threshold: training goes by the labels alone";
    assert!(said("all", "1").contains(warning));
    assert!(!said("none", "0").contains(warning));
}

#[test]
fn a_method_is_named_that_unbalanced_labels_do_not_harm() {
    let data = data();
    let file = data.path().join("unbalanced.txt");
    let labels: String = (0..45).filter(|i| i % 4 == 0 || *i < 4).map(|i| format!("{i} {}\n", i % 4)).collect();
    fs::write(&file, labels).expect("written");
    let said = |method: &str| said(data.path(), method, &["--method", method, "--labels", path(&file)]);
    assert!(said("fixmatch").contains("use --method freematch"));
    assert!(!said("freematch").contains("use --method freematch"));
}

#[test]
fn a_threshold_is_refused_where_it_says_nothing() {
    let data = data();
    let said = failure(command(data.path(), &["--method", "freematch", "--threshold", "0.5"]));
    assert!(said.contains("--threshold says nothing to freematch"), "{said}");
}

/// Every kind of bad input: what is said, and that nothing was written.
#[test]
fn bad_input_is_named_and_writes_nothing() {
    let data = data();
    let label_file = data.path().join("labels.txt");
    fs::write(&label_file, "9999 1\n").expect("written");
    let empty = data.path().join("empty");
    fs::create_dir(&empty).expect("made");
    let cases: &[(&[&str], &str)] = &[
        (&["--labels", "0"], "no labels"),
        (&["--labels", "1000"], "1000 labels were asked for"),
        (&["--labels", path(&label_file)], "9999"),
        (&["--labels", "/nowhere/labels.txt"], "/nowhere/labels.txt"),
        (&["--data", path(&empty)], path(&empty)),
        (&["--data", "/nowhere"], "/nowhere"),
        (&["--decay", "1.5"], "decay is 1.5"),
        (&["--decay", "NaN"], "decay is NaN"),
        (&["--batch", "4"], "--labeled-batch is 8"),
        (&["--device", "tpu"], "unknown device `tpu`"),
        (&["--preset", "no-such"], "no recipe `no-such`"),
    ];
    for (flags, expected) in cases {
        let out = data.path().join("out");
        let mut command = train(&replace(path(data.path()), flags));
        command.arg("--out").arg(&out);
        let said = failure(command);
        assert!(said.contains(expected), "{flags:?}: {said}");
        assert!(!out.exists(), "{flags:?} left a folder behind");
    }
}

/// A working command line in which `flags`, pairs of flag and value, take the place of its own.
fn replace<'a>(data: &'a str, flags: &[&'a str]) -> Vec<&'a str> {
    let mut line = vec!["--plain"];
    for pair in [["--batch", "16"], ["--labeled-batch", "8"], ["--labels", "16"], ["--data", data]] {
        if !flags.contains(&pair[0]) {
            line.extend(pair);
        }
    }
    line.extend(flags);
    line
}

#[test]
#[cfg(not(feature = "cuda"))]
fn a_backend_not_built_in_names_the_feature() {
    let data = data();
    let said = failure(with_out(data.path(), &data.path().join("out"), &["--device", "cuda:0"]));
    assert!(said.contains("--features cuda"), "{said}");
}

#[test]
fn a_folder_that_holds_a_run_is_refused() {
    let data = data();
    let out = data.path().join("run");
    success(with_out(data.path(), &out, &["--no-baseline"]));
    let before = fs::read(out.join("summary.json")).expect("written");
    let said = failure(with_out(data.path(), &out, &["--no-baseline"]));
    assert!(said.contains("already holds a run") && said.contains("--resume"), "{said}");
    assert_eq!(fs::read(out.join("summary.json")).expect("still there"), before);

    let other = data.path().join("other");
    fs::create_dir(&other).expect("made");
    fs::write(other.join("letter.txt"), "mine").expect("written");
    let said = failure(with_out(data.path(), &other, &["--no-baseline"]));
    assert!(said.contains("not empty"), "{said}");
}

#[test]
fn a_loss_that_is_no_number_stops_the_run_with_the_step_and_the_last_good_checkpoint() {
    let data = data();
    let out = data.path().join("run");
    let said = failure(with_out(data.path(), &out, &["--no-baseline", "--lr", "1e38"]));
    assert!(said.contains("the loss is") && said.contains("at step") && said.contains("checkpoint"), "{said}");
    assert!(!out.join("summary.json").exists(), "a failed run has no summary");
}

/// The loss of an epoch's only step is read before the step: what it did shows in the weights alone.
#[test]
fn weights_that_diverge_in_the_last_step_of_an_epoch_are_in_no_checkpoint() {
    let data = data();
    let out = data.path().join("run");
    let flags = ["--no-baseline", "--batch", "152", "--lr", "1e39"];
    let said = failure(with_out(data.path(), &out, &flags));
    for part in ["the weights have diverged by step 1 of mean-teacher", "sum to", "lower --lr", "no checkpoint yet"] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    assert!(checkpoints(&out).is_empty(), "{:?}", checkpoints(&out));
}

#[test]
fn the_baseline_has_left_a_good_checkpoint_when_the_method_diverges() {
    let data = data();
    let out = data.path().join("run");
    let said = failure(with_out(data.path(), &out, &["--weight", "1e42"]));
    let last = checkpoints(&out).pop().expect("the baseline went well");
    assert!(said.contains("of mean-teacher") && said.contains(path(&last)), "{} is not in {said}", last.display());
}

/// A file system that is full: writes past a limit fail as they do there.
#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_an_error_that_names_the_file() {
    let data = data();
    let out = data.path().join("run");
    let line = format!(
        "trap '' XFSZ; ulimit -f 64; exec {} train --plain --batch 16 --labeled-batch 8 --labels 16 --epochs 1 --no-baseline --data {} --out {}",
        path(train(&[]).get_program().as_ref()),
        path(data.path()),
        path(&out),
    );
    let output = std::process::Command::new("bash").args(["-c", &line]).output().expect("bash starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{said}");
    assert!(said.contains(".ckpt") && said.contains("large"), "{said}");
    let left: Vec<_> = fs::read_dir(out.join("checkpoints")).expect("made").collect();
    assert!(left.is_empty(), "no half-written checkpoint stays: {left:?}");
}

#[test]
fn the_list_of_presets_shows_published_numbers() {
    let printed = success(train(&["--preset", "list"]));
    assert!(printed.contains("cifar10-1000") && printed.contains("21.55 ± 1.48"), "{printed}");
}

#[test]
fn a_folder_of_colour_images_trains_and_resumes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (split, count) in [("train", 12), ("test", 4)] {
        for (class, color) in [("cat", [200, 30, 30]), ("dog", [30, 30, 200])] {
            let class = folder.path().join("data").join(split).join(class);
            fs::create_dir_all(&class).expect("made");
            for index in 0..count {
                let pixel = image::Rgb([color[0], color[1] + index, color[2]]);
                image::RgbImage::from_pixel(12, 12, pixel).save(class.join(format!("{index}.png"))).expect("written");
            }
        }
    }
    let data = folder.path().join("data");
    let out = folder.path().join("run");
    let mut command = command(&data, &["--labels", "4", "--epochs", "2", "--no-baseline"]);
    command.arg("--out").arg(&out);
    let printed = success(command);
    assert!(printed.contains("12×12×3") && printed.contains("mean_teacher_cifar"), "{printed}");
    fs::remove_file(out.join("summary.json")).expect("written");
    success(crate::program::command(&data, &["--resume", path(&out)]));
    assert!(out.join("summary.json").exists());
}
