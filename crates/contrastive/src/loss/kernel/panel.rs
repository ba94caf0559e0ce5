//! A chunk of negatives against all queries, a panel of queries and a block of negatives at a time.
//!
//! A block's logits and a panel of queries fit into a core's nearest cache. Queries lie across a vector's lanes, so
//! that the largest logit, the exponentials and their sums need no step from lane to lane.

use pulp::{Simd, WithSimd};

use super::simd::{Lanes, dots, exp, gather};

/// Negatives in a block: whole groups of the rows that are summed at a time.
const BLOCK: usize = 96;

/// A matrix of rows of length `dim`, one behind the other.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a> {
    pub(super) values: &'a [f32],
    pub(super) dim: usize,
}

impl Matrix<'_> {
    pub(super) fn rows(&self) -> usize {
        self.values.len() / self.dim
    }
}

/// What a chunk of negatives adds up to, by query.
pub(super) struct Part {
    /// The largest logit.
    pub(super) max: Vec<f32>,
    /// `Σ exp(l − max)`.
    pub(super) sum: Vec<f32>,
    /// `Σ exp(l − max)·k`, `[N, dim]`; empty if no gradient is wanted.
    pub(super) weighted: Vec<f32>,
}

/// One pass over a chunk of negatives.
pub(super) struct Chunk<'a> {
    pub(super) queries: Matrix<'a>,
    pub(super) negatives: Matrix<'a>,
    /// 1/τ.
    pub(super) scale: f32,
    pub(super) gradient: bool,
}

impl WithSimd for Chunk<'_> {
    type Output = Part;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Part {
        // As many sums as registers hold beside the operands, with one to spare: 16 of 32, or 12 of 16. Without it (4 by
        // 3), the compiler keeps a sum in memory, and each step waits for it.
        match S::F32_LANES {
            16.. => self.run::<S, 8, 2>(simd),
            _ => self.run::<S, 6, 2>(simd),
        }
    }
}

/// `qᵢ·kᵢ/τ` of the rows of two matrices, rounded exactly as [`Chunk`] rounds a logit: equal features are a tie.
pub(super) struct Pairs<'a> {
    pub(super) queries: Matrix<'a>,
    pub(super) keys: Matrix<'a>,
    /// 1/τ.
    pub(super) scale: f32,
}

impl WithSimd for Pairs<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<f32> {
        let scale = simd.splat_f32s(self.scale);
        let mut logits = vec![0.0; self.queries.rows()];
        for (panel, logits) in logits.chunks_mut(S::F32_LANES).enumerate() {
            let queries = lay_across::<S, 1>(simd, self.queries, panel);
            let keys = lay_across::<S, 1>(simd, self.keys, panel);
            let mut sum = simd.splat_f32s(0.0);
            for (query, key) in queries.iter().zip(&keys) {
                sum = simd.mul_add_f32s(key[0], query[0], sum);
            }
            simd.partial_store_f32s(logits, simd.mul_f32s(sum, scale));
        }
        logits
    }
}

/// Panel number `panel` of a matrix: for each coordinate the numbers of its rows, 0 beyond the last.
#[inline(always)]
fn lay_across<S: Simd, const V: usize>(simd: S, matrix: Matrix<'_>, panel: usize) -> Vec<Lanes<S, V>> {
    let (lanes, dim) = (S::F32_LANES, matrix.dim);
    let mut across = vec![[simd.splat_f32s(0.0); V]; dim];
    let first = panel * V * lanes;
    let rows = matrix.values.chunks_exact(dim).skip(first).take(V * lanes);
    let flat: &mut [f32] = bytemuck::cast_slice_mut(&mut across);
    for (lane, row) in rows.enumerate() {
        for (coordinate, &value) in row.iter().enumerate() {
            flat[coordinate * V * lanes + lane] = value;
        }
    }
    across
}

/// The running sums of a panel of queries.
struct Panel<S: Simd, const M: usize, const V: usize> {
    /// `dim` vectors.
    queries: Vec<Lanes<S, V>>,
    max: Lanes<S, V>,
    sum: Lanes<S, V>,
    /// `dim` vectors, filled up to whole groups of M.
    weighted: Vec<[Lanes<S, V>; M]>,
}

