//! Small versions of everything that the program does, and the fit that `sweep` prints.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use slowburn_benches::backend::first;
use slowburn_benches::stats::{Power, brief, duration, median, quantile, spread};
use slowburn_benches::work::passes::{Network, Pass};

fn run(arguments: &[&str], folder: &Path) -> String {
    let mut program = Command::new(env!("CARGO_BIN_EXE_slowburn-benches"));
    let output = program.args(arguments).current_dir(folder).output().expect("it starts");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

fn json(folder: &Path, name: &str) -> Value {
    let text = std::fs::read_to_string(folder.join(name)).expect("written");
    serde_json::from_str(&text).expect("JSON")
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().expect("an array")
}

/// The row of this name on the default backend.
fn row(rows: &Value, name: &str) -> Value {
    list(rows).iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("{name} in {rows}")).clone()
}

fn number(row: &Value, field: &str) -> f64 {
    row[field].as_f64().unwrap_or_else(|| panic!("{field} in {row}"))
}

#[test]
fn compare_writes_rows_and_a_chart() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let options = ["compare", "--only", "enqueue", "--rounds", "1", "--seconds", "0.01"];
    let text = run(&[&options[..], &["--json", "rows.json", "--chart", "rows.svg"]].concat(), folder.path());
    assert!(text.contains("| enqueue/256x65536 |"), "{text}");
    let rows = json(folder.path(), "rows.json");
    let row = &row(&rows, "enqueue/256x65536");
    for field in ["name", "params", "backend", "device"] {
        assert!(row[field].is_string(), "{field} in {row}");
    }
    assert!(number(row, "median_seconds") > 0.0 && number(row, "spread") == 0.0, "of one round");
    assert!(row["baseline"].is_null() && row["ratio"].is_null(), "without --pytorch");
    // In place: a copy of the queue would be 32 MiB.
    #[cfg(target_os = "linux")]
    assert!(number(row, "peak_bytes") < f64::from(4 << 20), "{row}");
    let chart = std::fs::read_to_string(folder.path().join("rows.svg")).expect("drawn");
    assert!(chart.contains("enqueue/256x65536"));
}

