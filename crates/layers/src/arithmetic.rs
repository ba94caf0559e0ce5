//! Which algorithms convolutions may use.

use std::sync::atomic::{AtomicU8, Ordering};

/// How the kernels may compute a convolution.
///
/// It has an effect only on the path [`ComputePath::Kernels`](crate::ComputePath::Kernels).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
#[non_exhaustive]
pub enum Arithmetic {
    /// The fastest in f32: 3×3 convolutions take a quarter of the multiplications with stride 1 (Winograd's F(4×4, 3×3);
    /// Lavin & Gray, arXiv 1509.09308) and 81 of 144 with stride 2. The largest error is up to 3·10⁻⁶ of the largest value.
    #[default]
    Fast,
    /// Every product of the definition, as in other frameworks: to compare with one. The largest error
    /// is about 5·10⁻⁷ of the largest value.
    Exact,
    /// Input, weight and gradient are rounded to bf16, which keeps 8 bits of a number, and their products summed in f32: what
    /// mixed precision does elsewhere. The largest error is about 3·10⁻³ of the largest value; numbers below 1.2·10⁻³⁸ count as
    /// zero, and those above 3.39·10³⁸ as infinite. Weights, averages and all other layers stay in f32.
    ///
    /// It takes a matrix unit: Intel's AMX, of Xeons since 2023, on Linux. [`has_bf16`](crate::has_bf16) says whether it is
    /// there; without it, and for fewer than 16 images or channels that are no multiple of 16, this is [`Fast`](Self::Fast).
    Bf16,
}

/// By their numbers.
const ALL: [Arithmetic; 3] = [Arithmetic::Fast, Arithmetic::Exact, Arithmetic::Bf16];
const _: () = assert!(ALL[1] as u8 == 1 && ALL[2] as u8 == 2);

static ARITHMETIC: AtomicU8 = AtomicU8::new(Arithmetic::Fast as u8);

/// Sets the arithmetic of all convolutions of this process from now on.
///
/// A convolution that was computed already keeps the arithmetic that it had for its gradients.
pub fn set_arithmetic(arithmetic: Arithmetic) {
    ARITHMETIC.store(arithmetic as u8, Ordering::Relaxed);
}

/// The arithmetic that convolutions use now.
pub fn arithmetic() -> Arithmetic {
    ALL[usize::from(ARITHMETIC.load(Ordering::Relaxed))]
}

/// Whether this processor has a matrix unit for [`Arithmetic::Bf16`], and the system lets this process use it, which it is asked
/// when this is first called.
pub fn has_bf16() -> bool {
    #[cfg(all(feature = "flex", target_arch = "x86_64"))]
    return crate::kernel::conv::has_bf16();
    #[cfg(not(all(feature = "flex", target_arch = "x86_64")))]
    false
}
