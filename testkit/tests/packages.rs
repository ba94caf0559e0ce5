//! What the manifests say to a registry and to docs.rs.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

/// The packages of the workspace that may be published.
fn published() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo starts");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    let packages = metadata["packages"].as_array().expect("a list").clone();
    packages.into_iter().filter(|package| package["publish"] != json!([])).collect()
}

#[test]
fn every_published_crate_introduces_itself() {
    let packages = published();
    assert!(packages.len() >= 8, "{}", packages.len());
    for package in &packages {
        let name = package["name"].as_str().expect("a name");
        for field in ["description", "license", "rust_version", "readme"] {
            assert!(package[field].is_string(), "{name} lacks {field}");
        }
        assert_eq!(package["documentation"], format!("https://docs.rs/{name}"), "{name}");
        assert_eq!(package["repository"], Value::Null, "{name}: there is no public repository yet");
        let keywords = package["keywords"].as_array().expect("a list");
        assert!((1..=5).contains(&keywords.len()), "{name}: a registry takes one to five keywords");
    }
}

#[test]
fn docs_rs_builds_every_feature_but_those_of_other_backends() {
    const BACKENDS: &[&str] = &["cuda", "cuda-cpp", "vulkan", "metal", "wgpu", "ndarray"];
    for package in published() {
        let name = package["name"].as_str().expect("a name");
        let built = &package["metadata"]["docs"]["rs"];
        assert!(built["rustdoc-args"].to_string().contains("docsrs"), "{name} marks no features");
        let features = package["features"].as_object().expect("features").keys();
        // An optional crate of ours is a feature of its own name, which nobody is to ask for.
        let hidden =
            |feature: &str| feature == "default" || feature.starts_with("__") || feature.starts_with("slowburn-");
        let wanted: Vec<&String> =
            features.filter(|feature| !BACKENDS.contains(&feature.as_str()) && !hidden(feature)).collect();
        let mut found: Vec<&str> =
            built["features"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
        found.sort_unstable();
        assert_eq!(json!(found), json!(wanted), "{name}");
        let library = Path::new(package["manifest_path"].as_str().expect("a path")).with_file_name("src/lib.rs");
        let source = std::fs::read_to_string(&library).expect("a library");
        assert!(source.contains("#![cfg_attr(docsrs, feature(doc_cfg))]"), "{}", library.display());
    }
}
