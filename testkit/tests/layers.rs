//! The layers of docs/architecture.md, held against what cargo knows.

use std::process::Command;

/// Every crate of ours with the crates of ours that it may depend on; dev-dependencies in the second list.
const ALLOWED: &[(&str, &[&str], &[&str])] = &[
    ("slowburn-ema", &[], &["slowburn-ema"]),
    ("slowburn-augment", &[], &["slowburn-augment"]),
    ("slowburn-optim", &[], &["slowburn-optim"]),
    ("slowburn-layers", &[], &["slowburn-layers"]),
    ("slowburn-models", &["slowburn-layers"], &["slowburn-models"]),
    ("slowburn-contrastive", METHODS_MAY, &["slowburn-contrastive"]),
    ("slowburn-semi", METHODS_MAY, &["slowburn-augment", "slowburn-semi"]),
    ("slowburn-train", TRAIN_MAY, &["slowburn-contrastive", "slowburn-semi", "slowburn-train"]),
    ("slowburn", PROGRAM_MAY, &[]),
    ("slowburn-examples", PROGRAM_MAY, PROGRAMS_MAY),
    ("slowburn-benches", BENCHES_MAY, PROGRAMS_MAY),
    ("slowburn-testkit", &[], PROGRAM_MAY),
];

/// The networks behind a feature.
const METHODS_MAY: &[&str] = &["slowburn-ema", "slowburn-layers", "slowburn-models"];

/// Everything that is trained and that trains.
const TRAIN_MAY: &[&str] = &[
    "slowburn-augment",
    "slowburn-contrastive",
    "slowburn-ema",
    "slowburn-layers",
    "slowburn-models",
    "slowburn-optim",
    "slowburn-semi",
];

/// The program stands on everything, and examples on nothing else: who reads them is to use the crates.
const PROGRAM_MAY: &[&str] = &[
    "slowburn-augment",
    "slowburn-contrastive",
    "slowburn-ema",
    "slowburn-layers",
    "slowburn-models",
    "slowburn-optim",
    "slowburn-semi",
    "slowburn-train",
];

/// Tests of backends open devices as the program does.
const PROGRAMS_MAY: &[&str] = &[
    "slowburn",
    "slowburn-augment",
    "slowburn-contrastive",
    "slowburn-ema",
    "slowburn-layers",
    "slowburn-models",
    "slowburn-optim",
    "slowburn-semi",
    "slowburn-train",
];

/// They open devices as the programs do.
const BENCHES_MAY: &[&str] = &[
    "slowburn-augment",
    "slowburn-contrastive",
    "slowburn-ema",
    "slowburn",
    "slowburn-layers",
    "slowburn-models",
    "slowburn-optim",
    "slowburn-semi",
    "slowburn-train",
];

/// What cargo knows of each crate of the workspace.
fn packages() -> Vec<serde_json::Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .expect("cargo starts");
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    metadata["packages"].as_array().expect("a list").clone()
}

#[test]
fn no_crate_depends_on_one_beside_or_above_it() {
    let packages = packages();
    assert_eq!(packages.len(), ALLOWED.len(), "a new crate needs its row here and in docs/architecture.md");
    for package in &packages {
        let name = package["name"].as_str().expect("a name");
        let (_, normal, dev) = ALLOWED.iter().find(|row| row.0 == name).unwrap_or_else(|| panic!("{name} has no row"));
        for dependency in package["dependencies"].as_array().expect("a list") {
            let on = dependency["name"].as_str().expect("a name");
            let in_tests = dependency["kind"] == "dev";
            let allowed = if in_tests { dev } else { normal };
            let may = !on.starts_with("slowburn") || allowed.contains(&on) || in_tests && on == "slowburn-testkit";
            assert!(may, "{name} must not depend on {on}");
        }
        let default = &package["features"]["default"];
        if !["slowburn", "slowburn-benches", "slowburn-examples", "slowburn-testkit"].contains(&name) {
            assert_eq!(default, &serde_json::json!([]), "{name} must enable no backend by default");
        }
    }
}

/// Networks run on kernels only if every crate on the way to them hands the feature on: without it they would still be
/// right, and slow. A build of the whole workspace hides what one of them forgot.
#[test]
fn backend_features_reach_the_layers() {
    let packages = packages();
    let package = |name: &str| packages.iter().find(|package| package["name"] == name).expect("a package");
    for (from, to) in [
        ("slowburn-models", "slowburn-layers"),
        ("slowburn-train", "slowburn-contrastive"),
        ("slowburn-train", "slowburn-optim"),
        ("slowburn-train", "slowburn-semi"),
        ("slowburn", "slowburn-models"),
        ("slowburn", "slowburn-train"),
        ("slowburn-examples", "slowburn"),
        ("slowburn-examples", "slowburn-train"),
        ("slowburn-benches", "slowburn"),
    ] {
        for feature in ["cuda", "cuda-cpp", "vulkan", "metal", "wgpu", "flex", "ndarray"] {
            let enables = package(from)["features"][feature].as_array().expect("a feature");
            let wanted = format!("{to}/{feature}");
            assert!(enables.iter().any(|enabled| *enabled == wanted), "{from}'s {feature} lacks {wanted}");
        }
    }
    for from in ["slowburn-contrastive", "slowburn-semi"] {
        // Whoever picks a method and a network, and asks the method alone for the CPU.
        let flex = package(from)["features"]["flex"].as_array().expect("a feature");
        assert!(flex.iter().any(|enabled| enabled == "slowburn-layers/flex"), "{from}");
        for feature in ["cuda", "cuda-cpp", "vulkan", "metal", "wgpu", "flex", "ndarray"] {
            let enables = package(from)["features"][feature].as_array().expect("a feature");
            let wanted = format!("slowburn-models?/{feature}");
            assert!(enables.iter().any(|enabled| *enabled == wanted), "{from}'s {feature} lacks {wanted}");
        }
    }
    for from in ["slowburn", "slowburn-examples", "slowburn-benches"] {
        let default = package(from)["features"]["default"].as_array().expect("a list");
        assert!(default.iter().any(|enabled| enabled == "flex"), "{from}");
    }
}
