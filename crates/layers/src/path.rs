//! What computes the layers.

use std::fmt;

use burn::tensor::{Device, Tensor};

/// What computes the layers of this crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ComputePath {
    /// This crate's kernels.
    Kernels,
    /// Burn's operations.
    Burn,
}

impl fmt::Display for ComputePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kernels => "kernels",
            Self::Burn => "Burn's operations",
        })
    }
}

/// Which path tensors of `f32` on this device take, with autodiff and without.
///
/// It is [`ComputePath::Kernels`] on Burn's CPU backend `flex`, if this crate was built with its feature `flex`. Tensors of
/// other types take [`ComputePath::Burn`] everywhere, and so do convolutions in groups or with dilation.
pub fn fast_path(device: &Device) -> ComputePath {
    match has_kernels(device) {
        true => ComputePath::Kernels,
        false => ComputePath::Burn,
    }
}

#[cfg(feature = "flex")]
fn has_kernels(device: &Device) -> bool {
    use burn::backend::DispatchDevice;
    match device.as_dispatch() {
        DispatchDevice::Flex(_) => true,
        DispatchDevice::Autodiff(device) => matches!(**device, DispatchDevice::Flex(_)),
        // In a build without another backend there is no other device.
        #[allow(unreachable_patterns)]
        _ => false,
    }
}

#[cfg(not(feature = "flex"))]
fn has_kernels(_device: &Device) -> bool {
    false
}

/// Whether operations on this device are recorded for an exporter, and not computed.
///
/// burn-onnx 0.22 knows fewer operations than Burn has: layers put them in the words of those.
#[cfg(feature = "capture")]
pub(crate) fn is_recorded(device: &Device) -> bool {
    matches!(device.as_dispatch(), burn::backend::DispatchDevice::Capture(_))
}

#[cfg(not(feature = "capture"))]
pub(crate) fn is_recorded(_device: &Device) -> bool {
    false
}

/// Whether the kernels can read this tensor.
pub(crate) fn is_fast<const D: usize>(tensor: &Tensor<D>) -> bool {
    tensor.dtype() == burn::tensor::DType::F32 && has_kernels(&tensor.device())
}
