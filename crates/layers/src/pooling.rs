//! Pooling of maps.

use burn::{
    nn::pool::MaxPool2d,
    tensor::{Tensor, module::adaptive_avg_pool2d},
};

use crate::{Maps, path::is_recorded};

/// The maximum over windows, as Burn's layer computes it.
///
/// NaN is the largest of all values, and of equal ones the first takes the gradient.
///
/// # Shapes
///
/// - `maps`: `[N, C, H, W]`
/// - output: `[N, C, H', W']`
pub fn max_pool(maps: Maps, pool: &MaxPool2d) -> Maps {
    let group = maps.group();
    #[cfg(feature = "flex")]
    if let Some(shape) = shape(&maps, pool) {
        return Maps::channels_last(crate::flex::max_pool(maps.into_channels_last(), shape)).grouped(group);
    }
    Maps::new(pool.forward(maps.into_tensor())).grouped(group)
}

/// The mean over all pixels.
///
/// # Shapes
///
/// - `maps`: `[N, C, H, W]`
/// - output: `[N, C]`
pub fn global_average_pool(maps: Maps) -> Tensor<2> {
    let [images, channels, height, width] = maps.dims();
    #[cfg(feature = "flex")]
    if maps.is_channels_last() && height * width > 0 {
        return crate::flex::mean_pool(maps.into_channels_last());
    }
    if is_recorded(&maps.device()) {
        return adaptive_avg_pool2d(maps.into_tensor(), [1, 1]).reshape([images, channels]);
    }
    maps.into_tensor()
        .reshape([images, channels, height * width])
        .mean_dim(2) // [N, C, 1]
        .squeeze_dim(2)
}

/// The shape of a pooling that the kernels can compute: without dilation, with whole windows that each see a pixel.
#[cfg(feature = "flex")]
fn shape(maps: &Maps, pool: &MaxPool2d) -> Option<crate::kernel::pool::PoolShape> {
    let [images, channels, height, width] = maps.dims();
    let (input, kernel) = ([height, width], pool.kernel_size);
    let [vertical, horizontal] = crate::padding::pairs(&pool.padding, input, kernel, pool.stride);
    let padding = [vertical.0, horizontal.0];
    let sees_pixels =
        (0..2).all(|axis| 2 * padding[axis] <= kernel[axis] && input[axis] + 2 * padding[axis] >= kernel[axis]);
    let plain = pool.dilation == [1, 1] && !pool.ceil_mode && vertical.0 == vertical.1 && horizontal.0 == horizontal.1;
    (maps.is_channels_last() && plain && sees_pixels).then_some(crate::kernel::pool::PoolShape {
        images,
        input,
        channels,
        kernel,
        stride: pool.stride,
        padding,
    })
}
