//! The two micro-kernels in which all products are taken.
//!
//! Both keep a block of `M` rows by two vectors of columns in registers. Sums over more than a few hundred terms are taken
//! in pieces, by the callers, so that rounding errors do not grow with their length.

use pulp::Simd;

use super::isa::fma;

/// Terms of a row that lie one behind the other: a line of the cache.
pub(crate) const CHUNK: usize = 16;

/// Two vectors: the columns of a panel at one term.
pub(crate) type Pair<S> = [<S as Simd>::f32s; 2];

/// Whole panels of numbers as pairs of vectors.
#[inline(always)]
pub(crate) fn pairs<S: Simd>(values: &[f32]) -> &[Pair<S>] {
    S::as_simd_f32s(values).0.as_chunks().0
}

/// The same, to write to.
#[inline(always)]
pub(crate) fn pairs_mut<S: Simd>(values: &mut [f32]) -> &mut [Pair<S>] {
    S::as_mut_simd_f32s(values).0.as_chunks_mut().0
}

/// Σₖ a[k][row]·b[k], where `a` holds chunks of terms, each with the chunk of every row.
#[inline(always)]
pub(crate) fn rows<S: Simd, const M: usize>(simd: S, a: &[[[f32; CHUNK]; M]], b: &[Pair<S>]) -> [Pair<S>; M] {
    let mut sums = [[simd.splat_f32s(0.0); 2]; M];
    let (b, _) = b.as_chunks::<CHUNK>();
    for (a, b) in a.iter().zip(b) {
        for k in 0..CHUNK {
            for row in 0..M {
                let x = simd.splat_f32s(a[row][k]);
                sums[row][0] = fma(simd, x, b[k][0], sums[row][0]);
                sums[row][1] = fma(simd, x, b[k][1], sums[row][1]);
            }
        }
    }
    sums
}

/// Σₖ a[k][first + row]·b[k], where `a` holds the terms one behind the other, each with `stride` rows.
#[inline(always)]
pub(crate) fn terms<S: Simd, const M: usize>(
    simd: S,
    a: &[f32],
    stride: usize,
    first: usize,
    b: &[Pair<S>],
) -> [Pair<S>; M] {
    let mut sums = [[simd.splat_f32s(0.0); 2]; M];
    for (a, b) in a.chunks_exact(stride).zip(b) {
        let Some(a) = a[first..].first_chunk::<M>() else { return sums };
        for row in 0..M {
            let x = simd.splat_f32s(a[row]);
            sums[row][0] = fma(simd, x, b[0], sums[row][0]);
            sums[row][1] = fma(simd, x, b[1], sums[row][1]);
        }
    }
    sums
}

/// Adds sums to others.
#[inline(always)]
pub(crate) fn accumulate<S: Simd, const M: usize>(simd: S, sums: &mut [Pair<S>; M], own: [Pair<S>; M]) {
    for row in 0..M {
        for vector in 0..2 {
            sums[row][vector] = simd.add_f32s(sums[row][vector], own[row][vector]);
        }
    }
}