impl Chunk<'_> {
    #[inline(always)]
    fn run<S: Simd, const M: usize, const V: usize>(self, simd: S) -> Part {
        let (dim, n) = (self.queries.dim, self.queries.rows());
        let groups = if self.gradient { dim.div_ceil(M) } else { 0 };
        let zero = [simd.splat_f32s(0.0); V];
        let mut panels: Vec<Panel<S, M, V>> = (0..n.div_ceil(V * S::F32_LANES))
            .map(|panel| Panel {
                queries: lay_across(simd, self.queries, panel),
                max: [simd.splat_f32s(f32::NEG_INFINITY); V],
                sum: zero,
                weighted: vec![[zero; M]; groups],
            })
            .collect();
        #[allow(clippy::useless_vec)] // too large for a worker's stack
        let mut logits = vec![zero; BLOCK];
        let mut packed = vec![[0.0; M]; groups * BLOCK];
        for block in self.negatives.values.chunks(BLOCK * dim) {
            if self.gradient {
                pack(block, dim, &mut packed);
            }
            for panel in &mut panels {
                let logits = &mut logits[..block.len() / dim];
                score::<S, M, V>(simd, block, &panel.queries, self.scale, logits);
                panel.add(simd, logits);
                for (keys, sums) in packed.chunks_exact(BLOCK).zip(&mut panel.weighted) {
                    gather(simd, keys, logits, sums);
                }
            }
        }
        self.unpack(&panels)
    }

    /// Takes sums out of their panels.
    #[inline(always)]
    fn unpack<S: Simd, const M: usize, const V: usize>(&self, panels: &[Panel<S, M, V>]) -> Part {
        let (dim, n) = (self.queries.dim, self.queries.rows());
        let mut part = Part { max: Vec::with_capacity(n), sum: Vec::with_capacity(n), weighted: Vec::new() };
        if self.gradient {
            part.weighted = vec![0.0; n * dim];
        }
        let width = V * S::F32_LANES;
        for (number, panel) in panels.iter().enumerate() {
            let (first, rows) = (number * width, width.min(n - number * width));
            part.max.extend_from_slice(&bytemuck::cast_slice::<_, f32>(&panel.max)[..rows]);
            part.sum.extend_from_slice(&bytemuck::cast_slice::<_, f32>(&panel.sum)[..rows]);
            if self.gradient {
                let flat: &[f32] = bytemuck::cast_slice(panel.weighted.as_flattened());
                let out = part.weighted[first * dim..][..rows * dim].chunks_exact_mut(dim);
                for (lane, row) in out.enumerate() {
                    for (coordinate, value) in row.iter_mut().enumerate() {
                        *value = flat[coordinate * width + lane];
                    }
                }
            }
        }
        part
    }
}

/// The logits of a block: a row of the panel's for each negative.
#[inline(always)]
fn score<S: Simd, const M: usize, const V: usize>(
    simd: S,
    block: &[f32],
    queries: &[Lanes<S, V>],
    scale: f32,
    logits: &mut [Lanes<S, V>],
) {
    let (dim, scale) = (queries.len(), simd.splat_f32s(scale));
    let (groups, rest) = logits.as_chunks_mut::<M>();
    let (whole, last) = block.split_at(groups.len() * M * dim);
    for (keys, logits) in whole.chunks_exact(M * dim).zip(groups) {
        let sums = dots::<S, M, V>(simd, keys, queries);
        for row in 0..M {
            for lane in 0..V {
                logits[row][lane] = simd.mul_f32s(sums[row][lane], scale);
            }
        }
    }
    for (key, logits) in last.chunks_exact(dim).zip(rest) {
        let sums = dots::<S, 1, V>(simd, key, queries);
        for lane in 0..V {
            logits[lane] = simd.mul_f32s(sums[0][lane], scale);
        }
    }
}

/// Coordinates of a block's keys in groups of M: all keys' first M, then all keys' next M, 0 beyond the last.
#[inline(always)]
fn pack<const M: usize>(block: &[f32], dim: usize, packed: &mut [[f32; M]]) {
    for (number, key) in block.chunks_exact(dim).enumerate() {
        let (groups, rest) = key.as_chunks::<M>();
        for (group, coordinates) in groups.iter().enumerate() {
            packed[group * BLOCK + number] = *coordinates;
        }
        if !rest.is_empty() {
            packed[groups.len() * BLOCK + number][..rest.len()].copy_from_slice(rest);
        }
    }
}

impl<S: Simd, const M: usize, const V: usize> Panel<S, M, V> {
    /// Takes a block's logits in and leaves `exp(l − max)` in their place.
    #[inline(always)]
    fn add(&mut self, simd: S, logits: &mut [Lanes<S, V>]) {
        let old = self.max;
        for logits in logits.iter() {
            for lane in 0..V {
                self.max[lane] = simd.max_f32s(self.max[lane], logits[lane]);
            }
        }
        self.rescale(simd, old);
        // A block by itself first: added one by one to the sum of thousands, small weights would be lost in rounding.
        let mut sum = [simd.splat_f32s(0.0); V];
        for logits in logits {
            for lane in 0..V {
                let weight = exp(simd, simd.sub_f32s(logits[lane], self.max[lane]));
                sum[lane] = simd.add_f32s(sum[lane], weight);
                logits[lane] = weight;
            }
        }
        for lane in 0..V {
            self.sum[lane] = simd.add_f32s(self.sum[lane], sum[lane]);
        }
    }

    /// Brings the sums to a new maximum, where there is one.
    #[inline(always)]
    fn rescale(&mut self, simd: S, old: Lanes<S, V>) {
        let mut shrink = old;
        let mut unchanged = true;
        for lane in 0..V {
            let below = simd.sub_f32s(old[lane], self.max[lane]);
            // NaN is a change.
            unchanged &= simd.reduce_min_f32s(below) >= 0.0;
            shrink[lane] = exp(simd, below);
        }
        if unchanged {
            return;
        }
        for lane in 0..V {
            self.sum[lane] = simd.mul_f32s(self.sum[lane], shrink[lane]);
        }
        for sums in self.weighted.as_flattened_mut() {
            for lane in 0..V {
                sums[lane] = simd.mul_f32s(sums[lane], shrink[lane]);
            }
        }
    }
}