/// A program in place of Python that answers each request for a time with four updates in one second, and each for
/// memory with 3 MiB.
#[cfg(unix)]
fn stand_in(folder: &Path) -> String {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.join("python");
    let script = "#!/bin/sh\necho \"$1 $3 $4 $ATEN_CPU_CAPABILITY\" >> asked\necho '{\"settings\": \"a stand-in\"}'\n\
        while read -r line; do echo \"$line\" >> asked\n\
        case \"$line\" in *repetitions*) echo '{\"bytes\": 3145728}';; *) echo '{\"images\": 4, \"seconds\": 1.0}';; esac; done\n";
    std::fs::write(&path, script).expect("written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("executable");
    path.display().to_string()
}

#[cfg(unix)]
#[test]
fn both_sides_are_measured_in_turn() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let python = stand_in(folder.path());
    let options = ["compare", "--only", "enqueue", "--rounds", "3", "--seconds", "0.01", "--pytorch", &python];
    let text = run(&[&options[..], &["--json", "rows.json"]].concat(), folder.path());
    assert!(text.contains("a stand-in"), "the other side's settings: {text}");
    let row = &row(&json(folder.path(), "rows.json"), "enqueue/256x65536");
    assert_eq!(number(row, "baseline"), 0.25, "seconds each");
    assert!((number(row, "ratio") * number(row, "median_seconds") / 0.25 - 1.0).abs() < 1e-9);
    let asked = std::fs::read_to_string(folder.path().join("asked")).expect("written by the stand-in");
    let started: Vec<&str> = asked.lines().filter(|line| line.contains("/pytorch/enqueue.py")).collect();
    // Memory is the matter of a process of its own, on Linux.
    assert_eq!(started.len(), if cfg!(target_os = "linux") { 2 } else { 1 }, "{asked}");
    assert!(started.iter().all(|line| line.ends_with(" cpu ")), "{started:?}");
    // Once a round, for as long as ours.
    assert_eq!(asked.matches(r#"{"name":"enqueue/256x65536","seconds":0.01}"#).count(), 3, "{asked}");
    #[cfg(target_os = "linux")]
    {
        assert_eq!(asked.matches(r#"{"name":"enqueue/256x65536","repetitions":3}"#).count(), 1, "{asked}");
        assert_eq!(number(row, "baseline_peak_bytes"), f64::from(3 << 20));
        assert!(text.contains("(PyTorch 3.0 MiB)"), "{text}");
    }
}

#[cfg(all(unix, feature = "flex", target_arch = "x86_64"))]
#[test]
fn both_sides_have_the_same_instructions() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let python = stand_in(folder.path());
    let options = ["compare", "--backend", "flex", "--only", "forward_backward/small", "--rounds", "1"];
    let settings = ["--seconds", "0.2", "--isa", "avx2", "--exact", "--pytorch", &python, "--json", "rows.json"];
    let text = run(&[&options[..], &settings].concat(), folder.path());
    let row = &row(&json(folder.path(), "rows.json"), "forward_backward/small/64");
    let expected = if std::is_x86_feature_detected!("avx2") { "AVX2, exact" } else { "no vector instructions, exact" };
    assert_eq!(row["instruction_set"], expected);
    assert!(text.lines().next().is_some_and(|header| header.contains(expected)), "{text}");
    let asked = std::fs::read_to_string(folder.path().join("asked")).expect("written by the stand-in");
    let started = asked.lines().find(|line| line.contains("/pytorch/passes.py")).expect("it was started");
    assert!(started.ends_with(" cpu avx2"), "{started}");
    #[cfg(target_os = "linux")]
    {
        let threads = std::thread::available_parallelism().expect("known").get() as f64;
        assert!(number(row, "cores") > 0.1 && number(row, "cores") < 1.5 * threads, "{row}");
        // The features of the first convolution alone, 64·32·14·14 numbers, are 1.5 MiB.
        assert!(number(row, "peak_bytes") > 1.5 * f64::from(1 << 20), "{row}");
    }
}

#[cfg(feature = "flex")]
#[test]
fn work_that_has_its_own_instructions_is_left_out_of_a_limit() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_slowburn-benches"));
    let options = ["compare", "--backend", "flex", "--only", "info_nce/64x4096", "--rounds", "1", "--seconds", "0"];
    let output = program.args(options).args(["--isa", "avx2"]).output().expect("it starts");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("info_nce/64x4096: left out"), "{text}");
}

#[test]
fn every_network_goes_forward_and_back() {
    let device = first().expect("a backend is built in").device;
    for network in Network::ALL {
        for pass in Pass::ALL {
            let mut run = pass.run(network, 1, &device).expect("valid");
            assert_eq!(run().expect("it runs"), 1, "{network:?}, {pass:?}");
        }
    }
}

#[test]
fn a_loss_is_held_against_its_floor() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let options = ["compare", "--only", "info_nce/64x4096", "--rounds", "1", "--seconds", "0.01"];
    run(&[&options[..], &["--json", "rows.json"]].concat(), folder.path());
    let rows = json(folder.path(), "rows.json");
    let [floor, loss] = [&row(&rows, "floor/matmul"), &row(&rows, "info_nce/64x4096")];
    // 4·N·K·d operations at the rate of a product of 2·1024³.
    let expected = number(floor, "median_seconds") * (4 * 64 * 4096 * 128) as f64 / 2f64.powi(31);
    assert!((number(loss, "floor_seconds") / expected - 1.0).abs() < 1e-9);
}

#[test]
fn work_that_does_not_exist_is_an_error() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_slowburn-benches"));
    let output = program.args(["compare", "--only", "nothing like it"]).output().expect("it starts");
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("nothing like it"));
}

#[test]
fn sweep_has_an_exponent_for_each_series() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let text = run(&["sweep", "--quick", "--json", "sweep.json", "--plot", "sweep.svg"], folder.path());
    let all = json(folder.path(), "sweep.json");
    assert_eq!(list(&all).len(), if cfg!(feature = "flex") { 7 } else { 4 }, "{text}");
    for series in list(&all) {
        let convolution = series["name"].as_str().is_some_and(|name| name.starts_with("convolution"));
        assert_eq!(list(&series["lines"]).len(), if convolution { 2 } else { 1 }, "{series}");
        assert!(list(&series["crossings"]).len() <= 1, "of two sizes: {series}");
        for line in list(&series["lines"]) {
            assert!(number(line, "exponent").is_finite());
            assert_eq!(list(&line["points"]).len(), 2, "{series}");
        }
    }
    assert_eq!(text.matches("direct over Winograd").count(), if cfg!(feature = "flex") { 3 } else { 0 }, "{text}");
    assert!(std::fs::read_to_string(folder.path().join("sweep.svg")).expect("drawn").contains("InfoNCE over K"));
}

