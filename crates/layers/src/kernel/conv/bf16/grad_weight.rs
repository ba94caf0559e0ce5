//! The gradient to the weights: sums over pixels and images.
//!
//! The terms of a product are 32 images at one pixel, so that any height, width and stride fill it.

use std::ops::Range;

use bytemuck::cast_slice;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::round::round;
use super::tile::{FACTOR, SIDE, SUMS, TERMS, Tiles};
use crate::kernel::ConvShape;
use crate::kernel::isa::{InstructionSet, dispatch, instruction_set};
use crate::kernel::scratch::Scratch;
use crate::kernel::turn::{self, turn};

const _: () = assert!(SIDE == turn::SIDE);

/// Numbers of bf16 that a task lays out at a time; they stay in the second cache.
const LAID: usize = 384 * 1024;

/// Numbers of sums that all tasks may have together, and the most and the fewest tasks.
const ROOM: usize = 1 << 21;
const TASKS: [usize; 2] = [4, 16];

/// What all tasks share.
struct Plan<'a> {
    shape: &'a ConvShape,
    input: &'a [f32],
    grad: &'a [f32],
    isa: InstructionSet,
    /// Rows of the output that are laid out at a time.
    rows: usize,
    /// Pairs of tiles: of input channels, and of output channels.
    pairs: [usize; 2],
}

pub(crate) fn to_weight(shape: &ConvShape, input: &[f32], grad: &[f32], out: &mut [f32]) {
    let pairs = shape.channels.map(|channels| channels.div_ceil(2 * SIDE));
    let [height, _] = shape.output();
    let row = TERMS * (shape.input[1] + 2) * pairs[0] * 2 * SIDE * shape.stride[0];
    let most = height.div_ceil(4).max(2);
    let rows = (LAID / row).saturating_sub(2).clamp(1, most);
    let plan = Plan { shape, input, grad, isa: instruction_set(), rows, pairs };
    let blocks = height.div_ceil(rows);
    let pieces = shape.images.div_ceil(TERMS) * blocks;
    let tasks = (ROOM / out.len()).clamp(TASKS[0], TASKS[1]).min(pieces);
    let length = plan.taps() * pairs[0] * pairs[1] * SUMS;
    let mut sums = Scratch::new(tasks * length);
    // How pieces are dealt out depends on the shape alone, and so do the sums.
    sums.par_chunks_mut(length).enumerate().for_each(|(task, sums)| {
        plan.sum(task * pieces / tasks..(task + 1) * pieces / tasks, blocks, sums);
    });
    plan.write(&sums, out);
}

impl Plan<'_> {
    fn taps(&self) -> usize {
        self.shape.kernel[0] * self.shape.kernel[1]
    }

    /// Writes the sums of some pieces, `[tap][pair out][pair in]`.
    fn sum(&self, pieces: Range<usize>, blocks: usize, sums: &mut [f32]) {
        sums.fill(0.0);
        let mut tiles = Tiles::new(SIDE);
        for piece in pieces {
            let first = [piece / blocks * TERMS, piece % blocks * self.rows];
            Piece { plan: self, first, rows: self.rows.min(self.shape.output()[0] - first[1]) }.add(&mut tiles, sums);
        }
    }

    /// Adds the sums of all tasks, and puts them where the weights lie.
    fn write(&self, sums: &[f32], out: &mut [f32]) {
        let [channels, _] = self.shape.channels;
        let taps = self.taps();
        let length = taps * self.pairs[0] * self.pairs[1] * SUMS;
        out.par_chunks_mut(channels * taps).enumerate().for_each(|(row, out)| {
            let (pair, half, line) = (row / (2 * SIDE), row / SIDE % 2, row % SIDE);
            for tap in 0..taps {
                for first in (0..channels).step_by(SIDE) {
                    let tile = (tap * self.pairs[1] + pair) * self.pairs[0] + first / (2 * SIDE);
                    let at = tile * SUMS + ((half * 2 + first / SIDE % 2) * SIDE + line) * SIDE;
                    let mut total = [0.0; SIDE];
                    for sums in sums.chunks_exact(length) {
                        total.iter_mut().zip(&sums[at..]).for_each(|(total, sum)| *total += sum);
                    }
                    for (channel, total) in total.iter().enumerate().take(channels - first) {
                        out[(first + channel) * taps + tap] = *total;
                    }
                }
            }
        });
    }
}

/// Some rows of the output of 32 images.
struct Piece<'a> {
    plan: &'a Plan<'a>,
    /// The first image, and the first row.
    first: [usize; 2],
    rows: usize,
}

