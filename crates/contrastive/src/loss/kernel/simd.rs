//! Arithmetic on vectors of the widest registers that this machine has.

use pulp::Simd;

/// `V` vectors side by side: one number of each query of a panel.
pub(super) type Lanes<S, const V: usize> = [<S as Simd>::f32s; V];

/// Powers below this are 0: what f32 would hold there is denormal, 1 part in 10³⁸ of the largest term.
const LEAST: f32 = -87.3;

/// `exp(x)` for x ≤ 0, within 2 units in the last place; NaN stays NaN.
///
/// `2ⁿ·exp(r)` with `x = n·ln 2 + r`, `|r| ≤ ln 2 / 2`, and the polynomial of Cephes' `expf`.
#[inline(always)]
pub(super) fn exp<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let of = |value: f32| simd.splat_f32s(value);
    let zero = of(0.0);
    let lost = simd.less_than_f32s(x, of(LEAST));
    // 1.5·2²³: adding it leaves the nearest integer in the low bits.
    let magic = of(12_582_912.0);
    let shifted = simd.mul_add_f32s(x, of(std::f32::consts::LOG2_E), magic);
    let n = simd.sub_f32s(shifted, magic);
    // ln 2 in two parts, the first with few bits, so that n times it is exact.
    let r = simd.mul_add_f32s(n, of(-0.693_359_4), x);
    let r = simd.mul_add_f32s(n, of(2.121_944_4e-4), r);
    let mut p = of(1.987_569_1e-4);
    for coefficient in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_6e-1, 0.5] {
        p = simd.mul_add_f32s(p, r, of(coefficient));
    }
    let p = simd.mul_add_f32s(p, simd.mul_f32s(r, r), simd.add_f32s(r, of(1.0)));
    // The shift drops all of the magic number's bits and leaves n where the exponent is.
    let bits = simd.wrapping_dyn_shl_u32s(simd.transmute_u32s_f32s(shifted), simd.splat_u32s(23));
    let power = simd.transmute_f32s_u32s(simd.add_u32s(bits, simd.splat_u32s(1.0f32.to_bits())));
    // A product, not a sum of exponents: NaN times anything is NaN.
    simd.select_f32s(lost, zero, simd.mul_f32s(p, power))
}

/// The products of `M` rows of keys with a panel of queries; `rows` has them one behind the other.
#[inline(always)]
pub(super) fn dots<S: Simd, const M: usize, const V: usize>(
    simd: S,
    rows: &[f32],
    panel: &[Lanes<S, V>],
) -> [Lanes<S, V>; M] {
    let dim = panel.len();
    let rows: [&[f32]; M] = std::array::from_fn(|row| &rows[row * dim..][..dim]);
    let mut sums = [[simd.splat_f32s(0.0); V]; M];
    for (k, queries) in panel.iter().enumerate() {
        for row in 0..M {
            let key = simd.splat_f32s(rows[row][k]);
            for lane in 0..V {
                sums[row][lane] = simd.mul_add_f32s(key, queries[lane], sums[row][lane]);
            }
        }
    }
    sums
}

/// Adds to `M` coordinates of a panel's sums the keys' coordinates times their weights, which are summed by themselves
/// first.
#[inline(always)]
pub(super) fn gather<S: Simd, const M: usize, const V: usize>(
    simd: S,
    keys: &[[f32; M]],
    weights: &[Lanes<S, V>],
    sums: &mut [Lanes<S, V>; M],
) {
    let mut own = [[simd.splat_f32s(0.0); V]; M];
    for (key, weights) in keys.iter().zip(weights) {
        for row in 0..M {
            let coordinate = simd.splat_f32s(key[row]);
            for lane in 0..V {
                own[row][lane] = simd.mul_add_f32s(coordinate, weights[lane], own[row][lane]);
            }
        }
    }
    for row in 0..M {
        for lane in 0..V {
            sums[row][lane] = simd.add_f32s(sums[row][lane], own[row][lane]);
        }
    }
}
