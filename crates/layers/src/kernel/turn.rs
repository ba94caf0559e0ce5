//! Small matrices turned in registers.

use std::any::TypeId;

use pulp::Simd;

/// Rows and columns of a square.
pub(crate) const SIDE: usize = 16;

/// Writes the columns of 16 rows, `from_stride` numbers apart, as rows `to_stride` apart, as many as `columns`, at most 16.
///
/// What lies beyond the columns is read and left out; where the source ends before the 16th number of a row, its numbers go
/// one by one.
#[inline(always)]
pub(crate) fn turn<S: Simd>(_: S, from: &[f32], from_stride: usize, columns: usize, to: &mut [f32], to_stride: usize) {
    #[cfg(target_arch = "x86_64")]
    if from.len() >= 15 * from_stride + SIDE {
        if TypeId::of::<S>() == TypeId::of::<pulp::x86::V4>() && x86::turn16(from, from_stride, columns, to, to_stride)
        {
            return;
        }
        if TypeId::of::<S>() == TypeId::of::<pulp::x86::V3>() && x86::turn8(from, from_stride, columns, to, to_stride) {
            return;
        }
    }
    for row in 0..SIDE {
        for column in 0..columns {
            to[column * to_stride + row] = from[row * from_stride + column];
        }
    }
}

/// The squares in which a matrix is turned: shuffles within quarters of a vector, then of the quarters.
#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{__m256, __m512};

    use pulp::bytemuck::cast;
    use pulp::x86::{V3, V4};

    /// Whether the processor has the instructions; nothing is written otherwise.
    #[inline(always)]
    pub(super) fn turn16(from: &[f32], from_stride: usize, columns: usize, to: &mut [f32], to_stride: usize) -> bool {
        let Some(simd) = V4::try_new() else { return false };
        let avx = simd.avx512f;
        let mut rows: [__m512; 16] = [cast([0.0f32; 16]); 16];
        for row in 0..16 {
            if let Some(values) = from[row * from_stride..].first_chunk::<16>() {
                rows[row] = cast(*values);
            }
        }
        let mut pairs = rows;
        for i in 0..8 {
            pairs[2 * i] = avx._mm512_unpacklo_ps(rows[2 * i], rows[2 * i + 1]);
            pairs[2 * i + 1] = avx._mm512_unpackhi_ps(rows[2 * i], rows[2 * i + 1]);
        }
        let mut fours = pairs;
        for i in 0..4 {
            for half in 0..2 {
                let (a, b) = (cast(pairs[4 * i + half]), cast(pairs[4 * i + 2 + half]));
                fours[4 * i + 2 * half] = cast(avx._mm512_unpacklo_pd(a, b));
                fours[4 * i + 2 * half + 1] = cast(avx._mm512_unpackhi_pd(a, b));
            }
        }
        let mut eights = fours;
        for i in 0..4 {
            for half in 0..2 {
                let (a, b) = (fours[8 * half + i], fours[8 * half + 4 + i]);
                eights[8 * half + i] = avx._mm512_shuffle_f32x4::<0x88>(a, b);
                eights[8 * half + 4 + i] = avx._mm512_shuffle_f32x4::<0xdd>(a, b);
            }
        }
        let mut turned = eights;
        for i in 0..8 {
            let (a, b) = (eights[i], eights[8 + i]);
            turned[i] = avx._mm512_shuffle_f32x4::<0x88>(a, b);
            turned[8 + i] = avx._mm512_shuffle_f32x4::<0xdd>(a, b);
        }
        for column in 0..columns {
            if let Some(values) = to[column * to_stride..].first_chunk_mut::<16>() {
                *values = cast(turned[column]);
            }
        }
        true
    }

    /// The same in four parts of 8×8.
    #[inline(always)]
    pub(super) fn turn8(from: &[f32], from_stride: usize, columns: usize, to: &mut [f32], to_stride: usize) -> bool {
        let Some(simd) = V3::try_new() else { return false };
        let avx = simd.avx;
        for part in 0..4 {
            let (down, right) = (part / 2 * 8, part % 2 * 8);
            let mut rows: [__m256; 8] = [cast([0.0f32; 8]); 8];
            for row in 0..8 {
                if let Some(values) = from[(down + row) * from_stride + right..].first_chunk::<8>() {
                    rows[row] = cast(*values);
                }
            }
            let mut pairs = rows;
            for i in 0..4 {
                pairs[2 * i] = avx._mm256_unpacklo_ps(rows[2 * i], rows[2 * i + 1]);
                pairs[2 * i + 1] = avx._mm256_unpackhi_ps(rows[2 * i], rows[2 * i + 1]);
            }
            let mut fours = pairs;
            for i in 0..2 {
                for half in 0..2 {
                    let (a, b) = (cast(pairs[4 * i + half]), cast(pairs[4 * i + 2 + half]));
                    fours[4 * i + 2 * half] = cast(avx._mm256_unpacklo_pd(a, b));
                    fours[4 * i + 2 * half + 1] = cast(avx._mm256_unpackhi_pd(a, b));
                }
            }
            let mut turned = fours;
            for i in 0..4 {
                turned[i] = avx._mm256_permute2f128_ps::<0x20>(fours[i], fours[4 + i]);
                turned[4 + i] = avx._mm256_permute2f128_ps::<0x31>(fours[i], fours[4 + i]);
            }
            for column in 0..8.min(columns.saturating_sub(right)) {
                if let Some(values) = to[(right + column) * to_stride + down..].first_chunk_mut::<8>() {
                    *values = cast(turned[column]);
                }
            }
        }
        true
    }
}
