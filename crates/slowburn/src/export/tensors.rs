//! Safetensors for programs in Python.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use burn::tensor::Device;
use slowburn_models::weights::{Metadata, WeightsFile, moco_checkpoint, save_safetensors, save_tensors};

use super::graph::image_of;
use crate::weights::{Weights, read_queue};

/// Writes the network with its head, where it has one.
pub(super) fn write(weights: &Weights, about: &Metadata, path: &Path, device: &Device) -> Result<()> {
    let image = image_of(weights, about);
    match (weights.classes(), weights.has_head()) {
        (Some(_), _) => save_safetensors(&weights.classifier(image, device)?, path, about)?,
        (None, true) => save_safetensors(&weights.network(image, true, device)?, path, about)?,
        (None, false) => save_safetensors(&weights.network(image, false, device)?.encoder, path, about)?,
    }
    Ok(())
}

/// Writes both encoders of a run, its queue and the queue's pointer.
pub(super) fn write_moco(run: &Path, about: &Metadata, path: &Path) -> Result<()> {
    ensure!(
        run.join("queue.safetensors").exists(),
        "--names moco needs a run of `slowburn pretrain --method moco`, which leaves two encoders and a queue: {} is none",
        run.display()
    );
    let encoder = |name: &str| WeightsFile::open(run.join(name)).and_then(|file| file.state_dict());
    let (query, key) = (encoder("query.safetensors")?, encoder("key.safetensors")?);
    let (queue, pointer) = read_queue(&run.join("queue.safetensors")).context("the queue")?;
    Ok(save_tensors(&moco_checkpoint(query, key, queue, pointer), path, &Metadata { role: None, ..about.clone() })?)
}
