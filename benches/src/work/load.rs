//! Weights of a file into a network that is there already.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use burn::tensor::Device;
use slowburn_models::weights::{LoadOptions, Metadata, WeightsFile, load, save_safetensors};
use slowburn_models::{Classifier, ClassifierConfig, ResNet, ResNetConfig};

use super::{Run, SEED};

/// PyTorch's checkpoint of a ResNet-50, which the other side writes.
pub const CHECKPOINT: &str = "resnet50.pth";

/// Ours, with metadata and digest.
const OURS: &str = "resnet50.safetensors";

fn network(device: &Device) -> Result<Classifier<ResNet>> {
    device.seed(SEED);
    Ok(ClassifierConfig::new(1000).init(ResNetConfig::resnet50().init(device)?, device)?)
}

/// Our file, written where it is not there yet.
///
/// # Errors
/// Those of writing.
pub fn ours(folder: &Path, device: &Device) -> Result<PathBuf> {
    let path = folder.join(OURS);
    if !path.exists() {
        save_safetensors(&network(device)?, &path, &Metadata::default())?;
    }
    Ok(path)
}

/// Opens a file of a ResNet-50, verifies what can be verified, and replaces the network's weights by its own.
///
/// # Errors
/// Those of reading.
pub fn resnet50(file: &Path, device: &Device) -> Result<Run> {
    let (file, device) = (file.to_owned(), device.clone());
    let mut network = Some(network(&device)?);
    let mut run = move || {
        let file = WeightsFile::open(&file)?;
        let (loaded, _) = load(network.take().context("put back below")?, &file, &LoadOptions::default())?;
        device.sync()?;
        network = Some(loaded);
        Ok(1)
    };
    run()?;
    Ok(Box::new(run))
}
