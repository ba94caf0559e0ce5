//! The output, and the gradient to the input, of maps whose width is a multiple of 16, without a bias.
//!
//! The rows of a left factor are 16 pixels side by side, so that maps are read and written in order.

use bytemuck::{cast_slice, cast_slice_mut};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::round::round;
use super::tile::{FACTOR, SIDE, TERMS, Tiles};
use super::weights::PANEL;
use super::{GROUP, LAID};
use crate::kernel::conv::gather::Images;
use crate::kernel::conv::phase::Phase;
use crate::kernel::isa::{InstructionSet, dispatch};
use crate::kernel::scratch::Scratch;

/// A convolution whose windows are one pixel apart, onto a map whose rows are whole left factors.
pub(super) struct Plan<'a> {
    source: &'a Images<'a>,
    phase: &'a Phase,
    /// By [`pack`](super::weights::pack).
    weights: &'a [u16],
    /// The output's height, width and channels.
    output: [usize; 3],
    isa: InstructionSet,
}

/// Whether a [`Plan`] can be made of a phase.
pub(super) fn fit(phase: &Phase, output: [usize; 3]) -> bool {
    let [height, width, channels] = output;
    let whole = phase.first == [0, 0] && phase.every == [1, 1] && phase.grid == [height, width];
    let multiples = width.is_multiple_of(SIDE) && channels.is_multiple_of(SIDE);
    whole && multiples && phase.step == [1, 1] && !phase.taps.is_empty() && height * width * channels > 0
}

impl<'a> Plan<'a> {
    pub(super) fn new(
        source: &'a Images<'a>,
        (weights, phase): &'a (Scratch, Phase),
        output: [usize; 3],
        isa: InstructionSet,
    ) -> Self {
        debug_assert!(fit(phase, output));
        Self { source, phase, weights: cast_slice(weights), output, isa }
    }

    /// Writes the whole output: a task has some rows of one image.
    pub(super) fn run(&self, output: &mut [f32]) {
        let [height, width, channels] = self.output;
        let rows = (LAID / self.row()).saturating_sub(self.phase.window[0] - 1).max(2);
        output.par_chunks_mut(height * width * channels).enumerate().for_each(|(image, output)| {
            output.par_chunks_mut(rows * width * channels).enumerate().for_each(|(block, output)| {
                self.compute([image, block * rows], output);
            });
        });
    }

    /// Blocks of 32 channels of the source.
    fn depth(&self) -> usize {
        self.source.channels.div_ceil(TERMS)
    }

    /// Columns of the source that are laid out.
    fn columns(&self) -> usize {
        self.output[1] + self.phase.window[1] - 1
    }

    /// Numbers of a row that is laid out.
    fn row(&self) -> usize {
        self.columns() * self.depth() * TERMS
    }

    /// The rows of an image from one on.
    fn compute(&self, first: [usize; 2], output: &mut [f32]) {
        let [_, width, channels] = self.output;
        let rows = output.len() / (width * channels);
        let mut source = Scratch::new((rows + self.phase.window[0] - 1) * self.row() / 2);
        dispatch(self.isa, Lay { plan: self, first, out: cast_slice_mut(&mut source) });
        let source: &[u16] = cast_slice(&source);

        let (depth, pixel) = (self.depth(), self.depth() * TERMS);
        let [down, across] = self.phase.window;
        let taps: Vec<usize> = (0..down).flat_map(|y| (0..across).map(move |x| y * self.row() + x * pixel)).collect();
        // Where left factors begin in the source, and their sums in the output.
        let factors: Vec<[usize; 2]> = (0..rows)
            .flat_map(|y| (0..width).step_by(SIDE).map(move |x| (y, x)))
            .map(|(y, x)| [y * self.row() + x * pixel, (y * width + x) * channels])
            .collect();
        let (weights, _) = self.weights.as_chunks::<{ 2 * FACTOR }>();
        let mut tiles = Tiles::new(SIDE);
        for (panel, weights) in weights.chunks_exact(taps.len() * depth).enumerate() {
            let first = panel * PANEL;
            let halves = (channels - first).min(PANEL) / SIDE;
            for group in factors.chunks(GROUP) {
                for (block, weights) in weights.chunks_exact(taps.len()).enumerate() {
                    for pair in group.chunks(2) {
                        // Where there is no second one, the first is computed twice.
                        let [a, b] = [pair[0], pair[pair.len() - 1]];
                        let places = [a[1] + first, b[1] + first];
                        match block {
                            0 => tiles.clear(),
                            _ => tiles.load_rows(output, places, channels, halves),
                        }
                        for (&tap, weights) in taps.iter().zip(weights) {
                            let left = [a, b].map(|[at, _]| &source[at + block * TERMS + tap..]);
                            tiles.multiply(left, pixel, weights);
                        }
                        tiles.store_rows(output, places, channels, halves);
                    }
                }
            }
        }
    }
}

/// Lays out what some rows of an image need, as `[row][column][channels]`, with channels filled up to blocks of 32.
struct Lay<'a> {
    plan: &'a Plan<'a>,
    /// The image, and the first row of the output.
    first: [usize; 2],
    out: &'a mut [u16],
}

impl WithSimd for Lay<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { plan: &Plan { source, phase, .. }, first: [image, first], out } = self;
        let (channels, pixel) = (source.channels, self.plan.depth() * TERMS);
        let columns = self.plan.columns();
        for (row, out) in out.chunks_exact_mut(columns * pixel).enumerate() {
            let y = phase.origin[0] + (first + row) as isize;
            // Columns from the first pixel of the source to behind the last.
            let begin = (-phase.origin[1]).clamp(0, columns as isize) as usize;
            let end = (source.width as isize - phase.origin[1]).clamp(begin as isize, columns as isize) as usize;
            if y < 0 || y >= source.height as isize || begin == end {
                out.fill(0);
                continue;
            }
            let x = (begin as isize + phase.origin[1]) as usize;
            let at = ((image * source.height + y as usize) * source.width + x) * channels;
            let values = &source.values[at..][..(end - begin) * channels];
            out[..begin * pixel].fill(0);
            out[end * pixel..].fill(0);
            let out = &mut out[begin * pixel..end * pixel];
            if channels == pixel {
                out.iter_mut().zip(values).for_each(|(out, &value)| *out = round(value));
                continue;
            }
            for (out, values) in out.chunks_exact_mut(pixel).zip(values.chunks_exact(channels)) {
                let (out, rest) = out.split_at_mut(channels);
                out.iter_mut().zip(values).for_each(|(out, &value)| *out = round(value));
                rest.fill(0);
            }
        }
    }
}
