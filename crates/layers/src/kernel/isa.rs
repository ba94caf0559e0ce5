//! Which instructions the kernels use.

use std::any::TypeId;
use std::sync::atomic::{AtomicU8, Ordering};

use pulp::{Arch, Scalar256b, Simd, WithSimd};

/// An instruction set of the kernels, from the smallest to the largest.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum InstructionSet {
    /// What every processor of the target has; eight lanes in plain Rust, which the compiler vectorises as it can.
    Portable,
    /// AVX2 and FMA on x86-64, and what the processor's own kind has elsewhere (NEON).
    Avx2,
    /// AVX-512 on x86-64.
    Avx512,
}

/// The limit of [`limit_instruction_set`], as a number.
static LIMIT: AtomicU8 = AtomicU8::new(InstructionSet::Avx512 as u8);

/// Limits the kernels of this process to `limit`, for tests and benchmarks; `None` lifts the limit. The matrix unit of
/// [`Arithmetic::Bf16`](crate::Arithmetic::Bf16) has none.
pub fn limit_instruction_set(limit: Option<InstructionSet>) {
    LIMIT.store(limit.unwrap_or(InstructionSet::Avx512) as u8, Ordering::Relaxed);
}

/// The instruction set that the kernels use now: the best of this processor within the limit.
pub fn instruction_set() -> InstructionSet {
    let best = match Arch::new() {
        #[cfg(target_arch = "x86_64")]
        Arch::V4(_) => InstructionSet::Avx512,
        Arch::Scalar => InstructionSet::Portable,
        #[allow(unreachable_patterns)] // which others there are depends on the target
        _ => InstructionSet::Avx2,
    };
    match LIMIT.load(Ordering::Relaxed) {
        0 => InstructionSet::Portable,
        1 => best.min(InstructionSet::Avx2),
        _ => best,
    }
}

impl InstructionSet {
    /// Columns of a panel: the lanes of two vectors.
    pub(crate) fn panel(self) -> usize {
        struct Lanes;
        impl WithSimd for Lanes {
            type Output = usize;
            fn with_simd<S: Simd>(self, _: S) -> usize {
                S::F32_LANES
            }
        }
        2 * dispatch(self, Lanes)
    }
}

/// Does `work` with the instructions of `isa`, which must be [`instruction_set`]'s. A kernel asks once, so that a limit that
/// changes meanwhile changes nothing.
///
/// What a closure captures by reference is not vectorised: `work` has all it needs by value.
pub(crate) fn dispatch<W: WithSimd>(isa: InstructionSet, work: W) -> W::Output {
    match isa {
        InstructionSet::Portable => work.with_simd(Scalar256b),
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx2 => match pulp::x86::V3::try_new() {
            Some(simd) => Simd::vectorize(simd, work),
            None => work.with_simd(Scalar256b),
        },
        _ => Arch::new().dispatch(work),
    }
}

/// `a·b + c`, fused where the processor has it; a library call for each lane elsewhere would cost a hundred times as much.
#[inline(always)]
pub(crate) fn fma<S: Simd>(simd: S, a: S::f32s, b: S::f32s, c: S::f32s) -> S::f32s {
    if TypeId::of::<S>() == TypeId::of::<Scalar256b>() {
        return simd.add_f32s(simd.mul_f32s(a, b), c);
    }
    simd.mul_add_f32s(a, b, c)
}

/// Vector `number` of a row, with zeros where it ends before the vector does.
#[inline(always)]
pub(crate) fn load<S: Simd>(simd: S, row: &[f32], number: usize) -> S::f32s {
    let (whole, rest) = S::as_simd_f32s(row);
    match whole.get(number) {
        Some(vector) => *vector,
        None => simd.partial_load_f32s(rest),
    }
}

/// Writes vector `number` of a row, or as much of it as the row has.
#[inline(always)]
pub(crate) fn store<S: Simd>(simd: S, row: &mut [f32], number: usize, value: S::f32s) {
    let (whole, rest) = S::as_mut_simd_f32s(row);
    match whole.get_mut(number) {
        Some(vector) => *vector = value,
        None => simd.partial_store_f32s(rest, value),
    }
}
