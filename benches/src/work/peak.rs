//! What one core computes at best: multiplications and additions that need nothing but registers.

use std::hint::black_box;

use pulp::{Arch, Simd, WithSimd};
use slowburn_layers::{InstructionSet, instruction_set};

use super::Run;

/// Sums that do not wait for each other: more than two units of four steps each need, fewer than AVX2 has registers.
const CHAINS: usize = 12;

/// Additions to each, in one call.
const STEPS: usize = 1 << 16;

/// Fused multiplications and additions on one core, with the instructions that the kernels use now, and how many
/// floating-point operations that are. Nothing where these have no such instruction.
pub fn multiply_adds() -> Option<(Run, f64)> {
    let lanes = dispatch(Lanes)?;
    let run: Run = Box::new(|| {
        black_box(dispatch(Chains));
        Ok(1)
    });
    Some((run, (2 * CHAINS * STEPS * lanes) as f64))
}

fn dispatch<W: WithSimd>(work: W) -> Option<W::Output> {
    match instruction_set() {
        InstructionSet::Portable => None,
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx2 => pulp::x86::V3::try_new().map(|simd| Simd::vectorize(simd, work)),
        _ => Some(Arch::new().dispatch(work)),
    }
}

struct Lanes;

impl WithSimd for Lanes {
    type Output = usize;

    fn with_simd<S: Simd>(self, _: S) -> usize {
        S::F32_LANES
    }
}

struct Chains;

impl WithSimd for Chains {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f32 {
        let (factor, addend) = (simd.splat_f32s(black_box(0.999)), simd.splat_f32s(black_box(1e-3)));
        let mut sums = [simd.splat_f32s(black_box(1.0)); CHAINS];
        for _ in 0..STEPS {
            for sum in &mut sums {
                *sum = simd.mul_add_f32s(*sum, factor, addend);
            }
        }
        sums.into_iter().map(|sum| simd.reduce_sum_f32s(sum)).sum()
    }
}
