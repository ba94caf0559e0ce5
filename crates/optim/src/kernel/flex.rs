//! One pass over weight, velocity and gradient on Burn's CPU backend, in place where nobody else owns the memory.

use burn::backend::Flex;
use burn::backend::tensor::FloatTensor;
use burn::tensor::{DType, Tensor};
use rayon::prelude::*;

use super::gradient::Gradient;
use super::{Rule, Slot, Stepped, plain};

/// Weights that a core takes at a time at a weight's first step.
const PIECE: usize = 1 << 15;

/// Weights that are worth waking another core for.
const WORTH_WAKING: usize = 2 * PIECE;

/// The step, by plain operations where a tensor is not f32 or not of this backend.
pub(crate) fn step<const D: usize>(rule: Rule, slot: Slot<D>) -> Stepped<D> {
    let Some(own) = Own::of(&slot) else { return plain::step(rule, slot) };
    // Without these handles the memory may have one owner.
    drop(slot);
    let (weight, velocity) = match rule.momentum == 0.0 {
        true => own.descend(Factors::new(rule)),
        false => own.roll(Factors::new(rule)),
    };
    (Tensor::from_primitive::<Flex>(weight), velocity.map(Tensor::from_primitive::<Flex>))
}

/// The tensors of a [`Slot`], of this backend and in f32.
struct Own {
    weight: FloatTensor<Flex>,
    gradient: FloatTensor<Flex>,
    velocity: Option<FloatTensor<Flex>>,
}

type OwnStepped = (FloatTensor<Flex>, Option<FloatTensor<Flex>>);

impl Own {
    fn of<const D: usize>(slot: &Slot<D>) -> Option<Self> {
        let own = |tensor: &Tensor<D>| match tensor.dtype() {
            DType::F32 => tensor.clone().try_into_primitive::<Flex>().ok(),
            _ => None,
        };
        let velocity = match &slot.velocity {
            Some(velocity) => Some(own(velocity)?),
            None => None,
        };
        Some(Self { weight: own(&slot.weight)?, gradient: own(&slot.gradient)?, velocity })
    }

    /// A step without momentum.
    fn descend(self, factors: Factors) -> OwnStepped {
        let (mut weight, gradient) = (whole(self.weight), Gradient::of(self.gradient));
        let weights = weight.storage_mut::<f32>();
        let step = |(number, weights): (usize, &mut [f32])| {
            gradient.each(number, weights.len(), |range, gradients| factors.descend(&mut weights[range], gradients));
        };
        if weights.len() < WORTH_WAKING {
            weights.chunks_mut(gradient.piece()).enumerate().for_each(step);
        } else {
            weights.par_chunks_mut(gradient.piece()).enumerate().for_each(step);
        }
        (weight, None)
    }

    /// A step with momentum.
    fn roll(self, factors: Factors) -> OwnStepped {
        let Some(velocity) = self.velocity else { return Self::start(self.weight, self.gradient, factors) };
        let (mut weight, mut velocity) = (whole(self.weight), whole(velocity));
        let gradient = Gradient::of(self.gradient);
        // `storage_mut` copies where another owner must not see the change.
        let (weights, velocities) = (weight.storage_mut::<f32>(), velocity.storage_mut::<f32>());
        let piece = gradient.piece();
        let step = |(number, (weights, velocities)): (usize, (&mut [f32], &mut [f32]))| {
            gradient.each(number, weights.len(), |range, gradients| {
                factors.roll(&mut weights[range.clone()], &mut velocities[range], gradients);
            });
        };
        if weights.len() < WORTH_WAKING {
            weights.chunks_mut(piece).zip(velocities.chunks_mut(piece)).enumerate().for_each(step);
        } else {
            weights.par_chunks_mut(piece).zip(velocities.par_chunks_mut(piece)).enumerate().for_each(step);
        }
        (weight, Some(velocity))
    }

    /// The first step with momentum: the velocity takes the gradient's memory, unless another has it too.
    fn start(weight: FloatTensor<Flex>, gradient: FloatTensor<Flex>, factors: Factors) -> OwnStepped {
        let (mut weight, mut velocity) = (whole(weight), whole(gradient));
        let (weights, velocities) = (weight.storage_mut::<f32>(), velocity.storage_mut::<f32>());
        if weights.len() < WORTH_WAKING {
            factors.start(weights, velocities);
        } else {
            let pieces = weights.par_chunks_mut(PIECE).zip(velocities.par_chunks_mut(PIECE));
            pieces.for_each(|(weights, velocities)| factors.start(weights, velocities));
        }
        (weight, Some(velocity))
    }
}

/// The tensor in row-major order, in memory that holds nothing else: in its own memory if it is there already.
fn whole(tensor: FloatTensor<Flex>) -> FloatTensor<Flex> {
    // The second handle that this makes is the only one once the function returns.
    tensor.to_contiguous()
}

/// The numbers of a step as `mul_scalar` rounds them, so that kernel and plain operations agree in every bit.
#[derive(Clone, Copy)]
struct Factors {
    momentum: f32,
    fresh: f32,
    weight_decay: f32,
    decays: bool,
    nesterov: bool,
    rate: f32,
}

/// Slices of equal length, walked together: no index is checked, and the compiler takes several numbers at a time.
impl Factors {
    fn new(rule: Rule) -> Self {
        Self {
            momentum: rule.momentum as f32,
            fresh: rule.fresh as f32,
            weight_decay: rule.weight_decay as f32,
            decays: rule.weight_decay != 0.0,
            nesterov: rule.nesterov,
            rate: rule.rate as f32,
        }
    }

    fn descend(self, weights: &mut [f32], gradients: &[f32]) {
        for (weight, &gradient) in weights.iter_mut().zip(gradients) {
            *weight -= self.rate * self.penalised(gradient, *weight);
        }
    }

    fn start(self, weights: &mut [f32], velocities: &mut [f32]) {
        for (weight, velocity) in weights.iter_mut().zip(velocities) {
            let gradient = self.penalised(*velocity, *weight);
            *velocity = gradient;
            *weight -= self.rate * self.direction(gradient, *velocity);
        }
    }

    fn roll(self, weights: &mut [f32], velocities: &mut [f32], gradients: &[f32]) {
        for ((weight, velocity), &gradient) in weights.iter_mut().zip(velocities).zip(gradients) {
            let gradient = self.penalised(gradient, *weight);
            *velocity = self.momentum * *velocity + self.fresh * gradient;
            *weight -= self.rate * self.direction(gradient, *velocity);
        }
    }

    /// `g + λ·θ`. The condition is the same for every number: it leaves the loop.
    #[inline(always)]
    fn penalised(self, gradient: f32, weight: f32) -> f32 {
        if self.decays { gradient + self.weight_decay * weight } else { gradient }
    }

    /// `g + μ·v` or `v`.
    #[inline(always)]
    fn direction(self, gradient: f32, velocity: f32) -> f32 {
        if self.nesterov { gradient + self.momentum * velocity } else { velocity }
    }
}