impl Piece<'_> {
    fn add(&self, tiles: &mut Tiles, sums: &mut [f32]) {
        let Plan { shape, pairs, .. } = self.plan;
        let [_, width] = shape.output();
        let laid =
            [(self.rows - 1) * shape.stride[0] + shape.kernel[0], (width - 1) * shape.stride[1] + shape.kernel[1]];
        let mut input = Scratch::new(laid[0] * laid[1] * pairs[0] * FACTOR);
        let mut grad = Scratch::new(self.rows * width * pairs[1] * FACTOR);
        let [[top, _], [left, _]] = shape.padding;
        let origin = [(self.first[1] * shape.stride[0]) as isize - top as isize, -(left as isize)];
        let map = Map { values: self.plan.input, size: shape.input, channels: shape.channels[0], pairs: pairs[0] };
        self.lay(map, origin, laid, false, &mut input);
        let map = Map { values: self.plan.grad, size: shape.output(), channels: shape.channels[1], pairs: pairs[1] };
        self.lay(map, [self.first[1] as isize, 0], [self.rows, width], true, &mut grad);
        let (input, _) = cast_slice::<f32, u16>(&input).as_chunks::<{ 2 * FACTOR }>();
        let (grad, _) = cast_slice::<f32, u16>(&grad).as_chunks::<FACTOR>();
        let (sums, _) = sums.as_chunks_mut::<SUMS>();
        for tap in 0..self.plan.taps() {
            let (down, across) = (tap / shape.kernel[1], tap % shape.kernel[1]);
            for out in 0..pairs[1] {
                for own in 0..pairs[0] {
                    let sums = &mut sums[(tap * pairs[1] + out) * pairs[0] + own];
                    tiles.load(sums);
                    for y in 0..self.rows {
                        let row = (y * shape.stride[0] + down) * laid[1] + across;
                        for x in 0..width {
                            let left = &grad[((y * width + x) * pairs[1] + out) * 2..][..2];
                            let right = &input[(row + x * shape.stride[1]) * pairs[0] + own];
                            tiles.multiply([&left[0], &left[1]], TERMS, right);
                        }
                    }
                    tiles.store(sums);
                }
            }
        }
    }

    fn lay(&self, map: Map, origin: [isize; 2], laid: [usize; 2], turned: bool, out: &mut [f32]) {
        let images = TERMS.min(self.plan.shape.images - self.first[0]);
        dispatch(self.plan.isa, Lay { map, origin, laid, turned, images: [self.first[0], images], out });
    }
}

/// A map, its height and width, its channels, and pairs of tiles of them.
struct Map<'a> {
    values: &'a [f32],
    size: [usize; 2],
    channels: usize,
    pairs: usize,
}

/// Lays out pixels of 32 images as `[row][column][tile][16 pairs of images][16 channels][2]`, or, turned, as
/// `[row][column][tile][16 channels][32 images]`.
struct Lay<'a> {
    map: Map<'a>,
    origin: [isize; 2],
    laid: [usize; 2],
    turned: bool,
    /// The first, and how many.
    images: [usize; 2],
    out: &'a mut [f32],
}

impl WithSimd for Lay<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { map, origin, laid, turned, images: [first, images], out } = self;
        let Map { values, size: [height, width], channels, pairs } = map;
        let (tiles, _) = out.as_chunks_mut::<{ SIDE * SIDE }>();
        for (pixel, tiles) in tiles.chunks_exact_mut(2 * pairs).take(laid[0] * laid[1]).enumerate() {
            let (y, x) = (origin[0] + (pixel / laid[1]) as isize, origin[1] + (pixel % laid[1]) as isize);
            if y < 0 || y >= height as isize || x < 0 || x >= width as isize {
                tiles.fill([0.0; SIDE * SIDE]);
                continue;
            }
            let at = |image: usize| (((first + image) * height + y as usize) * width + x as usize) * channels;
            for (number, tile) in tiles.iter_mut().enumerate() {
                let start = number * SIDE;
                let mut square = [0.0f32; SIDE * SIDE];
                if start < channels {
                    let (lines, _) = square.as_chunks_mut::<SIDE>();
                    for (pair, line) in lines.iter_mut().enumerate().take(images.div_ceil(2)) {
                        let line_of = |image: usize| match image < images {
                            true => &values[at(image) + start..][..SIDE],
                            false => &[0.0; SIDE],
                        };
                        let (one, other) = (line_of(2 * pair), line_of(2 * pair + 1));
                        for k in 0..SIDE {
                            line[k] = f32::from_bits(u32::from(round(one[k])) | u32::from(round(other[k])) << 16);
                        }
                    }
                }
                match turned {
                    true => turn(simd, &square, SIDE, SIDE, tile, SIDE),
                    false => *tile = square,
                }
            }
        }
    }
}
