//! Where work is done.

use burn::tensor::Device;

use crate::{Path, fast_path};

/// Does work on a thread of rayon's pool, if tensors on `device` take the kernels' path; otherwise where it is.
///
/// Each operation on the kernels' path hands its loops over to the pool, which takes some 15 µs from outside and 2 µs from
/// within. A loop can go there once a step.
///
/// Burn 0.22 keeps a batch norm's update of its running statistics by thread, until the same thread asks for them again. So
/// what is done here must end with bringing them up to date, as a step of `slowburn-semi`'s and `slowburn-contrastive`'s
/// methods does; a forward pass alone, now on one thread of the pool and now on another, would lose some.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use slowburn_layers::{Conv2dConfig, in_pool};
///
/// let device = Device::flex();
/// let conv = Conv2dConfig::new([3, 8], [3, 3]).init(&device);
/// let output = in_pool(&device, || conv.forward(Tensor::zeros([1, 3, 8, 8], &device)));
/// assert_eq!(output.dims(), [1, 8, 6, 6]);
/// ```
pub fn in_pool<R: Send>(device: &Device, work: impl FnOnce() -> R + Send) -> R {
    match fast_path(device) {
        #[cfg(feature = "flex")]
        Path::Kernels => crate::kernel::threads::together(work),
        _ => work(),
    }
}
