//! Constants in a graph: on autodiff as what they stand beside.

use burn::tensor::Tensor;

/// A constant on the device of `like`, on autodiff where that is: operations of two gradient checkpointing strategies
/// panic.
pub(super) fn constant_beside(constant: Tensor<2>, like: &Tensor<2>) -> Tensor<2> {
    alongside(constant.cast(like.dtype()), like)
}

/// A constant on autodiff where `like` is.
pub(super) fn alongside<const D: usize>(constant: Tensor<D>, like: &Tensor<2>) -> Tensor<D> {
    let constant = constant.without_autodiff();
    match like.gradient_checkpointing_strategy() {
        Some(strategy) => constant.autodiff().with_gradient_checkpointing_strategy(strategy),
        None => constant,
    }
}