#[test]
fn profile_accounts_for_the_step() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let text = run(&["profile", "--quick", "--json", "profile.json"], folder.path());
    let profile = json(folder.path(), "profile.json");
    assert_eq!(list(&profile["steps"]).len(), 2, "{text}");
    assert!(text.contains("| a whole step, slowburn |"), "{text}");
    for report in list(&profile["steps"]) {
        let of = |kind: &str| -> f64 {
            let parts = list(&report["parts"]).iter().filter(|part| part["kind"] == kind);
            parts.map(|part| number(part, "median_seconds")).sum()
        };
        let passes = number(report, "passes_seconds");
        assert!((of("pass") / passes - 1.0).abs() < 1e-9, "{report}");
        let others = of("views") + of("method") + of("optimizer");
        assert!((number(report, "overhead_of_parts") - others / passes).abs() < 1e-9, "{report}");
        let step = number(report, "step_seconds");
        assert!((number(report, "overhead") - (step / passes - 1.0)).abs() < 1e-9, "{report}");
        // A network of the papers' size has a few % (docs/performance.md); a step that did its work twice would have 100.
        assert!(number(report, "overhead_of_parts") < 1.0, "{report}");
    }
    assert_eq!(list(&profile["methods"]).len(), 16, "{text}");
    for row in list(&profile["methods"]) {
        let (own, step) = (number(row, "own_seconds"), number(row, "step_seconds"));
        // At most 0.7 % of 32 images when nothing else runs (docs/performance.md). Here one step of 8 is timed beside other tests.
        assert!(own > 0.0 && own < 0.5 * step, "{row}");
    }
    #[cfg(feature = "flex")]
    for table in list(&profile["layers"]) {
        accounts_for_its_layers(table);
    }
}

/// The rows of a network's kernels are sorted and add up, and no kind of work is missing.
#[cfg(feature = "flex")]
fn accounts_for_its_layers(table: &Value) {
    let rows = list(&table["rows"]);
    let seconds: Vec<f64> = rows.iter().map(|row| number(row, "seconds")).collect();
    assert!(seconds.is_sorted_by(|one, other| one >= other), "the longest first: {table}");
    assert!((seconds.iter().sum::<f64>() / number(table, "sum_seconds") - 1.0).abs() < 1e-9, "{table}");
    assert!(number(table, "step_seconds") > 0.0 && number(&table["peaks"], "bytes") > 0.0);
    assert!(table["instruction_set"].is_string(), "{table}");
    for operation in [
        "convolution, forward",
        "convolution, to input",
        "convolution, to weight",
        "normalisation, forward",
        "normalisation, backward",
        "pooling, forward",
        "pooling, backward",
        #[cfg(target_os = "linux")]
        "allocation",
    ] {
        assert!(rows.iter().any(|row| row["operation"] == operation), "{operation} in {table}");
    }
    // A step may do without fresh memory.
    for row in rows.iter().filter(|row| row["operation"] != "allocation") {
        let convolves = row["operation"].as_str().is_some_and(|operation| operation.starts_with("convolution"));
        let rate = if convolves { "operations_per_second" } else { "bytes_per_second" };
        assert!(number(row, rate) > 0.0 && number(row, "times") >= 1.0, "{row}");
    }
}

#[test]
fn the_exponent_of_a_power_is_found() {
    let points: Vec<(f64, f64)> = (1..9).map(|x| (f64::from(x), 3e-4 * f64::from(x).powf(1.7))).collect();
    let fit = Power::fit(&points).expect("eight points");
    assert!((fit.exponent - 1.7).abs() < 1e-12 && (fit.factor - 3e-4).abs() < 1e-15, "{fit:?}");
    assert!((fit.at(100.0) / (3e-4 * 100f64.powf(1.7)) - 1.0).abs() < 1e-9);
}

#[test]
fn errors_on_both_sides_of_a_power_cancel() {
    // Symmetric about the middle, as far above the line as below: the slope stays.
    let points = [(1.0, 1.1), (2.0, 2.0 / 1.1), (4.0, 4.0 / 1.1), (8.0, 8.0 * 1.1)];
    assert!((Power::fit(&points).expect("four points").exponent - 1.0).abs() < 1e-12);
}

#[test]
fn one_size_has_no_exponent() {
    assert_eq!(Power::fit(&[(4.0, 1.0), (4.0, 2.0)]), None);
    assert_eq!(Power::fit(&[(1.0, 1.0), (4.0, -2.0)]), None, "a negative time");
}

#[test]
fn medians_and_quartiles() {
    let values = [5.0, 1.0, 4.0, 2.0, 3.0];
    assert_eq!((median(&values), quantile(&values, 0.25), quantile(&values, 0.75)), (3.0, 2.0, 4.0));
    assert!((spread(&values) - 1.0 / 3.0).abs() < 1e-12);
}

#[test]
fn times_have_the_unit_that_fits() {
    assert_eq!([5.5e-6, 0.0123, 12.345].map(duration), ["5.5 µs", "12.3 ms", "12.35 s"]);
    assert_eq!([6.9e-6, 0.1, 0.01234, 1.3487].map(brief), ["0.0069 ms", "100 ms", "12.3 ms", "1.35 s"]);
}
