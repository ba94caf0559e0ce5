//! The loss in plain tensor operations: what a fused kernel may replace, and what it must equal.

use burn::tensor::{Bool, Tensor};

use super::{Contrast, LEAD, chance_loss};

/// `aᵢ·bᵢ/τ` of the rows of two matrices `[n, dim]`: `[n, 1]`.
pub(super) fn dots(a: Tensor<2>, b: Tensor<2>, temperature: f64) -> Tensor<2> {
    (a * b).sum_dim(1).div_scalar(temperature)
}

/// The fraction of positives `[n, 1]` that beat the best negative `[n, 1]` of their query.
pub(super) fn accuracy(positive: Tensor<2>, best: Tensor<2>) -> Tensor<1> {
    let lead = best.clone().abs().mul_scalar(LEAD);
    positive.greater(best + lead).float().mean()
}

/// The mean loss of logits: `positive` `[n, 1]`, `negative` `[n, K]`, of which `count` a row are negatives.
///
/// With m the row's largest logit: `loss = ln Σ exp(l − m) + (m − l₊)`. Both terms are differences of numbers of one
/// size, so that neither overflows nor loses what the exponentials of large logits would.
pub(super) fn contrast(positive: Tensor<2>, negative: Tensor<2>, decoupled: bool, count: usize) -> Contrast {
    let best_negative = negative.clone().detach().max_dim(1); // [n, 1]
    let accuracy = accuracy(positive.clone().detach(), best_negative.clone()).without_autodiff();
    let max = match decoupled {
        true => best_negative,
        false => best_negative.max_pair(positive.clone().detach()),
    };
    let mut sum = (negative - max.clone()).exp().sum_dim(1); // [n, 1]
    if !decoupled {
        sum = sum + (positive.clone() - max.clone()).exp();
    }
    let loss = sum.log() + (max - positive); // [n, 1]
    let chance = if decoupled { (count as f64).ln() } else { chance_loss(count) };
    Contrast { loss: loss.mean(), accuracy, negatives: count, chance }
}

/// Takes from similarities `[2n, 2n]` those of a sample with itself and with its other view.
pub(super) fn without_own_sample(similar: Tensor<2>, n: usize) -> Tensor<2> {
    let device = similar.device();
    let one: Tensor<2, Bool> = Tensor::<2>::eye(n, &device).bool();
    let half = Tensor::cat(vec![one.clone(), one], 0); // [2n, n]
    let own = Tensor::cat(vec![half.clone(), half], 1); // [2n, 2n]
    // Finite: the largest of a row is subtracted from it, and −∞ − (−∞) is not a number.
    similar.mask_fill(own, -1e30)
}
