//! The two directions whose result is a batch of feature maps: forward, and the gradient to the input.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::tiles::{Maps, Place, Tiling, widen};
use super::transform::{
    ALL, APART, Axis, Input, Line, Output, Scheme, SpreadInput, SpreadOutput, StridedInput, StridedOutput,
};
use super::weights::{at_points, weights_apart};
use crate::kernel::ConvShape;
use crate::kernel::conv::direct::{padded, store};
use crate::kernel::conv::weights::{Direction, Weights};
use crate::kernel::isa::{InstructionSet, dispatch, instruction_set};
use crate::kernel::product::{CHUNK, Pair, accumulate, pairs, pairs_mut, rows};
use crate::kernel::scratch::Scratch;

/// Tiles of the largest block.
const TILES: usize = 32;

/// Numbers of a block at all points that a core's second cache holds beside the products of a panel.
const CACHED: usize = 128 * 1024;

/// Channels that are summed over at a time: more would let rounding errors grow.
const SUMMED: usize = 128;

pub(in crate::kernel::conv) fn forward(
    shape: &ConvShape,
    input: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    out: &mut [f32],
) {
    let [[top, _], [left, _]] = shape.padding;
    let weights = Weights::new(shape, weight, Direction::Forward);
    let scheme = if shape.stride == [1, 1] { Scheme::Plain } else { Scheme::Strided };
    let source = Source { values: input, size: shape.input, padding: [top as isize, left as isize] };
    convolve(scheme, shape.images, source, weights, bias, out, shape.output(), [0, 0]);
}

/// The convolution of the gradient with the weights turned by half a turn.
pub(in crate::kernel::conv) fn to_input(shape: &ConvShape, weight: &[f32], grad: &[f32], out: &mut [f32]) {
    let [[top, _], [left, _]] = shape.padding;
    let weights = Weights::new(shape, weight, Direction::ToInput);
    // With stride 2 a tile begins with a pixel that the second tap of an output u sees, 2u + 1 − padding: the first pixel
    // of the maps, or the one before it.
    let (scheme, padding, outside) = match shape.stride == [1, 1] {
        true => (Scheme::Plain, [2 - top as isize, 2 - left as isize], [0, 0]),
        false => {
            let padding = |zeros: usize| 1 - (zeros.div_ceil(2)) as isize;
            (Scheme::Spread, [padding(top), padding(left)], [(top + 1) % 2, (left + 1) % 2])
        }
    };
    let source = Source { values: grad, size: shape.output(), padding };
    convolve(scheme, shape.images, source, weights, None, out, shape.input, outside);
}

/// Feature maps as they are given.
struct Source<'a> {
    values: &'a [f32],
    size: [usize; 2],
    padding: [isize; 2],
}

fn convolve(
    scheme: Scheme,
    images: usize,
    source: Source<'_>,
    weights: Weights<'_>,
    bias: Option<&[f32]>,
    out: &mut [f32],
    out_size: [usize; 2],
    outside: [usize; 2],
) {
    let isa = instruction_set();
    let whole = weights.summed().next_multiple_of(CHUNK);
    let wide = widen(source.values, weights.summed(), whole);
    let zeros = Scratch::zeros(whole);
    let [step, side] = scheme.steps();
    let Source { values, size, padding } = source;
    let maps = Maps { values: wide.as_deref().unwrap_or(values), size, channels: whole, padding, step, zeros: &zeros };
    let group = if isa.panel() == 16 { 6 } else { 8 };
    let most = (CACHED / (scheme.points() * whole)).clamp(group, TILES);
    let tiling = Tiling::new(images, out_size, side, outside, most, group);
    let bias = bias.map(|bias| padded(bias, isa.panel()));
    let plan = Plan { scheme, maps, weights, bias, tiling, isa, group };
    // Weights at the points take four times their memory. Where the tiles take less, they come first.
    match tiling.count() * scheme.points() > weights.lanes() * ALL {
        true => plan.by_tiles(out),
        false => plan.by_channels(out),
    }
}

