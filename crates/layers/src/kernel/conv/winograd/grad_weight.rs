//! The gradient to the weights: sums over tiles at the points, then back to 3×3.

use std::ops::Range;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::tiles::{Maps, Place, Tiling, widen};
use super::transform::{
    ALL, APART, Gradient, Input, KernelGradient, Scheme, StridedGradient, StridedInput, StridedKernelGradient, WEIGHTS,
    both,
};
use crate::kernel::ConvShape;
use crate::kernel::isa::{InstructionSet, dispatch, instruction_set};
use crate::kernel::product::{accumulate, pairs, pairs_mut, terms};
use crate::kernel::scratch::Scratch;
use crate::kernel::turn::{SIDE, turn};

/// Tiles of the largest block: as many as are summed over at a time.
const TILES: usize = 64;

/// Numbers at points that are held at a time.
const HELD: usize = 1 << 20;

/// Lanes of the widest panel.
const WIDEST: usize = 32;

/// Taps of a kernel.
const TAPS: usize = 9;

pub(in crate::kernel::conv) fn to_weight(shape: &ConvShape, input: &[f32], grad: &[f32], out: &mut [f32]) {
    let isa = instruction_set();
    let panel = isa.panel();
    let whole = shape.channels.map(|channels| channels.next_multiple_of(panel));
    let wide = [widen(input, shape.channels[0], whole[0]), widen(grad, shape.channels[1], whole[1])];
    let zeros = Scratch::zeros(whole[0].max(whole[1]));
    let [[top, _], [left, _]] = shape.padding;
    let size = shape.output();
    let scheme = if shape.stride == [1, 1] { Scheme::Plain } else { Scheme::Strided };
    let [step, side] = scheme.steps();
    let input = Maps {
        values: wide[0].as_deref().unwrap_or(input),
        size: shape.input,
        channels: whole[0],
        padding: [top as isize, left as isize],
        step,
        zeros: &zeros,
    };
    let grad = Maps {
        values: wide[1].as_deref().unwrap_or(grad),
        size,
        channels: whole[1],
        padding: [0, 0],
        step: side,
        zeros: &zeros,
    };
    let tiling = Tiling::new(shape.images, size, side, [0, 0], TILES, 1);
    let plan = Plan { scheme, shape, input, grad, tiling, isa };
    // Sums at the points take four times the weights' memory. Where the tiles take less, sums never leave a core's cache.
    match whole[0] * whole[1] * ALL < tiling.count() * (whole[0] + whole[1]) * scheme.points() {
        true => plan.by_points(out),
        false => plan.by_channels(out),
    }
}

struct Plan<'a> {
    scheme: Scheme,
    shape: &'a ConvShape,
    input: Maps<'a>,
    grad: Maps<'a>,
    tiling: Tiling,
    isa: InstructionSet,
}

