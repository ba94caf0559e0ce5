//! Convolutions by their definition, as products of windows with weights. Any kernel, stride and padding.

mod grad_weight;

pub(super) use grad_weight::to_weight;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::gather::{Images, Window};
use super::phase::Phase;
use super::weights::{Direction, Weights};
use crate::kernel::ConvShape;
use crate::kernel::isa::{InstructionSet, dispatch, instruction_set};
use crate::kernel::product::{CHUNK, Pair, accumulate, pairs, rows};
use crate::kernel::scratch::Scratch;

/// Numbers of windows that a core packs at a time; they stay in its second cache.
const PACKED: usize = 64 * 1024;

/// Products that are worth another task.
const TASK: usize = 1 << 19;

/// The fewest pixels of a phase that a task has, so that its groups are full and the weights are read for many of them.
const PIXELS: usize = 48;

/// Terms of a sum that is taken at a time.
const PIECE: usize = 512 / CHUNK;

/// What all tasks of a convolution share.
struct Plan<'a> {
    source: Images<'a>,
    /// Behind the packed weights that their pixels are multiplied with.
    phases: Vec<(Scratch, Phase)>,
    bias: Option<Scratch>,
    /// The output's height, width and channels.
    output: [usize; 3],
    isa: InstructionSet,
}

pub(super) fn forward(shape: &ConvShape, input: &[f32], weight: &[f32], bias: Option<&[f32]>, output: &mut [f32]) {
    let isa = instruction_set();
    let weights = Weights::new(shape, weight, Direction::Forward);
    let phase = Phase::forward(shape);
    let [rows, columns] = phase.grid;
    let packed = weights.pack(&phase.taps, isa);
    let [height, width] = shape.input;
    let source = Images { values: input, height, width, channels: shape.channels[0] };
    let bias = bias.map(|bias| padded(bias, isa.panel()));
    Plan { source, phases: vec![(packed, phase)], bias, output: [rows, columns, shape.channels[1]], isa }
        .run(shape, output);
}

pub(super) fn to_input(shape: &ConvShape, weight: &[f32], grad: &[f32], out: &mut [f32]) {
    let isa = instruction_set();
    let weights = Weights::new(shape, weight, Direction::ToInput);
    let phases = Phase::to_input(shape).into_iter();
    let phases = phases.map(|phase| (weights.pack(&phase.taps, isa), phase)).collect();
    let [height, width] = shape.output();
    let source = Images { values: grad, height, width, channels: shape.channels[1] };
    let output = [shape.input[0], shape.input[1], shape.channels[0]];
    Plan { source, phases, bias: None, output, isa }.run(shape, out);
}

/// `values`, filled up with zeros to whole panels.
pub(super) fn padded(values: &[f32], panel: usize) -> Scratch {
    let mut padded = Scratch::zeros(values.len().next_multiple_of(panel));
    padded[..values.len()].copy_from_slice(values);
    padded
}

impl Plan<'_> {
    /// Writes the whole output, rows of pixels by the task.
    fn run(&self, shape: &ConvShape, output: &mut [f32]) {
        let [height, width, channels] = self.output;
        let row = width * channels;
        let fewest = (PIXELS * self.phases.len()).div_ceil(width);
        let rows = (TASK / (shape.products() / (shape.images * height)).max(1)).clamp(fewest, fewest.max(64));
        output.par_chunks_mut(rows * row).enumerate().for_each(|(number, output)| {
            dispatch(self.isa, Task { plan: self, first: number * rows, output });
        });
    }
}

/// Some rows of pixels of the output, from row `first` of all images.
struct Task<'a> {
    plan: &'a Plan<'a>,
    first: usize,
    output: &'a mut [f32],
}

impl WithSimd for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match S::F32_LANES {
            8 => self.run::<S, 6>(simd),
            _ => self.run::<S, 8>(simd),
        }
    }
}

