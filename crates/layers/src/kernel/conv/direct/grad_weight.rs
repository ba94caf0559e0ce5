//! The gradient to the weights by its definition: the sum over pixels of gradients times windows.

use std::ops::Range;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::kernel::ConvShape;
use crate::kernel::conv::gather::{Images, Window};
use crate::kernel::isa::{InstructionSet, dispatch, instruction_set};
use crate::kernel::product::{accumulate, pairs, pairs_mut, terms};
use crate::kernel::scratch::Scratch;

/// Pixels whose products are summed by themselves before they are added to the rest.
const PIXELS: usize = 128;

/// The pixels that a panel of windows has room for: one more, lest panels lie powers of two apart, fall into the same few
/// places of the cache and push one another out.
const ROOM: usize = PIXELS + 1;

/// Where a convolution has so few panels, pixels are split into parts, each with sums of its own: by their number, never
/// by that of the cores, since the result depends on it.
const FEW: usize = 8;

/// Pixels of such a part.
const PART: usize = 2048;

/// Rows of the gradient that registers hold.
const ROWS: usize = 8;

/// What all tasks share.
struct Plan<'a> {
    shape: &'a ConvShape,
    source: Images<'a>,
    grad: &'a [f32],
    isa: InstructionSet,
    /// Numbers of a window.
    terms: usize,
}

pub(crate) fn to_weight(shape: &ConvShape, input: &[f32], grad: &[f32], out: &mut [f32]) {
    let isa = instruction_set();
    let [height, width] = shape.input;
    let source = Images { values: input, height, width, channels: shape.channels[0] };
    let terms = shape.kernel[0] * shape.kernel[1] * shape.channels[0];
    let plan = Plan { shape, source, grad, isa, terms };
    let panels = terms.div_ceil(isa.panel());
    let pixels = grad.len() / shape.channels[1];
    let parts = if panels < FEW { pixels.div_ceil(PART).min(FEW) } else { 1 };
    let part = pixels.div_ceil(parts);
    // How panels are dealt out changes no sum.
    let at_a_time = panels.div_ceil(4 * rayon::current_num_threads().div_ceil(parts)).max(1);
    let tasks: Vec<(Range<usize>, Range<usize>)> = (0..panels)
        .step_by(at_a_time)
        .flat_map(|first| {
            let panels = first..(first + at_a_time).min(panels);
            (0..parts).map(move |number| (panels.clone(), number * part..((number + 1) * part).min(pixels)))
        })
        .collect();
    let sums: Vec<Scratch> =
        tasks.into_par_iter().map(|(panels, pixels)| dispatch(isa, Task { plan: &plan, panels, pixels })).collect();
    plan.write(&sums, at_a_time, parts, out);
}

impl Plan<'_> {
    fn rows(&self) -> usize {
        self.shape.channels[1].next_multiple_of(ROWS)
    }

    /// Puts the sums of all tasks, `[panel][row][width]`, where the weights lie.
    fn write(&self, sums: &[Scratch], at_a_time: usize, parts: usize, out: &mut [f32]) {
        let (width, channels) = (self.isa.panel(), self.shape.channels[0]);
        let area = self.shape.kernel[0] * self.shape.kernel[1];
        out.par_chunks_mut(channels * area).enumerate().for_each(|(row, out)| {
            for (task, sums) in sums.chunks(parts).enumerate() {
                for panel in 0..sums[0].len() / (self.rows() * width) {
                    let first = (task * at_a_time + panel) * width;
                    let at = (panel * self.rows() + row) * width;
                    for lane in 0..width.min(self.terms - first) {
                        let (tap, channel) = ((first + lane) / channels, (first + lane) % channels);
                        out[channel * area + tap] = sums.iter().map(|sums| sums[at + lane]).sum();
                    }
                }
            }
        });
    }
}

/// Some panels of the windows' numbers over some pixels.
struct Task<'a> {
    plan: &'a Plan<'a>,
    panels: Range<usize>,
    pixels: Range<usize>,
}

impl WithSimd for Task<'_> {
    type Output = Scratch;

    /// The sums, `[panel][row][width]`.
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Scratch {
        match S::F32_LANES {
            8 => self.run::<S, 4>(simd),
            _ => self.run::<S, 8>(simd),
        }
    }
}

impl Task<'_> {
    #[inline(always)]
    fn run<S: Simd, const M: usize>(self, simd: S) -> Scratch {
        let (width, channels, rows) = (2 * S::F32_LANES, self.plan.shape.channels[1], self.plan.rows());
        let panels = self.panels.len();
        let mut sums = Scratch::zeros(panels * rows * width);
        let mut windows = Scratch::new(panels * ROOM * width);
        let mut wide = Scratch::zeros(if rows == channels { 0 } else { PIXELS * rows });
        for start in self.pixels.clone().step_by(PIXELS) {
            let pixels = start..(start + PIXELS).min(self.pixels.end);
            self.lay_out(pixels.clone(), width, &mut windows);
            let grad = &self.plan.grad[pixels.start * channels..pixels.end * channels];
            let grad = match rows == channels {
                true => grad,
                false => widen(grad, channels, rows, &mut wide),
            };
            let windows = pairs::<S>(&windows);
            let sums = pairs_mut::<S>(&mut sums);
            for (windows, sums) in windows.chunks_exact(ROOM).zip(sums.chunks_exact_mut(rows)) {
                let (sums, _) = sums.as_chunks_mut::<M>();
                for (number, sums) in sums.iter_mut().enumerate() {
                    accumulate(simd, sums, terms::<S, M>(simd, grad, rows, number * M, windows));
                }
            }
        }
        sums
    }

    /// The windows of some pixels as `[panel][pixel][width]`.
    #[inline(always)]
    fn lay_out(&self, pixels: Range<usize>, width: usize, windows: &mut [f32]) {
        let Plan { shape, source, terms, .. } = self.plan;
        let [height, wide] = shape.output();
        let [[top, _], [left, _]] = shape.padding;
        let range = self.panels.start * width..(self.panels.end * width).min(*terms);
        let mut line = Scratch::zeros(self.panels.len() * width);
        for (number, pixel) in pixels.enumerate() {
            let (image, y, x) = (pixel / (height * wide), pixel / wide % height, pixel % wide);
            let window = Window {
                image,
                top: (y * shape.stride[0]) as isize - top as isize,
                left: (x * shape.stride[1]) as isize - left as isize,
                wide: shape.kernel[1],
            };
            source.gather(window, range.clone(), &mut line);
            for (panel, line) in line.chunks_exact(width).enumerate() {
                windows[(panel * ROOM + number) * width..][..width].copy_from_slice(line);
            }
        }
    }
}

/// Pixels of `channels` numbers as pixels of `rows`, of which the last stay zero.
fn widen<'a>(grad: &[f32], channels: usize, rows: usize, wide: &'a mut [f32]) -> &'a [f32] {
    let pixels = grad.len() / channels;
    for (from, to) in grad.chunks_exact(channels).zip(wide.chunks_exact_mut(rows)) {
        to[..channels].copy_from_slice(from);
    }
    &wide[..pixels * rows]
}
