//! Winograd's F(4×4, 3×3): 3×3 convolutions with stride 1 by a quarter of the multiplications, and with stride 2 by 81 of
//! 144.
//!
//! A tile of 4×4 outputs needs 6×6 inputs. Input and weights are transformed to 36 points, multiplied there channel by
//! channel, summed over channels, and transformed back (Lavin & Gray, *Fast algorithms for convolutional neural
//! networks*, arXiv 1509.09308). With stride 2 it needs 9×9 inputs, at 81 points; [`transform`] says which. Vectors lie
//! over channels throughout.

mod grad_weight;
mod maps;
mod tiles;
mod transform;
mod weights;

pub(super) use grad_weight::to_weight;
pub(super) use maps::{forward, to_input};

use crate::kernel::ConvShape;
use transform::Scheme;

/// The fewest channels, in and out, with which the transforms cost less than the multiplications that they save.
const CHANNELS: usize = 16;

/// What a multiplication at a point costs beside one of the definition, transforms included.
const COST: f64 = 1.4;

/// Whether tiles of the output pay, forward and for the gradient to the weights. All that decides is here.
pub(super) fn pays(shape: &ConvShape) -> bool {
    let scheme = if shape.stride == [1, 1] { Scheme::Plain } else { Scheme::Strided };
    saves(shape, scheme, shape.output())
}

/// Whether tiles of the input pay, for the gradient to it.
pub(super) fn pays_to_input(shape: &ConvShape) -> bool {
    let scheme = if shape.stride == [1, 1] { Scheme::Plain } else { Scheme::Spread };
    saves(shape, scheme, shape.input)
}

fn saves(shape: &ConvShape, scheme: Scheme, tiled: [usize; 2]) -> bool {
    let strides = [[1, 1], [2, 2]].contains(&shape.stride);
    if shape.kernel != [3, 3] || !strides || shape.channels.iter().any(|&channels| channels < CHANNELS) {
        return false;
    }
    let [_, side] = scheme.steps();
    let points = scheme.points() * tiled.map(|pixels| pixels.div_ceil(side)).iter().product::<usize>();
    let products = 9 * shape.output().iter().product::<usize>();
    points as f64 * COST < products as f64
}
