//! Which algorithms convolutions may use.

use std::sync::atomic::{AtomicBool, Ordering};

/// How the kernels may compute a convolution.
///
/// It has an effect only on the path [`ComputePath::Kernels`](crate::ComputePath::Kernels).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Arithmetic {
    /// The fastest: 3×3 convolutions take a quarter of the multiplications with stride 1 (Winograd's F(4×4, 3×3); Lavin &
    /// Gray, arXiv 1509.09308) and 81 of 144 with stride 2. The largest error is up to 3·10⁻⁶ of the largest value.
    #[default]
    Fast,
    /// Every product of the definition, as in other frameworks: to compare with one. The largest error
    /// is about 5·10⁻⁷ of the largest value.
    Exact,
}

static EXACT: AtomicBool = AtomicBool::new(false);

/// Sets the arithmetic of all convolutions of this process from now on.
///
/// A convolution that was computed already keeps the arithmetic that it had for its gradients.
pub fn set_arithmetic(arithmetic: Arithmetic) {
    EXACT.store(arithmetic == Arithmetic::Exact, Ordering::Relaxed);
}

/// The arithmetic that convolutions use now.
pub fn arithmetic() -> Arithmetic {
    match EXACT.load(Ordering::Relaxed) {
        true => Arithmetic::Exact,
        false => Arithmetic::Fast,
    }
}
