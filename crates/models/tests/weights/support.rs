//! The network of the fixtures, and what a file must have made of it.

use std::path::PathBuf;

use burn::tensor::{Device, TensorData};
use slowburn_models::weights::{LoadOptions, Loaded, WeightsError, WeightsFile, load};
use slowburn_models::{
    BlockKind, Classifier, ClassifierConfig, ResNet, ResNetConfig, StateDict, load_state_dict, state_dict,
};

pub(crate) const CLASSES: usize = 5;

pub(crate) fn device() -> Device {
    Device::flex()
}

pub(crate) fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/weights/fixtures").join(name)
}

pub(crate) fn body() -> ResNet {
    ResNetConfig::new(BlockKind::Basic, [1, 1, 1, 1]).with_width(2).init(&device()).expect("valid")
}

/// The network of the fixtures, with weights of its own.
pub(crate) fn tiny() -> Classifier<ResNet> {
    tiny_of(CLASSES)
}

pub(crate) fn tiny_of(classes: usize) -> Classifier<ResNet> {
    ClassifierConfig::new(classes).init(body(), &device()).expect("valid")
}

/// A part of `expected.safetensors`, without the prefix.
pub(crate) fn expected(prefix: &str) -> StateDict {
    let file = WeightsFile::open(path("expected.safetensors")).expect("intact");
    let names = file.tensors().keys().filter_map(|name| name.strip_prefix(prefix).map(str::to_owned));
    names.map(|name| (name.clone(), file.read(&format!("{prefix}{name}")).expect("floats"))).collect()
}

pub(crate) fn expected_tensor(name: &str) -> TensorData {
    WeightsFile::open(path("expected.safetensors")).and_then(|file| file.read(name)).expect("there")
}

/// `expected`'s values below the head.
pub(crate) fn expected_body(prefix: &str) -> StateDict {
    let mut state = expected(prefix);
    state.retain(|name, _| !name.starts_with("fc."));
    state
}

/// What a file of the fixtures makes of the network.
pub(crate) fn loaded(name: &str, options: &LoadOptions) -> Result<(StateDict, Loaded), WeightsError> {
    let (network, loaded) = load(tiny(), &WeightsFile::open(path(name))?, options)?;
    Ok((state_dict(&network), loaded))
}

/// What a file makes of the network without its head.
pub(crate) fn loaded_body(name: &str, options: &LoadOptions) -> Result<(StateDict, Loaded), WeightsError> {
    let (network, loaded) = load(body(), &WeightsFile::open(path(name))?, options)?;
    Ok((state_dict(&network), loaded))
}

pub(crate) fn branch(name: &str) -> LoadOptions {
    LoadOptions { branch: Some(name.to_owned()), ..LoadOptions::default() }
}

/// The network with the fixtures' weights.
pub(crate) fn trained() -> Classifier<ResNet> {
    load_state_dict(tiny(), &expected("state.")).expect("fits")
}