impl Task<'_> {
    #[inline(always)]
    fn run<S: Simd, const M: usize>(mut self, simd: S) {
        for (weights, phase) in &self.plan.phases {
            let pixels = self.pixels(phase);
            if phase.window[0] * phase.window[1] == 0 {
                self.clear(&pixels);
                continue;
            }
            let terms = phase.window[0] * phase.window[1] * self.plan.source.channels;
            let chunks = terms.div_ceil(CHUNK);
            let most = (PACKED / (chunks * CHUNK)).next_multiple_of(M).clamp(M, 16 * M);
            let mut packed = Scratch::new(most * chunks * CHUNK);
            let mut line = Scratch::zeros(chunks * CHUNK);
            for pixels in pixels.chunks(most) {
                let (groups, _) = packed.as_chunks_mut::<CHUNK>();
                let (groups, _) = groups.as_chunks_mut::<M>();
                for (number, &(_, window)) in pixels.iter().enumerate() {
                    self.plan.source.gather(window, 0..terms, &mut line);
                    let (line, _) = line.as_chunks::<CHUNK>();
                    let group = &mut groups[number / M * chunks..][..chunks];
                    for (chunk, line) in group.iter_mut().zip(line) {
                        chunk[number % M] = *line;
                    }
                }
                self.multiply::<S, M>(simd, weights, groups, pixels, chunks);
            }
        }
    }

    /// The pixels of the phase in this task's rows: where each lies in the output, and its window.
    #[inline(always)]
    fn pixels(&self, phase: &Phase) -> Vec<(usize, Window)> {
        let [height, width, channels] = self.plan.output;
        let rows = self.output.len() / (width * channels);
        let mut pixels = Vec::with_capacity(rows * phase.grid[1]);
        for row in 0..rows {
            let (image, y) = ((self.first + row) / height, (self.first + row) % height);
            if y % phase.every[0] != phase.first[0] % phase.every[0] {
                continue;
            }
            let top = phase.origin[0] + (y / phase.every[0] * phase.step[0]) as isize;
            for u in 0..phase.grid[1] {
                let x = phase.first[1] + u * phase.every[1];
                let left = phase.origin[1] + (u * phase.step[1]) as isize;
                let window = Window { image, top, left, wide: phase.window[1] };
                pixels.push(((row * width + x) * channels, window));
            }
        }
        pixels
    }

    fn clear(&mut self, pixels: &[(usize, Window)]) {
        for &(at, _) in pixels {
            self.output[at..][..self.plan.output[2]].fill(0.0);
        }
    }

    #[inline(always)]
    fn multiply<S: Simd, const M: usize>(
        &mut self,
        simd: S,
        weights: &[f32],
        groups: &[[[f32; CHUNK]; M]],
        pixels: &[(usize, Window)],
        chunks: usize,
    ) {
        let channels = self.plan.output[2];
        let width = 2 * S::F32_LANES;
        let weights = pairs::<S>(weights);
        let bias = self.plan.bias.as_ref().map(|bias| pairs::<S>(bias));
        for (panel, weights) in weights.chunks_exact(chunks * CHUNK).enumerate() {
            let start = bias.map_or([simd.splat_f32s(0.0); 2], |bias| bias[panel]);
            let own = width.min(channels - panel * width);
            for (group, pixels) in groups.chunks_exact(chunks).zip(pixels.chunks(M)) {
                let mut sums = [start; M];
                for (group, weights) in group.chunks(PIECE).zip(weights.chunks(PIECE * CHUNK)) {
                    accumulate(simd, &mut sums, rows::<S, M>(simd, group, weights));
                }
                for (sums, &(at, _)) in sums.iter().zip(pixels) {
                    store(simd, &mut self.output[at + panel * width..][..own], sums);
                }
            }
        }
    }
}

/// Writes two vectors, or as much of them as there is room for.
#[inline(always)]
pub(super) fn store<S: Simd>(simd: S, out: &mut [f32], values: &Pair<S>) {
    let lanes = S::F32_LANES;
    if out.len() == 2 * lanes {
        let (out, _) = S::as_mut_simd_f32s(out);
        out.copy_from_slice(values);
    } else if out.len() > lanes {
        let (first, second) = out.split_at_mut(lanes);
        simd.partial_store_f32s(first, values[0]);
        simd.partial_store_f32s(second, values[1]);
    } else {
        simd.partial_store_f32s(out, values[0]);
    }
}
