//! Who computes.

use std::fmt;

use burn::tensor::{Device, Tensor};

/// What computes the layers of this crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Path {
    /// This crate's kernels.
    Kernels,
    /// Burn's operations.
    Burn,
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kernels => "kernels",
            Self::Burn => "Burn's operations",
        })
    }
}

/// Which path tensors of `f32` on this device take, with autodiff and without.
///
/// It is [`Path::Kernels`] on Burn's CPU backend `flex`, if this crate was built with its feature `flex`. Tensors of
/// other types take [`Path::Burn`] everywhere, and so do convolutions in groups or with dilation.
pub fn fast_path(device: &Device) -> Path {
    match has_kernels(device) {
        true => Path::Kernels,
        false => Path::Burn,
    }
}

#[cfg(feature = "flex")]
fn has_kernels(device: &Device) -> bool {
    use burn::backend::DispatchDevice;
    match device.as_dispatch() {
        DispatchDevice::Flex(_) => true,
        DispatchDevice::Autodiff(device) => matches!(**device, DispatchDevice::Flex(_)),
        // The only other device in a build without another backend is none.
        #[allow(unreachable_patterns)]
        _ => false,
    }
}

#[cfg(not(feature = "flex"))]
fn has_kernels(_device: &Device) -> bool {
    false
}

/// Whether the kernels can read this tensor.
pub(crate) fn is_fast<const D: usize>(tensor: &Tensor<D>) -> bool {
    tensor.dtype() == burn::tensor::DType::F32 && has_kernels(&tensor.device())
}