struct Plan<'a> {
    scheme: Scheme,
    maps: Maps<'a>,
    weights: Weights<'a>,
    bias: Option<Scratch>,
    tiling: Tiling,
    isa: InstructionSet,
    /// Tiles that are multiplied at a time.
    group: usize,
}

impl Plan<'_> {
    fn groups(&self) -> usize {
        self.tiling.per_block().div_ceil(self.group)
    }

    /// Numbers from point to point of a block, `[point][group][chunk][tile][16]`.
    fn tiles_apart(&self) -> usize {
        self.groups() * self.group * self.maps.channels + APART
    }

    /// Numbers from point to point of a block's products of a panel, `[point][tile][panel]`.
    fn products_apart(&self) -> usize {
        self.groups() * self.group * self.isa.panel() + APART
    }

    /// Numbers of a block at all points.
    fn block(&self) -> usize {
        self.scheme.points() * self.tiles_apart()
    }

    /// Numbers of a block's products of a panel.
    fn products(&self) -> usize {
        self.scheme.points() * self.products_apart()
    }

    /// Numbers of all weights of a panel at the points.
    fn weights(&self) -> usize {
        pieces(self.maps.channels).map(|channels| ALL * weights_apart(channels.len(), self.isa.panel())).sum()
    }

    fn panels(&self) -> usize {
        self.weights.lanes().div_ceil(self.isa.panel())
    }

    /// All weights to the points first, then block by block from input to output.
    fn by_tiles(&self, out: &mut [f32]) {
        let panel = self.weights();
        let mut points = Scratch::new(self.panels() * panel);
        points.par_chunks_mut(panel).enumerate().for_each(|(number, out)| {
            dispatch(self.isa, ToPoints { plan: self, panel: number, out });
        });
        let parts = self.tiling.divide(out, self.weights.lanes());
        parts.into_par_iter().enumerate().for_each(|(block, out)| {
            dispatch(self.isa, Block { plan: self, block, weights: &points, out });
        });
    }

    /// All tiles to the points first, then panel by panel: a panel's weights are transformed, used and dropped in a
    /// core's cache.
    fn by_channels(&self, out: &mut [f32]) {
        let mut tiles = Scratch::new(self.tiling.blocks() * self.block());
        tiles.par_chunks_mut(self.block()).enumerate().for_each(|(block, out)| {
            dispatch(self.isa, Tiles { plan: self, block, out });
        });
        let all = self.tiling.blocks() * self.products();
        let mut products = Scratch::new(self.panels() * all);
        products.par_chunks_mut(all).enumerate().with_max_len(1).for_each(|(panel, out)| {
            dispatch(self.isa, Panel { plan: self, panel, tiles: &tiles, out });
        });
        let parts = self.tiling.divide(out, self.weights.lanes());
        parts.into_par_iter().enumerate().for_each(|(block, out)| {
            for (panel, products) in products.chunks_exact(all).enumerate() {
                let products = &products[block * self.products()..][..self.products()];
                dispatch(self.isa, Back { plan: self, block, panel, products, out: &mut *out });
            }
        });
    }

    #[inline(always)]
    fn tiles_to_points<S: Simd, const M: usize>(&self, simd: S, block: usize, out: &mut [f32]) {
        let chunks = self.maps.channels / CHUNK;
        let (out, _) = S::as_mut_simd_f32s(out);
        let vectors = CHUNK / S::F32_LANES;
        for number in 0..self.tiling.count_of(block) {
            let (group, row) = (number / M, number % M);
            let tile = self.tiling.tile(block, number);
            let place = Place {
                start: (group * chunks * M + row) * vectors,
                run: vectors,
                step: M * vectors,
                stride: self.tiles_apart() / S::F32_LANES,
            };
            let all = 0..chunks * vectors;
            match self.scheme {
                Scheme::Plain => self.maps.to_points::<S, Input, 6, 6>(simd, tile, all, place, out),
                Scheme::Strided => self.maps.to_points::<S, StridedInput, 9, 9>(simd, tile, all, place, out),
                Scheme::Spread => self.maps.to_points::<S, SpreadInput, 5, 9>(simd, tile, all, place, out),
            }
        }
    }

    /// Multiplies some channels of a block's tiles with weights `[point][channel][panel]`, and adds to the products if
    /// they are not the first.
    #[inline(always)]
    fn multiply<S: Simd, const M: usize>(
        &self,
        simd: S,
        tiles: &[f32],
        channels: std::ops::Range<usize>,
        weights: &[Pair<S>],
        products: &mut [Pair<S>],
    ) {
        let (chunks, groups) = (self.maps.channels / CHUNK, self.groups());
        let own = channels.start / CHUNK..channels.end / CHUNK;
        let width = 2 * S::F32_LANES;
        for point in 0..self.scheme.points() {
            let weights =
                &weights[self.scheme.weights(point) * weights_apart(channels.len(), width) / width..][..channels.len()];
            let (tiles, _) = tiles[point * self.tiles_apart()..].as_chunks::<CHUNK>();
            let (tiles, _) = tiles.as_chunks::<M>();
            let (products, _) = products[point * self.products_apart() / width..].as_chunks_mut::<M>();
            for (tiles, products) in tiles.chunks_exact(chunks).zip(products).take(groups) {
                let sums = rows::<S, M>(simd, &tiles[own.clone()], weights);
                match own.start == 0 {
                    true => *products = sums,
                    false => accumulate(simd, products, sums),
                }
            }
        }
    }

    /// Takes the products of a panel back to pixels.
    #[inline(always)]
    fn back<S: Simd>(&self, simd: S, block: usize, panel: usize, products: &[Pair<S>], out: &mut [f32]) {
        match self.scheme {
            Scheme::Plain => self.back_by::<S, Output, 6, 4>(simd, block, panel, products, out),
            Scheme::Strided => self.back_by::<S, StridedOutput, 9, 4>(simd, block, panel, products, out),
            Scheme::Spread => self.back_by::<S, SpreadOutput, 9, 8>(simd, block, panel, products, out),
        }
    }

    #[inline(always)]
    fn back_by<S: Simd, T: Axis<P, O>, const P: usize, const O: usize>(
        &self,
        simd: S,
        block: usize,
        panel: usize,
        products: &[Pair<S>],
        out: &mut [f32],
    ) {
        let (width, lanes) = (2 * S::F32_LANES, self.weights.lanes());
        let own = width.min(lanes - panel * width);
        let per_point = self.products_apart() / width;
        let zero = [simd.splat_f32s(0.0); 2];
        let bias = self.bias.as_ref().map_or(zero, |bias| pairs::<S>(bias)[panel]);
        for number in 0..self.tiling.count_of(block) {
            let tile = self.tiling.tile(block, number);
            let mut values = [[[simd.splat_f32s(0.0); O]; O]; 2];
            for vector in 0..2 {
                values[vector] = back_tile::<S, T, P, O>(simd, &products[number..], per_point, vector);
            }
            for row in 0..O {
                for column in 0..O {
                    let Some(pixel) = self.tiling.pixel(block, tile, [row, column]) else { continue };
                    let mut pair = zero;
                    for vector in 0..2 {
                        pair[vector] = simd.add_f32s(values[vector][row][column], bias[vector]);
                    }
                    store(simd, &mut out[pixel * lanes + panel * width..][..own], &pair);
                }
            }
        }
    }
}

