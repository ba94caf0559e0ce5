//! A step in plain tensor operations: for every backend, and what a kernel must equal.

use super::{Rule, Slot, Stepped};

/// The step in the weight's type, whatever the gradient's.
pub(crate) fn step<const D: usize>(rule: Rule, slot: Slot<D>) -> Stepped<D> {
    let Slot { weight, gradient, velocity } = slot;
    let dtype = weight.dtype();
    let mut gradient = gradient.cast(dtype);
    // With a penalty of 0, even an infinite weight must not reach the gradient.
    if rule.weight_decay != 0.0 {
        gradient = gradient + weight.clone().mul_scalar(rule.weight_decay);
    }
    if rule.momentum == 0.0 {
        return (weight - gradient.mul_scalar(rule.rate), None);
    }
    let velocity = match velocity {
        None => gradient.clone(),
        Some(velocity) => velocity.cast(dtype).mul_scalar(rule.momentum) + gradient.clone().mul_scalar(rule.fresh),
    };
    let direction = match rule.nesterov {
        true => gradient + velocity.clone().mul_scalar(rule.momentum),
        false => velocity.clone(),
    };
    (weight - direction.mul_scalar(rule.rate), Some(velocity))
}
