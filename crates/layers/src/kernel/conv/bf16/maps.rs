//! The output, and the gradient to the input.
//!
//! The rows of a left factor are 16 images at one pixel, so that any height, width and stride fill it.

use std::ops::Range;

use bytemuck::{cast_slice, cast_slice_mut};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::round::round;
use super::rows;
use super::tile::{FACTOR, SIDE, SUMS, TERMS, Tiles};
use super::weights::{PANEL, pack};
use super::{GROUP, LAID};
use crate::kernel::ConvShape;
use crate::kernel::conv::gather::Images;
use crate::kernel::conv::phase::Phase;
use crate::kernel::conv::weights::{Direction, Weights};
use crate::kernel::isa::{InstructionSet, dispatch, instruction_set, load, store};
use crate::kernel::scratch::Scratch;

/// What all tasks of a convolution share.
struct Plan<'a> {
    source: Images<'a>,
    /// Behind the weights that their pixels are multiplied with.
    phases: Vec<(Scratch, Phase)>,
    bias: Option<&'a [f32]>,
    /// The output's height, width and channels.
    output: [usize; 3],
    isa: InstructionSet,
}

pub(crate) fn forward(shape: &ConvShape, input: &[f32], weight: &[f32], bias: Option<&[f32]>, output: &mut [f32]) {
    let weights = Weights::new(shape, weight, Direction::Forward);
    let phase = Phase::forward(shape);
    let [rows, columns] = phase.grid;
    let [height, width] = shape.input;
    let source = Images { values: input, height, width, channels: shape.channels[0] };
    let phases = vec![(pack(&weights, &phase.taps), phase)];
    Plan { source, phases, bias, output: [rows, columns, shape.channels[1]], isa: instruction_set() }.run(output);
}

pub(crate) fn to_input(shape: &ConvShape, weight: &[f32], grad: &[f32], out: &mut [f32]) {
    let weights = Weights::new(shape, weight, Direction::ToInput);
    let phases = Phase::to_input(shape).into_iter().map(|phase| (pack(&weights, &phase.taps), phase)).collect();
    let [height, width] = shape.output();
    let source = Images { values: grad, height, width, channels: shape.channels[1] };
    let output = [shape.input[0], shape.input[1], shape.channels[0]];
    Plan { source, phases, bias: None, output, isa: instruction_set() }.run(out);
}

impl Plan<'_> {
    /// Writes the whole output: a task has some rows of 16 images, or of one where its rows are whole left factors and there is
    /// no bias.
    fn run(&self, output: &mut [f32]) {
        if let ([phase], None) = (&self.phases[..], self.bias)
            && rows::fit(&phase.1, self.output)
        {
            return rows::Plan::new(&self.source, phase, self.output, self.isa).run(output);
        }
        let [height, width, channels] = self.output;
        let every = self.phases.iter().map(|(_, phase)| phase.every[0]).max().unwrap_or(1);
        let step = self.phases.iter().map(|(_, phase)| phase.step[0]).max().unwrap_or(1);
        let row = (self.source.width + 2) * SIDE * self.source.channels.next_multiple_of(TERMS) * step;
        let rows = (LAID / row).saturating_sub(2).max(2).next_multiple_of(every);
        let blocks = height.div_ceil(rows);
        let mut tasks: Vec<Vec<&mut [f32]>> = Vec::new();
        for (number, image) in output.chunks_mut(height * width * channels).enumerate() {
            for (block, part) in image.chunks_mut(rows * width * channels).enumerate() {
                let at = number / SIDE * blocks + block;
                match tasks.get_mut(at) {
                    Some(task) => task.push(part),
                    None => tasks.push(vec![part]),
                }
            }
        }
        tasks.into_par_iter().enumerate().for_each(|(number, output)| {
            let first = [number / blocks * SIDE, number % blocks * rows];
            Task { plan: self, first, output }.run();
        });
    }
}

