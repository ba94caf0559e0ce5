//! Devices of wgpu that submit one task at a time.
//!
//! With cubecl-wgpu 0.11.3 and its default of 32 a later upload reaches the device before an earlier kernel has read what it
//! replaces, and averages come out wrong, in plain operations of Burn too: docs/burn.md.

use std::sync::{Mutex, PoisonError};

use burn::tensor::wgpu::WgpuBackend;
use burn::tensor::{Device, DeviceKind};

/// Opened devices: Burn takes options for a device once in a process, and a clone is the same device.
static OPEN: Mutex<Vec<(Option<usize>, WgpuBackend, Device)>> = Mutex::new(Vec::new());

/// The GPU of this number, or the one that wgpu likes best, on one of the system's interfaces.
pub(super) fn open(index: Option<usize>, interface: WgpuBackend) -> Result<Device, String> {
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, _, device)) = open.iter().find(|(number, known, _)| (*number, *known) == (index, interface)) {
        return Ok(device.clone());
    }
    let kind = index.map_or(DeviceKind::DefaultDevice, DeviceKind::DiscreteGpu);
    let options = Device::wgpu_options().tasks_max(1).device_kind(kind).graphics_api(interface);
    let device = options.init().map_err(|error| error.to_string())?;
    open.push((index, interface, device.clone()));
    Ok(device)
}
