//! The backends that are built into this program.

use anyhow::{Context, Result};
use burn::tensor::Device;

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
        matches!(self.name, "flex" | "ndarray")
    }
}

/// Every backend that was built in, the default first.
pub fn built_in() -> Vec<Backend> {
    let backends: Vec<(&'static str, Device)> = vec![
        #[cfg(feature = "flex")]
        ("flex", Device::flex()),
        #[cfg(feature = "ndarray")]
        #[allow(deprecated)] // Burn deprecates the backend; it stays available and measured here
        ("ndarray", Device::ndarray()),
        #[cfg(feature = "cuda")]
        ("cuda", Device::cuda(0)),
        #[cfg(feature = "vulkan")]
        ("vulkan", Device::vulkan(burn::tensor::DeviceKind::DefaultDevice)),
        #[cfg(feature = "metal")]
        ("metal", Device::metal(burn::tensor::DeviceKind::DefaultDevice)),
        #[cfg(feature = "wgpu")]
        ("wgpu", Device::wgpu(burn::tensor::DeviceKind::DefaultDevice)),
    ];
    backends.into_iter().map(|(name, device)| Backend { name, device }).collect()
}

/// What is wrong with a backend's arithmetic in this environment, if anything is known: times of it would be worth
/// nothing.
pub fn concern(name: &str) -> Option<String> {
    let of_wgpu = matches!(name, "wgpu" | "vulkan" | "metal");
    // Seen with cubecl-wgpu 0.11.3, in plain operations of Burn as well: docs/performance.md.
    (of_wgpu && std::env::var("CUBECL_WGPU_MAX_TASKS").is_err())
        .then(|| format!("{name} may compute wrong numbers: run with CUBECL_WGPU_MAX_TASKS=1 in the environment"))
}

/// The default: the first of [`built_in`].
///
/// # Errors
/// If no backend was built in.
pub fn first() -> Result<Backend> {
    built_in().into_iter().next().context("no backend is built in: build with `--features flex`")
}
