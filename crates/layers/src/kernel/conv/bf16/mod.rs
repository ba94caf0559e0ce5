//! Products in bf16 with sums in f32, in a processor's matrix unit.
//!
//! Input, weight and gradient are rounded to bf16, as their factors are laid out; products of two such numbers are exact in
//! f32, in which they are summed.

mod grad_weight;
mod maps;
mod round;
mod tile;
mod weights;

pub(super) use grad_weight::to_weight;
pub(super) use maps::{forward, to_input};
pub(crate) use tile::available;

use crate::kernel::ConvShape;

/// The fewest channels, in and out, that fill factors.
const CHANNELS: usize = 16;

/// Whether the unit is there and does the convolution faster than any other way.
pub(super) fn pays(shape: &ConvShape) -> bool {
    shape.channels.iter().all(|channels| channels.is_multiple_of(CHANNELS))
        && shape.images >= tile::SIDE
        && tile::available()
}
