//! Heads of another size, and networks of which a part is there.

use burn::module::Module;
use slowburn_models::weights::{LoadOptions, WeightsError, WeightsFile, load};
use slowburn_models::{BlockKind, ClassifierConfig, Encoder, ResNetConfig, state_dict};

use crate::support::{device, expected_body, path, tiny_of};

fn fresh_head() -> LoadOptions {
    LoadOptions { fresh_head: true, ..LoadOptions::default() }
}

#[test]
fn a_head_of_another_size_is_replaced_only_if_asked_and_the_summary_says_so() {
    let file = WeightsFile::open(path("zip.pth")).unwrap();
    let error = load(tiny_of(7), &file, &LoadOptions::default()).unwrap_err();
    let WeightsError::Misfit { differences, .. } = &error else { panic!("{error}") };
    assert_eq!(differences.reshaped.len(), 2, "{error}");
    let text = error.to_string();
    assert!(text.contains("`fc.weight` is f32 [5, 16], wanted: floats of [7, 16]"), "{text}");

    let network = tiny_of(7);
    let before = state_dict(&network);
    let (network, loaded) = load(network, &file, &fresh_head()).unwrap();
    assert_eq!(loaded.kept, ["fc.weight", "fc.bias"]);
    assert!(loaded.to_string().contains("starts fresh: fc.weight, fc.bias"), "{loaded}");
    let after = state_dict(&network);
    assert_eq!(after["fc.weight"], before["fc.weight"]);
    for (name, data) in expected_body("state.") {
        assert_eq!(after[&name], data, "{name}");
    }
}

#[test]
fn a_head_that_is_not_there_starts_fresh_only_if_asked() {
    let file = WeightsFile::open(path("solo_learn.ckpt")).unwrap();
    let error = load(tiny_of(5), &file, &LoadOptions::default()).unwrap_err();
    assert!(error.to_string().contains("missing: `fc.weight` [5, 16]"), "{error}");
    let (_, loaded) = load(tiny_of(5), &file, &fresh_head()).unwrap();
    assert_eq!(loaded.kept, ["fc.weight", "fc.bias"]);
}

#[test]
fn a_network_of_which_one_tensor_is_not_there_is_an_error_unless_a_part_is_asked_for() {
    // One more block than the file has.
    let network = || -> slowburn_models::Classifier<slowburn_models::ResNet> {
        let body = ResNetConfig::new(BlockKind::Basic, [1, 1, 1, 2]).with_width(2).init(&device()).unwrap();
        ClassifierConfig::new(5).init(body, &device()).unwrap()
    };
    let file = WeightsFile::open(path("zip.pth")).unwrap();
    for options in [LoadOptions::default(), fresh_head()] {
        let error = load(network(), &file, &options).unwrap_err();
        assert!(error.to_string().contains("missing: `layer4.1.conv1.weight` [16, 16, 3, 3]"), "{error}");
    }
    let partial = LoadOptions { partial: true, ..LoadOptions::default() };
    let (_, loaded) = load(network(), &file, &partial).unwrap();
    assert_eq!(loaded.kept.len(), 10, "{loaded}");
    assert!(loaded.kept.iter().all(|name| name.starts_with("layer4.1.")), "{loaded}");
}

#[test]
fn what_the_network_does_not_know_is_an_error_unless_a_part_is_asked_for() {
    // The file has downsampling that a network of one width has not.
    let file = WeightsFile::open(path("zip.pth")).unwrap();
    let body = ResNetConfig::new(BlockKind::Basic, [1, 1, 1, 1]).with_width(3).init(&device()).unwrap();
    let width = body.feature_dim();
    let network = ClassifierConfig::new(5).init(body, &device()).unwrap();
    let before = state_dict(&network);
    let error = load(network.clone(), &file, &LoadOptions::default()).unwrap_err();
    assert!(matches!(error, WeightsError::NotRecognised { .. } | WeightsError::Misfit { .. }), "{width}: {error}");
    assert_eq!(state_dict(&network.valid()), before, "an error leaves running statistics alone");
}