/// Some rows of pixels of the output of 16 images.
struct Task<'a> {
    plan: &'a Plan<'a>,
    /// The first image, and the first row.
    first: [usize; 2],
    output: Vec<&'a mut [f32]>,
}

/// What of a phase a task computes.
struct Part<'a> {
    phase: &'a Phase,
    /// Rows of the phase's grid.
    rows: Range<usize>,
    /// Rows and columns of the source that are laid out.
    laid: [usize; 2],
    /// Blocks of 32 channels of the source.
    depth: usize,
}

impl Task<'_> {
    fn run(mut self) {
        let plan = self.plan;
        let [_, width, channels] = plan.output;
        let (begin, end) = (self.first[1], self.first[1] + self.output[0].len() / (width * channels));
        let mut tiles = Tiles::new(self.output.len());
        for (weights, phase) in &plan.phases {
            // Rows of the grid: y = first + every·u.
            let at = |y: usize| y.saturating_sub(phase.first[0]).div_ceil(phase.every[0]);
            let rows = at(begin)..at(end);
            if rows.is_empty() || phase.grid[1] == 0 {
                continue;
            }
            if phase.taps.is_empty() {
                self.clear(phase, rows);
                continue;
            }
            let laid = [
                (rows.len() - 1) * phase.step[0] + phase.window[0],
                (phase.grid[1] - 1) * phase.step[1] + phase.window[1],
            ];
            let part = Part { phase, rows, laid, depth: plan.source.channels.div_ceil(TERMS) };
            let mut source = Scratch::new(laid[0] * laid[1] * part.depth * FACTOR / 2);
            let lay = Lay {
                source: &plan.source,
                part: &part,
                first: self.first[0],
                images: self.output.len(),
                out: cast_slice_mut(&mut source),
            };
            dispatch(plan.isa, lay);
            self.multiply(&mut tiles, &part, cast_slice(&source), cast_slice(weights));
        }
    }

    /// Zeros where nothing reaches.
    fn clear(&mut self, phase: &Phase, rows: Range<usize>) {
        for u in rows {
            for v in 0..phase.grid[1] {
                let at = self.at(phase, u, v);
                let channels = self.plan.output[2];
                self.output.iter_mut().for_each(|image| image[at..][..channels].fill(0.0));
            }
        }
    }

    /// Where a pixel of the grid begins in the rows of an image.
    #[inline(always)]
    fn at(&self, phase: &Phase, u: usize, v: usize) -> usize {
        let [_, width, channels] = self.plan.output;
        let (y, x) = (phase.first[0] + u * phase.every[0] - self.first[1], phase.first[1] + v * phase.every[1]);
        (y * width + x) * channels
    }

    fn multiply(&mut self, tiles: &mut Tiles, part: &Part, source: &[u16], weights: &[u16]) {
        let Part { phase, rows, laid, depth } = part;
        let (source, _) = source.as_chunks::<FACTOR>();
        let (weights, _) = weights.as_chunks::<{ 2 * FACTOR }>();
        let [down, across] = phase.window;
        let taps: Vec<usize> = (0..down).flat_map(|y| (0..across).map(move |x| (y * laid[1] + x) * depth)).collect();
        let pixels: Vec<(usize, usize)> = rows
            .clone()
            .flat_map(|u| (0..phase.grid[1]).map(move |v| (u, v)))
            .map(|(u, v)| {
                (((u - rows.start) * phase.step[0] * laid[1] + v * phase.step[1]) * depth, self.at(phase, u, v))
            })
            .collect();
        let channels = self.plan.output[2];
        let mut sums = Scratch::new(GROUP / 2 * SUMS);
        let (sums, _) = sums.as_chunks_mut::<SUMS>();
        for (panel, weights) in weights.chunks_exact(taps.len() * depth).enumerate() {
            let own = PANEL.min(channels - panel * PANEL);
            for group in pixels.chunks(GROUP) {
                for (block, weights) in weights.chunks_exact(taps.len()).enumerate() {
                    for (pair, sums) in group.chunks(2).zip(&mut *sums) {
                        let (first, last) = (pair[0].0 + block, pair[pair.len() - 1].0 + block);
                        match block {
                            0 => tiles.clear(),
                            _ => tiles.load(sums),
                        }
                        for (&tap, weights) in taps.iter().zip(weights) {
                            tiles.multiply([&source[first + tap], &source[last + tap]], TERMS, weights);
                        }
                        tiles.store(sums);
                    }
                }
                let channels = [panel * PANEL, own];
                let (bias, output) = (self.plan.bias, &mut self.output[..]);
                dispatch(self.plan.isa, Write { sums, places: group, channels, bias, output });
            }
        }
    }
}

