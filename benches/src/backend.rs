//! The backends that are built into this program.

use anyhow::{Context, Result};
use burn::tensor::Device;
use slowburn::device;

/// A backend with the device that is measured.
#[derive(Debug, Clone)]
pub struct Backend {
    /// Its cargo feature.
    pub name: &'static str,
    /// Its first device, without autodiff.
    pub device: Device,
}

impl Backend {
    /// Whether the processor does the work.
    pub fn is_cpu(&self) -> bool {
        !device::is_gpu(self.name)
    }
}

/// The names of all that were built in, those of the processor first.
pub fn built_in() -> Vec<&'static str> {
    let mut names = device::built_in();
    names.sort_by_key(|name| device::is_gpu(name));
    names
}

/// Opens one of [`built_in`].
///
/// # Errors
/// If its device does not start.
pub fn open(name: &'static str) -> Result<Backend> {
    Ok(Backend { name, device: device::parse(name)? })
}

/// The default: the first of [`built_in`].
///
/// # Errors
/// If no backend was built in, or its device does not start.
pub fn first() -> Result<Backend> {
    open(built_in().into_iter().next().context("no backend is built in: build with `--features flex`")?)
}