/// A vector of a tile's products at all points, `stride` pairs apart, back to its pixels.
#[inline(always)]
fn back_tile<S: Simd, T: Axis<P, O>, const P: usize, const O: usize>(
    simd: S,
    products: &[Pair<S>],
    stride: usize,
    vector: usize,
) -> [Line<S, O>; O] {
    let zero = simd.splat_f32s(0.0);
    let mut half = [[zero; P]; O];
    for column in 0..P {
        let mut line = [zero; P];
        for row in 0..P {
            line[row] = products[(row * P + column) * stride][vector];
        }
        let line = T::line(simd, line);
        for row in 0..O {
            half[row][column] = line[row];
        }
    }
    let mut pixels = [[zero; O]; O];
    for row in 0..O {
        pixels[row] = T::line(simd, half[row]);
    }
    pixels
}

/// Calls a method with the number of tiles of a group.
macro_rules! by_group {
    ($simd:ident, $plan:expr, $method:ident ( $($argument:expr),* )) => {
        match S::F32_LANES {
            8 => $plan.$method::<S, 6>($simd, $($argument),*),
            _ => $plan.$method::<S, 8>($simd, $($argument),*),
        }
    };
}

/// Transforms all weights of a panel.
struct ToPoints<'a> {
    plan: &'a Plan<'a>,
    panel: usize,
    out: &'a mut [f32],
}