/// The sums of a group of pixels into the output, one image after another: its pixels lie side by side.
struct Write<'a, 't> {
    /// Of each pair of pixels: two factors of 16 channels for either.
    sums: &'a [[f32; SUMS]],
    /// Where the pixels begin in the rows of an image.
    places: &'a [(usize, usize)],
    /// The first channel, and how many.
    channels: [usize; 2],
    bias: Option<&'a [f32]>,
    output: &'a mut [&'t mut [f32]],
}

impl WithSimd for Write<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { sums, places, channels: [first, count], bias, output } = self;
        let (sums, _) = sums.as_flattened().as_chunks::<{ SUMS / 2 }>();
        for (image, output) in output.iter_mut().enumerate() {
            for (sums, &(_, at)) in sums.iter().zip(places) {
                let (out, _) = output[at + first..][..count].as_chunks_mut::<SIDE>();
                for (half, out) in out.iter_mut().enumerate() {
                    let sums = &sums[(half * SIDE + image) * SIDE..][..SIDE];
                    for number in 0..SIDE / S::F32_LANES {
                        let sum = load(simd, sums, number);
                        let sum = match bias {
                            Some(bias) => simd.add_f32s(sum, load(simd, &bias[first + half * SIDE..][..SIDE], number)),
                            None => sum,
                        };
                        store(simd, out, number, sum);
                    }
                }
            }
        }
    }
}

/// Lays out what a part needs of 16 images, as `[row][column][32 channels][16 images][32]`.
struct Lay<'a> {
    source: &'a Images<'a>,
    part: &'a Part<'a>,
    first: usize,
    images: usize,
    out: &'a mut [u16],
}

impl WithSimd for Lay<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { source, part, first, images, out } = self;
        let Part { phase, rows, laid, depth } = part;
        let channels = source.channels;
        let (lines, _) = out.as_chunks_mut::<TERMS>();
        for row in 0..laid[0] {
            let y = phase.origin[0] + (rows.start * phase.step[0] + row) as isize;
            for image in 0..images {
                for column in 0..laid[1] {
                    let x = phase.origin[1] + column as isize;
                    let at = (row * laid[1] + column) * depth * SIDE + image;
                    if y < 0 || y >= source.height as isize || x < 0 || x >= source.width as isize {
                        for block in 0..*depth {
                            lines[at + block * SIDE] = [0; TERMS];
                        }
                        continue;
                    }
                    let pixel = ((first + image) * source.height + y as usize) * source.width + x as usize;
                    let values = &source.values[pixel * channels..][..channels];
                    let (whole, rest) = values.as_chunks::<TERMS>();
                    for (block, values) in whole.iter().enumerate() {
                        let line = &mut lines[at + block * SIDE];
                        for k in 0..TERMS {
                            line[k] = round(values[k]);
                        }
                    }
                    if !rest.is_empty() {
                        let line = &mut lines[at + whole.len() * SIDE];
                        *line = [0; TERMS];
                        for k in 0..rest.len() {
                            line[k] = round(rest[k]);
                        }
                    }
                }
            }
        }
    }
}
