//! Products in bf16 with sums in f32, in a processor's matrix unit.
//!
//! Input, weight and gradient are rounded to bf16, as their factors are laid out; products of two such numbers are exact in
//! f32, in which they are summed. Numbers below 1.2e-38 count as zero, and those above 3.39e38 as infinite.

mod grad_weight;
mod maps;
mod round;
mod rows;
mod tile;
mod weights;

pub(super) use grad_weight::to_weight;
pub(super) use maps::{forward, to_input};
pub(crate) use tile::available;

use crate::kernel::ConvShape;

/// Numbers of bf16 that a task lays out at a time; they stay in the second cache.
const LAID: usize = 256 * 1024;

/// Left factors whose sums lie in the first cache, beside the weights of 32 channels that they are multiplied with.
const GROUP: usize = 8;

/// Whether the unit is there and the shape fills its tiles.
pub(super) fn pays(shape: &ConvShape) -> bool {
    shape.channels.iter().all(|channels| channels.is_multiple_of(tile::SIDE))
        && shape.images >= tile::SIDE
        && tile::available()
}
