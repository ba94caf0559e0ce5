//! The pass in plain tensor operations, a block of negatives at a time: for every backend.

use burn::tensor::{Device, Tensor};

use super::{Operands, Pass, Settings};
use crate::loss::plain::{accuracy, dots};

/// Negatives in a block: with 256 queries, logits of 8 MiB.
pub(super) const BLOCK: usize = 8192;

/// What the blocks so far have added up to.
struct Running {
    /// The largest negative logit, `[N, 1]`.
    max: Tensor<2>,
    /// `Σ exp(l − max)`, `[N, 1]`.
    sum: Tensor<2>,
    /// `Σ exp(l − max)·k`, `[N, dim]`.
    weighted: Option<Tensor<2>>,
}

pub(super) fn pass(operands: Operands, settings: Settings, block: usize) -> Pass {
    let Operands { queries, positives, negatives } = operands;
    let Settings { temperature, decoupled, gradient } = settings;
    let ([n, _], [count, _]) = (queries.dims(), negatives.dims());
    let mut running: Option<Running> = None;
    for start in (0..count).step_by(block) {
        let keys = negatives.clone().narrow(0, start, block.min(count - start)); // [block, dim]
        let logits = queries.clone().matmul(keys.clone().transpose()).div_scalar(temperature); // [N, block]
        running = Some(Running::add(running, logits, gradient.then_some(keys)));
    }
    let positive = dots(queries, positives.clone(), temperature); // [N, 1]
    let device = positive.device();
    let Some(Running { max: best, sum, weighted }) = running else {
        return Pass { loss: zero(&device), accuracy: zero(&device) + 1.0, gradient: None };
    };
    let accuracy = accuracy(positive.clone(), best.clone());
    let max = if decoupled { best.clone() } else { best.clone().max_pair(positive.clone()) };
    let shrink = (best - max.clone()).exp(); // [N, 1]
    let negative = sum * shrink.clone();
    // The share of the negatives in Σ exp(l₋) is 1; in a complete denominator it is 1 − p₊, free of cancellation.
    let whole = match decoupled {
        true => negative.clone(),
        false => negative.clone() + (positive.clone() - max.clone()).exp(),
    };
    let gradient = weighted.map(|weighted| {
        let pulled = weighted * (shrink / whole.clone());
        (pulled - positives * (negative / whole.clone())).div_scalar(temperature * n as f64)
    });
    Pass { loss: (whole.log() + (max - positive)).mean(), accuracy, gradient }
}

fn zero(device: &Device) -> Tensor<1> {
    Tensor::zeros([1], device)
}

impl Running {
    /// Adds a block's logits `[N, block]`, and its keys if a gradient is wanted.
    fn add(running: Option<Self>, logits: Tensor<2>, keys: Option<Tensor<2>>) -> Self {
        let best = logits.clone().max_dim(1); // [N, 1]
        let max = match &running {
            Some(running) => best.max_pair(running.max.clone()),
            None => best,
        };
        let weights = (logits - max.clone()).exp(); // [N, block]
        let mut sum = weights.clone().sum_dim(1);
        let mut weighted = keys.map(|keys| weights.matmul(keys));
        if let Some(running) = running {
            let shrink = (running.max - max.clone()).exp();
            sum = sum + running.sum * shrink.clone();
            weighted = weighted.zip(running.weighted).map(|(new, old)| new + old * shrink);
        }
        Self { max, sum, weighted }
    }
}
