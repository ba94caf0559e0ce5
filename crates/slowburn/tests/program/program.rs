//! Runs the program as a person would.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A command of the program with these arguments.
pub(crate) fn slowburn(command: &str, arguments: &[&str]) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_slowburn"));
    program.stdin(Stdio::null()).arg(command).args(arguments);
    // As after `cargo install`.
    program.env_remove("CARGO");
    program
}

/// Whether one of these is among the arguments.
fn says(arguments: &[&str], any: &[&str]) -> bool {
    arguments.iter().any(|argument| any.contains(argument))
}

/// Where settings come from other than flags.
const WHOLE: [&str; 4] = ["--config", "--recipe", "--preset", "--resume"];

/// `train` with these arguments, and where they do not say what, Mean Teacher on three convolutions.
pub(crate) fn train(arguments: &[&str]) -> Command {
    let mut line = Vec::new();
    if !says(arguments, &WHOLE) {
        line.extend(["--method", "mean-teacher"].into_iter().filter(|_| !says(arguments, &["--method"])));
        line.extend(["--arch", "small"].into_iter().filter(|_| !says(arguments, &["--arch", "--from"])));
    }
    slowburn("train", &[&line, arguments].concat())
}

/// `train` with small settings for [`tiny_data`], flags on top.
pub(crate) fn command(data: &Path, flags: &[&str]) -> Command {
    let small = ["--plain", "--batch", "16", "--labeled-batch", "8"];
    train(&[&small[..], &["--data", path(data)], flags].concat())
}

/// `pretrain` with small settings for [`tiny_data`], flags on top.
pub(crate) fn pretrain(data: &Path, flags: &[&str]) -> Command {
    let mut command = slowburn("pretrain", &["--plain", "--batch", "16", "--dim", "8", "--knn", "10"]);
    if !says(flags, &WHOLE) && !says(flags, &["--method"]) {
        command.args(["--method", "moco"]);
    }
    let predictor = says(flags, &["byol", "simsiam", "moco-v3"]);
    if !predictor {
        command.args(["--splits", "2"]);
    }
    if !predictor && !says(flags, &["end-to-end"]) {
        command.args(["--queue", "48"]);
    }
    command.args(["--data", path(data)]).args(flags);
    command
}

/// Holds the generator that first weights are drawn from, which tests in this process share.
pub(crate) fn generator() -> MutexGuard<'static, ()> {
    static HELD: Mutex<()> = Mutex::new(());
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What `config.json` says of a run's recipe.
pub(crate) fn recipe(run: &Path) -> serde_json::Value {
    let text = std::fs::read(run.join("config.json")).expect("a run has a description");
    serde_json::from_slice::<serde_json::Value>(&text).expect("JSON")["recipe"].take()
}

/// What `summary.json` of a finished run says.
pub(crate) fn summary(run: &Path) -> serde_json::Value {
    let text = std::fs::read(run.join("summary.json")).expect("a finished run has a summary");
    serde_json::from_slice(&text).expect("JSON")
}

/// A small data set in IDX form: `train` and `test` images of 12×12 pixels in four classes that a glance tells apart,
/// mirrored or not, because the default views mirror: top, bottom, a bar in the middle, a frame.
pub(crate) fn tiny_data(folder: &Path, train: usize, test: usize) {
    for (name, count) in [("train", train), ("t10k", test)] {
        let mut images = idx_header(3, &[count, 12, 12]);
        let mut labels = idx_header(1, &[count]);
        for index in 0..count {
            let class = index % 4;
            labels.push(class as u8);
            for pixel in 0..144 {
                let (row, column) = (pixel / 12, pixel % 12);
                let bright = match class {
                    0 => row < 6,
                    1 => row >= 6,
                    2 => (4..8).contains(&column),
                    _ => !(3..9).contains(&row) || !(3..9).contains(&column),
                };
                // A pattern by image keeps images of a class different.
                let noise = (index * 7919 + pixel * 104_729) % 61;
                images.push(if bright { 160 + noise as u8 } else { noise as u8 });
            }
        }
        std::fs::write(folder.join(format!("{name}-images-idx3-ubyte")), images).expect("written");
        std::fs::write(folder.join(format!("{name}-labels-idx1-ubyte")), labels).expect("written");
    }
}

/// Images of 12×12 pixels in PNG files by folder, in four classes that differ in their share of bright pixels, a fifth to
/// three quarters: what crops, flips and lights leave alone. Which pixels they are is drawn anew for each. With `colors`
/// in red, green and blue. The last `unlabeled` training images lie in `train/unlabeled`.
pub(crate) fn speckled_folder(folder: &Path, train: usize, unlabeled: usize, test: usize, colors: bool) {
    let mut state = 1_u32;
    let mut draw = |range: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) % range
    };
    for (set, count) in [("train", train), ("test", test)] {
        for index in 0..count {
            let class = index % 4;
            let pixels = image::RgbImage::from_fn(12, 12, |_, _| {
                let bright = draw(100) < 20 + 18 * class as u32;
                let gray = (if bright { 180 } else { 10 } + draw(60)) as u8;
                image::Rgb(if colors { [gray, gray / 2 + 60, 250 - gray] } else { [gray; 3] })
            });
            let hidden = set == "train" && index >= count - unlabeled;
            let place = folder.join(set).join(if hidden { "unlabeled".to_owned() } else { format!("class{class}") });
            std::fs::create_dir_all(&place).expect("made");
            let (file, picture) = (place.join(format!("{index:04}.png")), image::DynamicImage::from(pixels));
            let picture = if colors { picture } else { picture.grayscale().to_luma8().into() };
            picture.save(file).expect("written");
        }
    }
}

fn idx_header(rank: u8, dims: &[usize]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, rank];
    for &dim in dims {
        bytes.extend((dim as u32).to_be_bytes());
    }
    bytes
}

pub(crate) fn run(mut command: Command) -> Output {
    command.output().expect("the program starts")
}

/// Runs and returns what it wrote to standard error; it must have failed.
pub(crate) fn failure(command: Command) -> String {
    let output = run(command);
    assert!(!output.status.success(), "it should have failed: {}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs; it must succeed.
pub(crate) fn success(command: Command) -> String {
    let output = run(command);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn spawn(mut command: Command) -> Child {
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts")
}

/// A copy of a weights file beside it, without its metadata: as other programs write them.
pub(crate) fn bare(file: &Path) -> PathBuf {
    let bytes = fs::read(file).expect("written");
    let tensors = safetensors::SafeTensors::deserialize(&bytes).expect("intact");
    let bare = file.with_file_name(format!("bare_{}", file.file_name().expect("a file").to_string_lossy()));
    fs::write(&bare, safetensors::serialize(tensors.iter(), None).expect("serialises")).expect("written");
    bare
}

pub(crate) fn path(path: &Path) -> &str {
    path.to_str().expect("temporary paths are plain")
}