impl Plan<'_> {
    /// Panels of the channels of input and gradient.
    fn panels(&self) -> [usize; 2] {
        [self.input, self.grad].map(|maps| maps.channels / self.isa.panel())
    }

    /// Numbers from point to point of a panel of a block, `[point][tile][panel]`.
    fn apart(&self) -> usize {
        self.tiling.per_block() * self.isa.panel() + APART
    }

    /// Numbers of a panel of a block.
    fn unit(&self) -> usize {
        self.scheme.points() * self.apart()
    }

    /// Blocks at the points: `[block][panel of the input, then of the gradient][point][tile][panel]`.
    fn to_points(&self, blocks: Range<usize>, out: &mut [f32]) {
        let [inputs, grads] = self.panels();
        out.par_chunks_mut(self.unit()).enumerate().for_each(|(number, out)| {
            let block = blocks.start + number / (inputs + grads);
            dispatch(self.isa, Unit { plan: self, block, panel: number % (inputs + grads), out });
        });
    }

    /// Point by point, which need no sums from one another; a few blocks at a time.
    fn by_points(&self, out: &mut [f32]) {
        let [inputs, grads] = self.panels();
        let (panel, per_block) = (self.isa.panel(), (inputs + grads) * self.unit());
        let at_a_time = (HELD / per_block).clamp(1, self.tiling.blocks());
        let mut units = Scratch::new(at_a_time * per_block);
        let tile = panel * panel;
        // A task has a point's sums with a panel of the gradient.
        let task = inputs * tile + APART;
        let mut sums = Scratch::new(ALL * grads * task);
        for start in (0..self.tiling.blocks()).step_by(at_a_time) {
            let blocks = start..(start + at_a_time).min(self.tiling.blocks());
            let units = &mut units[..blocks.len() * per_block];
            self.to_points(blocks.clone(), units);
            let units = &*units;
            // One task a point and panel of the gradient.
            sums.par_chunks_mut(task).enumerate().for_each(|(number, sums)| {
                let (point, grad) = (number / grads, number % grads);
                dispatch(self.isa, Sums { plan: self, blocks: blocks.clone(), units, point, grad, sums });
            });
        }
        let channels = self.shape.channels[0];
        let sums = &*sums;
        out.par_chunks_mut(channels * TAPS).enumerate().for_each(|(row, out)| {
            for input in 0..inputs {
                let first = row / panel * task + input * tile + row % panel * panel;
                let out = &mut out[input * panel * TAPS..];
                dispatch(self.isa, Back { scheme: self.scheme, sums: &sums[first..], stride: grads * task, out });
            }
        });
    }

    /// Pairs of panels, each over all tiles, with its sums in a core's cache.
    fn by_channels(&self, out: &mut [f32]) {
        let [inputs, grads] = self.panels();
        let panel = self.isa.panel();
        let blocks = 0..self.tiling.blocks();
        let mut units = Scratch::new(blocks.len() * (inputs + grads) * self.unit());
        self.to_points(blocks.clone(), &mut units);
        let units = &*units;
        let channels = self.shape.channels[0];
        out.par_chunks_mut(panel * channels * TAPS).enumerate().with_max_len(1).for_each(|(grad, out)| {
            let apart = panel * panel + APART;
            let mut sums = Scratch::new(ALL * apart);
            for input in 0..inputs {
                for (point, sums) in sums.chunks_exact_mut(apart).enumerate() {
                    let sums = &mut sums[..panel * panel];
                    let pair = Pairs { plan: self, blocks: blocks.clone(), units, point, grad, input, sums };
                    dispatch(self.isa, pair);
                }
                for (row, out) in out.chunks_exact_mut(channels * TAPS).enumerate() {
                    let out = &mut out[input * panel * TAPS..];
                    dispatch(self.isa, Back { scheme: self.scheme, sums: &sums[row * panel..], stride: apart, out });
                }
            }
        });
    }

    /// Adds the products of a pair of panels at a point to its sums, which begin with the first block.
    #[inline(always)]
    fn add<S: Simd, const M: usize>(
        &self,
        simd: S,
        blocks: Range<usize>,
        units: &[f32],
        weights: usize,
        [input, grad]: [usize; 2],
        sums: &mut [f32],
    ) {
        let width = 2 * S::F32_LANES;
        let [inputs, grads] = self.panels();
        let sums = pairs_mut::<S>(sums);
        let (sums, _) = sums.as_chunks_mut::<M>();
        let [rows, columns] = self.scheme.points_of(weights);
        let first = rows.start * self.scheme.side() + columns.start;
        for (number, block) in blocks.enumerate() {
            let count = self.tiling.count_of(block) * width;
            for point in rows.clone().flat_map(|row| columns.clone().map(move |column| (row, column))) {
                let point = point.0 * self.scheme.side() + point.1;
                let unit = |panel: usize| {
                    let start = (number * (inputs + grads) + panel) * self.unit();
                    &units[start + point * self.apart()..][..count]
                };
                let lanes = pairs::<S>(unit(input));
                for (part, sums) in sums.iter_mut().enumerate() {
                    let own = terms::<S, M>(simd, unit(inputs + grad), width, part * M, lanes);
                    match block == 0 && point == first {
                        true => *sums = own,
                        false => accumulate(simd, sums, own),
                    }
                }
            }
        }
    }
}

/// A panel of a block, to the points.
struct Unit<'a> {
    plan: &'a Plan<'a>,
    block: usize,
    panel: usize,
    out: &'a mut [f32],
}

