//! The loss against negatives that all queries share, without keeping their N×K logits.
//!
//! Blocks of negatives go by once. With m the largest logit so far, `Z = Σ exp(l − m)` and `S = Σ exp(l − m)·k` are
//! kept and rescaled where m grows; the gradient is then `(S/Z − k₊)/(τ·N)` or similar, and nothing is left for the
//! backward pass to compute.

#[cfg(feature = "flex")]
mod flex;
#[cfg(feature = "flex")]
#[allow(clippy::needless_range_loop)] // loops over lanes index several arrays, which the compiler keeps in registers
mod panel;
#[cfg(feature = "flex")]
mod simd;
mod stream;
#[cfg(test)]
mod tests;

use burn::tensor::Tensor;

/// What one pass over the negatives gives. All of it without gradient.
#[derive(Debug)]
pub(super) struct Pass {
    /// The mean loss, `[1]`.
    pub(super) loss: Tensor<1>,
    /// The fraction of queries whose positive beats every negative, `[1]`.
    pub(super) accuracy: Tensor<1>,
    /// Of the loss with respect to the queries, `[N, dim]`, if it was asked for.
    pub(super) gradient: Option<Tensor<2>>,
}

/// What the loss is computed from: `queries` and `positives` `[N, dim]`, `negatives` `[K, dim]`, K ≥ 1, all of one
/// type, on one device and off autodiff.
#[derive(Debug, Clone)]
pub(super) struct Operands {
    pub(super) queries: Tensor<2>,
    pub(super) positives: Tensor<2>,
    pub(super) negatives: Tensor<2>,
}

/// How: τ, whether the positive is left out of the denominator, and whether a gradient is wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    pub(super) temperature: f64,
    pub(super) decoupled: bool,
    pub(super) gradient: bool,
}

/// One pass, by the backend's kernel if there is one for these tensors.
pub(super) fn pass(operands: Operands, settings: Settings) -> Pass {
    #[cfg(feature = "flex")]
    if let Some(pass) = flex::pass(&operands, settings) {
        return pass;
    }
    stream::pass(operands, settings, stream::BLOCK)
}
