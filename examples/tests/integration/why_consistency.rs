//! The promises of the program `why_consistency`.

use std::fs;

use crate::program::{failure, path, success, summary, why_consistency};

#[test]
fn five_trainings_are_scored_and_drawn() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("run");
    let flags = ["--points", "200", "--steps", "40", "--seeds", "2", "--seed", "7", "--out", path(&out)];
    let printed = success(why_consistency(&flags));
    assert!(printed.contains("the averaged teacher") && printed.contains("above the first on"), "{printed}");
    let whole = summary(&out);
    let rows = whole["rows"].as_array().expect("a list");
    assert_eq!((rows.len(), whole["seeds"][1].as_u64()), (5, Some(8)));
    assert!(rows.iter().all(|row| row["accuracy"].as_array().is_some_and(|seeds| seeds.len() == 2)));
    assert!(out.join("config.json").exists());
    let svg = fs::read_to_string(out.join("why_consistency.svg")).expect("drawn");
    assert!(svg.contains("(e) the averaged teacher"));
    image::open(out.join("why_consistency.png")).expect("a picture");

    let said = failure(why_consistency(&flags));
    assert!(said.contains("already holds a run"), "{said}");
}

#[test]
fn what_is_wrong_is_said_before_anything_is_written() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("run");
    for flags in
        [["--labels", "1"], ["--noise", "11"], ["--seeds", "0"], ["--seed", "18446744073709551615"], ["--batch", "12"]]
    {
        let said = failure(why_consistency(&[&flags[..], &["--out", path(&out)]].concat()));
        assert!(said.contains(flags[0]), "{flags:?}: {said}");
        assert!(!out.exists(), "{flags:?} left a folder behind");
    }
}
