//! The layers of docs/architecture.md, held against what cargo knows.

use std::process::Command;

/// Every crate of ours with the crates of ours that it may depend on; dev-dependencies in the second list.
const ALLOWED: &[(&str, &[&str], &[&str])] = &[
    ("slowburn-ema", &[], &["slowburn-ema"]),
    ("slowburn-augment", &[], &["slowburn-augment"]),
    ("slowburn-optim", &[], &["slowburn-optim"]),
    ("slowburn-models", &[], &[]),
    ("slowburn-contrastive", &["slowburn-ema"], &["slowburn-contrastive", "slowburn-models"]),
    ("slowburn-semi", &["slowburn-ema"], &["slowburn-augment", "slowburn-models", "slowburn-semi"]),
    ("slowburn-examples", PROGRAMS_MAY, &[]),
    ("slowburn-benches", PROGRAMS_MAY, PROGRAMS_MAY),
];

const PROGRAMS_MAY: &[&str] =
    &["slowburn-augment", "slowburn-contrastive", "slowburn-ema", "slowburn-models", "slowburn-optim", "slowburn-semi"];

#[test]
fn no_crate_depends_on_one_beside_or_above_it() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .expect("cargo starts");
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    let packages = metadata["packages"].as_array().expect("a list");
    assert_eq!(packages.len(), ALLOWED.len(), "a new crate needs its row here and in docs/architecture.md");
    for package in packages {
        let name = package["name"].as_str().expect("a name");
        let (_, normal, dev) = ALLOWED.iter().find(|row| row.0 == name).unwrap_or_else(|| panic!("{name} has no row"));
        for dependency in package["dependencies"].as_array().expect("a list") {
            let on = dependency["name"].as_str().expect("a name");
            let allowed = if dependency["kind"] == "dev" { dev } else { normal };
            assert!(!on.starts_with("slowburn-") || allowed.contains(&on), "{name} must not depend on {on}");
        }
        let default = &package["features"]["default"];
        if !["slowburn-benches", "slowburn-examples"].contains(&name) {
            assert_eq!(default, &serde_json::json!([]), "{name} must enable no backend by default");
        }
    }
}
