//! Weights in panels: for each term the numbers of as many output channels as two vectors have lanes.

use std::ops::Range;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::kernel::ConvShape;
use crate::kernel::isa::{InstructionSet, dispatch};
use crate::kernel::product::CHUNK;
use crate::kernel::scratch::Scratch;
use crate::kernel::turn::{SIDE, turn};

/// Summed channels that are laid across at a time.
pub(super) const TOGETHER: usize = 16;

/// Which of the two channels of a weight are the lanes, and which are summed over.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// Output channels are lanes.
    Forward,
    /// Input channels are.
    ToInput,
}

/// Weights `[out, in, height, width]`.
#[derive(Clone, Copy)]
pub(super) struct Weights<'a> {
    pub(super) values: &'a [f32],
    /// In, out.
    pub(super) channels: [usize; 2],
    pub(super) kernel: [usize; 2],
    pub(super) direction: Direction,
}

impl<'a> Weights<'a> {
    pub(super) fn new(shape: &ConvShape, values: &'a [f32], direction: Direction) -> Self {
        Self { values, channels: shape.channels, kernel: shape.kernel, direction }
    }

    /// Channels that are lanes.
    pub(super) fn lanes(&self) -> usize {
        match self.direction {
            Direction::Forward => self.channels[1],
            Direction::ToInput => self.channels[0],
        }
    }

    /// Channels that are summed over.
    pub(super) fn summed(&self) -> usize {
        match self.direction {
            Direction::Forward => self.channels[0],
            Direction::ToInput => self.channels[1],
        }
    }

    /// Where the weights of a pair of channels begin.
    #[inline(always)]
    pub(super) fn at(&self, lane: usize, summed: usize) -> usize {
        let area = self.kernel[0] * self.kernel[1];
        match self.direction {
            Direction::Forward => (lane * self.channels[0] + summed) * area,
            Direction::ToInput => (summed * self.channels[0] + lane) * area,
        }
    }

    /// The kernels of `own` lanes from `first` and of some summed channels, at most [`TOGETHER`], with lanes one behind
    /// the other: `[channel][tap][width]`. What has no lane is left as it was.
    #[inline(always)]
    pub(super) fn lay_across<S: Simd>(
        &self,
        simd: S,
        [first, own]: [usize; 2],
        channels: Range<usize>,
        out: &mut [f32],
        width: usize,
    ) {
        let area = self.kernel[0] * self.kernel[1];
        let whole = own / SIDE * SIDE;
        let columns = channels.len() * area;
        for lane in (0..whole).step_by(SIDE) {
            match self.direction {
                Direction::Forward => {
                    let from = &self.values[self.at(first + lane, channels.start)..];
                    for start in (0..columns).step_by(SIDE) {
                        let out = &mut out[start * width + lane..];
                        let stride = self.channels[0] * area;
                        turn(simd, &from[start..], stride, SIDE.min(columns - start), out, width);
                    }
                }
                Direction::ToInput => {
                    for (number, channel) in channels.clone().enumerate() {
                        let from = &self.values[self.at(first + lane, channel)..];
                        for start in (0..area).step_by(SIDE) {
                            let out = &mut out[(number * area + start) * width + lane..];
                            turn(simd, &from[start..], area, SIDE.min(area - start), out, width);
                        }
                    }
                }
            }
        }
        for lane in whole..own {
            for (number, channel) in channels.clone().enumerate() {
                let kernel = &self.values[self.at(first + lane, channel)..][..area];
                for (tap, &value) in kernel.iter().enumerate() {
                    out[(number * area + tap) * width + lane] = value;
                }
            }
        }
    }

    /// The weights at `taps` as panels `[panel][term][width]`, terms being taps by channels, filled up with zeros to whole
    /// chunks, and lanes to whole panels.
    pub(super) fn pack(&self, taps: &[usize], isa: InstructionSet) -> Scratch {
        let width = isa.panel();
        let terms = (taps.len() * self.summed()).next_multiple_of(CHUNK);
        let mut packed = Scratch::new(self.lanes().div_ceil(width) * terms * width);
        if taps.is_empty() {
            return packed;
        }
        packed.par_chunks_mut(terms * width).enumerate().for_each(|(panel, out)| {
            dispatch(isa, Pack { weights: self, taps, panel, width, out });
        });
        packed
    }
}

/// Packs a panel.
struct Pack<'a> {
    weights: &'a Weights<'a>,
    taps: &'a [usize],
    panel: usize,
    width: usize,
    out: &'a mut [f32],
}

impl WithSimd for Pack<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { weights, taps, panel, width, out } = self;
        let (summed, area) = (weights.summed(), weights.kernel[0] * weights.kernel[1]);
        let first = panel * width;
        let own = width.min(weights.lanes() - first);
        let mut across = Scratch::zeros(TOGETHER * area * width);
        for start in (0..summed).step_by(TOGETHER) {
            let channels = start..summed.min(start + TOGETHER);
            weights.lay_across(simd, [first, own], channels.clone(), &mut across, width);
            for (number, &tap) in taps.iter().enumerate() {
                for (place, channel) in channels.clone().enumerate() {
                    let from = &across[(place * area + tap) * width..][..width];
                    out[(number * summed + channel) * width..][..width].copy_from_slice(from);
                }
            }
        }
        out[taps.len() * summed * width..].fill(0.0);
    }
}
