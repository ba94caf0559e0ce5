//! Paddings in pixels.

use burn::nn::PaddingConfig2d;

/// The padding at top and bottom, and at left and right, of maps with this height and width, in pixels, as Burn
/// computes it, whose own function is private.
pub(crate) fn pairs(
    padding: &PaddingConfig2d,
    size: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
) -> [(usize, usize); 2] {
    match *padding {
        PaddingConfig2d::Valid => [(0, 0); 2],
        PaddingConfig2d::Same => std::array::from_fn(|axis| same(size[axis], kernel[axis], stride[axis])),
        PaddingConfig2d::Explicit(top, left, bottom, right) => [(top, bottom), (left, right)],
    }
}

/// The padding that keeps the size, divided by the stride; an odd pixel goes to the end.
fn same(size: usize, kernel: usize, stride: usize) -> (usize, usize) {
    let outputs = size.div_ceil(stride);
    let reach = outputs.saturating_sub(1) * stride + kernel;
    let total = if outputs > 0 { reach.saturating_sub(size) } else { 0 };
    (total / 2, total - total / 2)
}
