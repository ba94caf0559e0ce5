//! Weights files of every kind on the command line: inspected, used, exported.

use std::fs;
use std::path::{Path, PathBuf};

use slowburn_models::weights::WeightsFile;
use tempfile::TempDir;

use crate::program::{bare, command, failure, path, pretrain, slowburn, success, tiny_data};

/// A run of `pretrain` on tiny images.
fn pretrained() -> (TempDir, PathBuf) {
    let data = tempfile::tempdir().expect("a temporary folder");
    tiny_data(data.path(), 160, 40);
    let run = data.path().join("pretrain");
    success(pretrain(data.path(), &["--epochs", "0.5", "--out", path(&run)]));
    (data, run)
}

/// A run of `train` on tiny images.
fn trained() -> (TempDir, PathBuf) {
    let data = tempfile::tempdir().expect("a temporary folder");
    tiny_data(data.path(), 160, 40);
    let run = data.path().join("run");
    let mut command = command(data.path(), &["--labels", "16", "--epochs", "0.5", "--no-baseline"]);
    command.arg("--out").arg(&run);
    success(command);
    (data, run)
}

fn inspect(arguments: &[&str]) -> String {
    success(slowburn("inspect", arguments))
}

/// A file of `models`' fixtures.
fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/tests/weights/fixtures").join(name)
}

