//! Small versions of everything that the program does, and the fit that `sweep` prints.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use slowburn_benches::stats::{Power, brief, duration, median, quantile, spread};

fn run(arguments: &[&str], folder: &Path) -> String {
    let mut program = Command::new(env!("CARGO_BIN_EXE_slowburn-benches"));
    let output = program.args(arguments).current_dir(folder).output().expect("it starts");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

fn json(folder: &Path, name: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.join(name)).expect("written");
    serde_json::from_str(&text).expect("an array")
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
    let row = rows.iter().find(|row| row["name"] == "enqueue/256x65536").expect("one row for each backend");
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

/// A program in the place of Python that answers each request with four updates in one second.
#[cfg(unix)]
fn stand_in(folder: &Path) -> String {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.join("python");
    let script = "#!/bin/sh\necho \"$1 $3 $4\" > asked\necho '{\"settings\": \"a stand-in\"}'\n\
        while read -r line; do echo \"$line\" >> asked; echo '{\"images\": 4, \"seconds\": 1.0}'; done\n";
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
    let rows = json(folder.path(), "rows.json");
    let row = rows.iter().find(|row| row["name"] == "enqueue/256x65536").expect("measured");
    assert_eq!(number(row, "baseline"), 0.25, "seconds each");
    assert!((number(row, "ratio") * number(row, "median_seconds") / 0.25 - 1.0).abs() < 1e-9);
    let asked = std::fs::read_to_string(folder.path().join("asked")).expect("written by the stand-in");
    let (started, requests) = asked.split_once('\n').expect("lines");
    assert!(started.contains("/pytorch/enqueue.py") && started.ends_with(" cpu"), "{started}");
    // Once a round, for as long as ours.
    assert_eq!(requests.matches(r#"{"name":"enqueue/256x65536","seconds":0.01}"#).count(), 3, "{requests}");
}

#[test]
fn a_loss_is_held_against_its_floor() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let options = ["compare", "--only", "info_nce/64x4096", "--rounds", "1", "--seconds", "0.01"];
    run(&[&options[..], &["--json", "rows.json"]].concat(), folder.path());
    let rows = json(folder.path(), "rows.json");
    let [floor, loss] = &rows[..2] else { panic!("floor and loss: {rows:?}") };
    assert_eq!((&floor["name"], &loss["name"]), (&"floor/matmul".into(), &"info_nce/64x4096".into()));
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
    assert_eq!(all.len(), 4, "{text}");
    for series in &all {
        assert!(number(series, "exponent").is_finite());
        assert!(series["points"].as_array().is_some_and(|points| points.len() == 2), "{series}");
    }
    assert!(std::fs::read_to_string(folder.path().join("sweep.svg")).expect("drawn").contains("InfoNCE over K"));
}

#[test]
fn profile_accounts_for_the_step() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let text = run(&["profile", "--quick", "--json", "profile.json"], folder.path());
    let reports = json(folder.path(), "profile.json");
    assert_eq!(reports.len(), 2, "{text}");
    assert!(text.contains("| a whole step, slowburn |"), "{text}");
    for report in &reports {
        let parts = report["parts"].as_array().expect("an array");
        let of = |kind: &str| -> f64 {
            let parts = parts.iter().filter(|part| part["kind"] == kind);
            parts.map(|part| number(part, "median_seconds")).sum()
        };
        let passes = number(report, "passes_seconds");
        assert!((of("pass") / passes - 1.0).abs() < 1e-9, "{report}");
        let others = of("views") + of("method") + of("optimizer");
        assert!((number(report, "overhead_of_parts") - others / passes).abs() < 1e-9, "{report}");
        let step = number(report, "step_seconds");
        assert!((number(report, "overhead") - (step / passes - 1.0)).abs() < 1e-9, "{report}");
        // A network of the papers' size has 5 % (docs/performance.md); a step that did its work twice would have 100.
        assert!(number(report, "overhead_of_parts") < 1.0, "{report}");
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
