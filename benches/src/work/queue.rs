//! A batch of keys goes into a queue that is in use as in a step.

use anyhow::{Context, Result};
use burn::tensor::Device;
use slowburn_contrastive::KeyQueueConfig;

use super::Run;
use super::contrast::{DIM, unit_rows};

/// `keys` keys into a queue of `size`.
///
/// # Errors
/// Those of [`KeyQueueConfig::init`].
pub fn enqueue(keys: usize, size: usize, device: &Device) -> Result<Run> {
    let mut queue = Some(KeyQueueConfig { size, dim: DIM, ..KeyQueueConfig::default() }.init(device)?);
    let keys = unit_rows(keys, 1, device);
    let device = device.clone();
    Ok(Box::new(move || {
        let filled = queue.take().context("put back below")?.enqueue(keys.clone())?;
        device.sync()?;
        queue = Some(filled);
        Ok(1)
    }))
}