impl WithSimd for ToPoints<'_> {
    type Output = ();

    /// `[piece of the channels][point][channel][panel]`.
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let mut out = pairs_mut::<S>(self.out);
        for channels in pieces(self.plan.maps.channels) {
            let apart = weights_apart(channels.len(), 2 * S::F32_LANES);
            let (own, rest) = out.split_at_mut(ALL * apart / (2 * S::F32_LANES));
            at_points(simd, self.plan.scheme, &self.plan.weights, self.panel, channels, own);
            out = rest;
        }
    }
}

/// Transforms the tiles of a block.
struct Tiles<'a> {
    plan: &'a Plan<'a>,
    block: usize,
    out: &'a mut [f32],
}

impl WithSimd for Tiles<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        by_group!(simd, self.plan, tiles_to_points(self.block, self.out));
    }
}

/// A block from input to output.
struct Block<'a> {
    plan: &'a Plan<'a>,
    block: usize,
    /// All weights at the points.
    weights: &'a [f32],
    out: &'a mut [f32],
}

impl WithSimd for Block<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { plan, block, weights, out } = self;
        let mut tiles = Scratch::new(plan.block());
        by_group!(simd, plan, tiles_to_points(block, &mut tiles));
        let mut products = Scratch::new(plan.products());
        let products = pairs_mut::<S>(&mut products);
        let weights = pairs::<S>(weights);
        let width = 2 * S::F32_LANES;
        for (panel, mut weights) in weights.chunks_exact(plan.weights() / width).enumerate() {
            for channels in pieces(plan.maps.channels) {
                let (own, rest) = weights.split_at(ALL * weights_apart(channels.len(), width) / width);
                by_group!(simd, plan, multiply(&tiles, channels, own, products));
                weights = rest;
            }
            plan.back(simd, block, panel, products, out);
        }
    }
}

/// The products of all tiles with the weights of a panel.
struct Panel<'a> {
    plan: &'a Plan<'a>,
    panel: usize,
    /// All tiles at the points.
    tiles: &'a [f32],
    out: &'a mut [f32],
}

impl WithSimd for Panel<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { plan, panel, tiles, out } = self;
        let width = 2 * S::F32_LANES;
        let mut weights = Scratch::new(ALL * weights_apart(SUMMED.min(plan.maps.channels), width));
        let weights = pairs_mut::<S>(&mut weights);
        let out = pairs_mut::<S>(out);
        for channels in pieces(plan.maps.channels) {
            at_points(simd, plan.scheme, &plan.weights, panel, channels.clone(), weights);
            let blocks = tiles.chunks_exact(plan.block()).zip(out.chunks_exact_mut(plan.products() / width));
            for (tiles, products) in blocks {
                by_group!(simd, plan, multiply(tiles, channels.clone(), weights, products));
            }
        }
    }
}

/// The products of a panel and a block, back to pixels.
struct Back<'a> {
    plan: &'a Plan<'a>,
    block: usize,
    panel: usize,
    products: &'a [f32],
    out: &'a mut [f32],
}

impl WithSimd for Back<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let products = pairs::<S>(self.products);
        self.plan.back(simd, self.block, self.panel, products, self.out);
    }
}

/// The channels that are summed over, in pieces.
fn pieces(channels: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    (0..channels).step_by(SUMMED).map(move |start| start..(start + SUMMED).min(channels))
}
