//! The promises of the program `ablation`.

use std::fs;

use crate::program::{ablation, failure, path, success, summary, tiny_data};

#[test]
fn settings_are_compared_on_equal_terms_and_runs_can_be_gone_on_with() {
    let data = tempfile::tempdir().expect("a temporary folder");
    tiny_data(data.path(), 160, 40);
    let out = data.path().join("run");
    let sizes = ["--batch", "16", "--queue", "48", "--knn", "10", "--epochs", "1", "--seeds", "1", "--seed", "5"];
    let place = ["--data", path(data.path()), "--out", path(&out)];
    let printed = success(ablation(&[&sizes[..], &place[..]].concat()));
    for term in [
        "random encoder",
        "queue",
        "64",
        "0.9999",
        "not shuffled",
        "whole batch",
        "v1",
        "end-to-end",
        "memory-bank",
        "(default)",
    ] {
        assert!(printed.contains(term), "{term} is not in\n{printed}");
    }
    let whole = summary(&out);
    let rows = whole["rows"].as_array().expect("a list");
    assert_eq!((rows.len(), whole["seeds"][0].as_u64()), (16, Some(5)));
    let defaults: Vec<_> = rows.iter().filter(|row| row["default"] == true).collect();
    assert_eq!(defaults.len(), 5, "one in each group");
    assert!(defaults.iter().all(|row| row["knn"] == defaults[0]["knn"] && row["linear"] == defaults[0]["linear"]));
    assert!(!fs::read_to_string(out.join("curves.svg")).expect("drawn").is_empty());

    fs::remove_dir_all(out.join("00-seed5")).expect("removed");
    fs::remove_file(out.join("summary.json")).expect("removed");
    success(ablation(&["--resume", path(&out)]));
    assert_eq!(summary(&out)["rows"], whole["rows"]);
}

#[test]
fn what_is_wrong_is_said_before_anything_is_written() {
    let data = tempfile::tempdir().expect("a temporary folder");
    tiny_data(data.path(), 160, 40);
    let out = data.path().join("run");
    for (flags, expected) in [
        (["--seeds", "0"], "--seeds is 0"),
        (["--seed", "18446744073709551615"], "it must be at most 18446744073709551613"),
        (["--queue", "145"], "145"),
        (["--knn", "161"], "161"),
    ] {
        let line = ["--batch", "16", "--queue", "48", "--knn", "10", "--data", path(data.path()), "--out", path(&out)];
        let said = failure(ablation(&[&line[..], &flags[..]].concat()));
        assert!(said.contains(expected), "{flags:?}: {said}");
        assert!(!out.exists(), "{flags:?} left a folder behind");
    }
}