impl WithSimd for Unit<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { plan, block, panel, out } = self;
        let [inputs, _] = plan.panels();
        let (out, _) = S::as_mut_simd_f32s(out);
        let per_point = plan.apart() / S::F32_LANES;
        for number in 0..plan.tiling.count_of(block) {
            let tile = plan.tiling.tile(block, number);
            let place = Place { start: 2 * number, run: 2, step: 2, stride: per_point };
            match panel.checked_sub(inputs) {
                None => {
                    let vectors = 2 * panel..2 * panel + 2;
                    match plan.scheme {
                        Scheme::Plain => plan.input.to_points::<S, Input, 6, 6>(simd, tile, vectors, place, out),
                        _ => plan.input.to_points::<S, StridedInput, 9, 9>(simd, tile, vectors, place, out),
                    }
                }
                Some(panel) => {
                    let vectors = 2 * panel..2 * panel + 2;
                    match plan.scheme {
                        Scheme::Plain => plan.grad.to_points::<S, Gradient, 4, 6>(simd, tile, vectors, place, out),
                        _ => plan.grad.to_points::<S, StridedGradient, 4, 9>(simd, tile, vectors, place, out),
                    }
                }
            }
        }
    }
}

/// Adds all panels of the input, for a point and a panel of the gradient.
struct Sums<'a> {
    plan: &'a Plan<'a>,
    blocks: Range<usize>,
    units: &'a [f32],
    point: usize,
    grad: usize,
    sums: &'a mut [f32],
}

impl WithSimd for Sums<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let width = 2 * S::F32_LANES;
        let [inputs, _] = self.plan.panels();
        for (input, sums) in self.sums.chunks_exact_mut(width * width).take(inputs).enumerate() {
            let Self { plan, ref blocks, units, point, grad, .. } = self;
            let pair = Pairs { plan, blocks: blocks.clone(), units, point, grad, input, sums };
            pair.with_simd(simd);
        }
    }
}

/// Adds a pair of panels at a point.
struct Pairs<'a> {
    plan: &'a Plan<'a>,
    blocks: Range<usize>,
    units: &'a [f32],
    point: usize,
    grad: usize,
    input: usize,
    sums: &'a mut [f32],
}

impl WithSimd for Pairs<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { plan, blocks, units, point, grad, input, sums } = self;
        match S::F32_LANES {
            8 => plan.add::<S, 4>(simd, blocks, units, point, [input, grad], sums),
            _ => plan.add::<S, 8>(simd, blocks, units, point, [input, grad], sums),
        }
    }
}

/// Takes the sums of an output channel and a panel of input channels back to kernels.
struct Back<'a> {
    scheme: Scheme,
    /// From the lanes at the first point on.
    sums: &'a [f32],
    /// Numbers from point to point.
    stride: usize,
    /// From the panel's first kernel on.
    out: &'a mut [f32],
}

impl WithSimd for Back<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let lanes = S::F32_LANES;
        // Taps by lanes; the rows beyond the ninth only fill the square.
        let mut taps = [0.0f32; SIDE * WIDEST];
        for vector in 0..2 {
            let mut values = [[simd.splat_f32s(0.0); WEIGHTS]; WEIGHTS];
            for row in 0..WEIGHTS {
                for column in 0..WEIGHTS {
                    let at = (row * WEIGHTS + column) * self.stride + vector * lanes;
                    values[row][column] = S::as_simd_f32s(&self.sums[at..][..lanes]).0[0];
                }
            }
            let kernel = match self.scheme {
                Scheme::Plain => both::<S, KernelGradient, WEIGHTS, 3>(simd, values),
                _ => both::<S, StridedKernelGradient, WEIGHTS, 3>(simd, values),
            };
            for tap in 0..TAPS {
                let place = &mut taps[tap * WIDEST + vector * lanes..][..lanes];
                S::as_mut_simd_f32s(place).0[0] = kernel[tap / 3][tap % 3];
            }
        }
        let (kernels, _) = self.out.as_chunks_mut::<TAPS>();
        let mut turned = [[0.0f32; SIDE]; SIDE];
        for start in (0..2 * lanes).step_by(SIDE) {
            turn(simd, &taps[start..], WIDEST, SIDE, turned.as_flattened_mut(), SIDE);
            for (kernel, turned) in kernels.iter_mut().skip(start).zip(&turned) {
                kernel.copy_from_slice(&turned[..TAPS]);
            }
        }
    }
}
