//! Which algorithms convolutions may use.

use std::sync::atomic::{AtomicBool, Ordering};

/// How the kernels may compute a convolution.
///
/// On any path but [`Path::Kernels`](crate::Path::Kernels) it changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Arithmetic {
    /// The fastest way: 3×3 convolutions with a quarter of the multiplications, or with stride 2 with 81 of 144
    /// (Winograd), whose largest error is up to 3 millionths of the largest value.
    #[default]
    Fast,
    /// The direct way everywhere, with an error like that of other frameworks: for whoever compares with one.
    Exact,
}

static EXACT: AtomicBool = AtomicBool::new(false);

/// Sets the arithmetic of all convolutions of this process from now on.
///
/// A convolution that has been computed keeps its own for its gradients.
pub fn set_arithmetic(arithmetic: Arithmetic) {
    EXACT.store(arithmetic == Arithmetic::Exact, Ordering::Relaxed);
}

/// The arithmetic that convolutions have now.
pub fn arithmetic() -> Arithmetic {
    match EXACT.load(Ordering::Relaxed) {
        true => Arithmetic::Exact,
        false => Arithmetic::Fast,
    }
}

#[cfg(feature = "flex")]
impl From<Arithmetic> for crate::kernel::Arithmetic {
    fn from(arithmetic: Arithmetic) -> Self {
        match arithmetic {
            Arithmetic::Fast => Self::Fast,
            Arithmetic::Exact => Self::Exact,
        }
    }
}