#[test]
fn a_file_of_ours_says_what_it_is() {
    let (_data, run) = trained();
    let text = inspect(&[path(&run)]);
    for part in [
        "student.safetensors",
        "teacher.safetensors",
        "its digest holds",
        "network         small",
        "role            teacher",
        "normalisation   mean [0.286]",
        "--arch small fits (grey images): 15 tensors, names without a prefix",
        "fc.weight         f32   [4, 128]",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    let found: serde_json::Value =
        serde_json::from_str(&inspect(&[path(&run.join("teacher.safetensors")), "--json"])).expect("JSON");
    assert_eq!(found[0]["networks"][0]["arch"], "small");
    assert_eq!(found[0]["networks"][0]["whole"], true);
    assert_eq!(found[0]["tensors"].as_array().map(Vec::len), Some(17));
}

#[test]
fn a_foreign_file_is_said_to_be_close_to_a_network_or_to_none() {
    let moco = inspect(&[path(&fixture("moco_v2.pth.tar"))]);
    for part in [
        "PyTorch, zip",
        "closest is --arch resnet10-quarter",
        "branch `state_dict.module.encoder_q`",
        "state_dict.module.queue",
        "more: --json lists all",
    ] {
        assert!(moco.contains(part), "{part} is not in\n{moco}");
    }
    let key = inspect(&[path(&fixture("moco_v2.pth.tar")), "--branch", "encoder_k"]);
    assert!(key.contains("branch `state_dict.module.encoder_k`"), "{key}");
    let other = inspect(&[path(&fixture("other_network.pth"))]);
    assert!(other.contains("no network of this program") && other.contains("features.0.weight"), "{other}");
    let said = failure(slowburn("inspect", &[path(&fixture("nested.pth"))]));
    assert!(said.contains("nested.pth is no intact PyTorch checkpoint"), "{said}");
}

/// Files with MoCo's names: what `export` writes is what every command reads.
#[test]
fn both_encoders_of_a_moco_checkpoint_can_be_used() {
    let (data, run) = pretrained();
    let file = data.path().join("moco.safetensors");
    success(slowburn("export", &[path(&run), "--safetensors", path(&file), "--names", "moco"]));
    let tensors = WeightsFile::open(&file).expect("intact");
    let names = tensors.tensors();
    assert!(names.contains_key("encoder_q.fc.2.weight") && names.contains_key("encoder_k.conv1.weight"));
    assert_eq!((names["queue"].to_string(), names["queue_ptr"].to_string()), ("f32 [8, 48]".into(), "i64 [1]".into()));

    let images = data.path().join("images");
    let features = |from: &Path, flags: &[&str]| {
        let named = [&[path(from), path(&images)], flags].concat();
        success(slowburn("embed", &named))
    };
    photos(&images);
    let [key, query] = ["teacher", "student"].map(|network| features(&run, &["--network", network]));
    assert_ne!(key, query);
    assert_eq!(features(&file, &[]), query, "the trained encoder unless another is named");
    assert_eq!(features(&file, &["--branch", "encoder_k"]), key);
    // A bare file of the same tensors says which it takes, and is told the rest.
    let bare = bare(&file);
    let output = crate::program::run(slowburn("embed", &[path(&bare), path(&images), "--arch", "small"]));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("branch `encoder_q`; take another by --branch: encoder_k"), "{said}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), query);
}

/// Eight grey images of 12×12 pixels.
fn photos(folder: &Path) {
    fs::create_dir_all(folder).expect("made");
    for photo in 0..8_u32 {
        let image = image::GrayImage::from_fn(12, 12, |x, y| image::Luma([((x * 7 + y * 11 * photo) % 256) as u8]));
        image.save(folder.join(format!("{photo}.png"))).expect("written");
    }
}

#[test]
fn exported_safetensors_are_used_without_a_flag_and_predict_the_same() {
    let (data, run) = trained();
    let (images, file) = (data.path().join("images"), data.path().join("mine.safetensors"));
    photos(&images);
    success(slowburn("export", &[path(&run), "--safetensors", path(&file)]));
    let predict = |from: &Path| success(slowburn("predict", &[path(from), path(&images)]));
    assert_eq!(predict(&file), predict(&run));
    assert_eq!(fs::read(&file).expect("written"), fs::read(run.join("teacher.safetensors")).expect("there"));
}

#[test]
fn onnx_is_written_for_every_output_and_what_cannot_be_is_said() {
    let (data, run) = trained();
    let to = |name: &str| data.path().join(name);
    for (output, flags) in [
        ("probabilities", &[][..]),
        ("logits", &["--output", "logits", "--fold"]),
        ("features", &["--output", "features", "--normalise", "outside"]),
    ] {
        let file = to(output);
        success(slowburn("export", &[&[path(&run), "--onnx", path(&file)], flags].concat()));
        let bytes = fs::read(&file).expect("written");
        let holds = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
        assert!(holds(output) && holds("images") && holds("slowburn.classes") && holds("conv1.weight"), "{output}");
        assert_eq!(holds("BatchNormalization"), output != "logits", "{output}");
    }
    let said = failure(slowburn("export", &[path(&run)]));
    assert!(said.contains("--onnx") && said.contains("--safetensors"), "{said}");
    let file = bare(&run.join("teacher.safetensors"));
    let written = to("bare");
    let named = [path(&file), "--arch", "small", "--onnx", path(&written)];
    let said = failure(slowburn("export", &named));
    assert!(said.contains("does not say which size of images it sees: name it by --size"), "{said}");
    success(slowburn("export", &[&named[..], &["--size", "28"]].concat()));
    let said = failure(slowburn("export", &[path(&run), "--safetensors", path(&to("moco")), "--names", "moco"]));
    assert!(said.contains("--names moco needs a run of `slowburn pretrain"), "{said}");
}

/// A head of other classes is replaced only by the flag that says so.
#[test]
fn a_head_is_taken_over_or_replaced_as_said() {
    let (data, run) = trained();
    let out = |name: &str| data.path().join(name);
    let train = |folder: &Path, name: &str, flags: &[&str]| {
        let mut command = command(
            folder,
            &[&["--labels", "all", "--epochs", "0.2", "--no-baseline", "--from", path(&run)], flags].concat(),
        );
        command.arg("--out").arg(out(name));
        command
    };
    let output = crate::program::run(train(data.path(), "same", &[]));
    assert!(output.status.success() && String::from_utf8_lossy(&output.stderr).contains("its head is taken over"));
    let output = crate::program::run(train(data.path(), "fresh", &["--fresh-head"]));
    assert!(output.status.success() && !String::from_utf8_lossy(&output.stderr).contains("its head is taken over"));

    // Two classes of other names.
    let other = tempfile::tempdir().expect("a temporary folder");
    for class in ["cats", "dogs"] {
        photos(&other.path().join("train").join(class));
        photos(&other.path().join("test").join(class));
    }
    let small = ["--batch", "8", "--labeled-batch", "4", "--group", "0"];
    let said = failure(train(other.path(), "other", &small));
    assert!(said.contains("these images have cats, dogs") && said.contains("--fresh-head"), "{said}");
    success(train(other.path(), "other", &[&small[..], &["--fresh-head"]].concat()));
}
