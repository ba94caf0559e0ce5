//! Calls of kernels, with memory around them.

use std::hint::black_box;

use anyhow::Context;
use burn::tensor::{Device, Tensor};
use slowburn_layers::kernel::norm::{self, NormShape, Saved, Statistics};
use slowburn_layers::kernel::pool::{self, PoolShape};
use slowburn_layers::kernel::{Arithmetic, ConvShape, Rectifier, conv, layout};

use super::{Direction, Fused, Kernel, pool_input, pool_output};
use crate::work::Run;

impl Kernel {
    /// Calls it, always with the same numbers. Convolutions have this arithmetic; `device` is for what Burn does.
    pub fn run(self, arithmetic: Arithmetic, device: &Device) -> Run {
        match self {
            Self::Convolution(shape, direction) => convolution(shape, direction, arithmetic),
            Self::Normalisation(fused) => normalisation(fused),
            Self::NormalisationBack(fused) => normalisation_back(fused),
            Self::MaxPool(shape) => {
                let (input, mut out) = (numbers(pool_input(&shape)), vec![0.0; pool_output(&shape)]);
                repeat(move || pool::max(&shape, black_box(&input), black_box(&mut out)))
            }
            Self::MaxPoolBack(shape) => max_pool_back(shape),
            Self::MeanPool(NormShape { images, pixels, channels, .. }) => {
                let (input, mut out) = (numbers(images * pixels * channels), vec![0.0; images * channels]);
                repeat(move || pool::mean(images, pixels, channels, black_box(&input), black_box(&mut out)))
            }
            Self::MeanPoolBack(NormShape { images, pixels, channels, .. }) => {
                let (grad, mut out) = (numbers(images * channels), vec![0.0; images * pixels * channels]);
                repeat(move || pool::mean_backward(images, pixels, channels, black_box(&grad), black_box(&mut out)))
            }
            Self::ToChannelsLast(NormShape { images, pixels, channels, .. }) => {
                let (from, mut to) = (numbers(images * pixels * channels), vec![0.0; images * pixels * channels]);
                repeat(move || layout::to_channels_last(images, channels, pixels, black_box(&from), black_box(&mut to)))
            }
            Self::Addition(numbers) => addition(numbers, device),
        }
    }
}

fn repeat(mut call: impl FnMut() + 'static) -> Run {
    Box::new(move || {
        call();
        Ok(1)
    })
}

/// Numbers between −1 and 1 without any order.
fn numbers(count: usize) -> Vec<f32> {
    let number = |place: usize| ((place as u32).wrapping_mul(2_654_435_761) >> 8) as f32 / (1 << 23) as f32 - 1.0;
    (0..count).map(number).collect()
}

fn convolution(shape: ConvShape, direction: Direction, arithmetic: Arithmetic) -> Run {
    let (input, weight, output) = (shape.input_len(), shape.weight_len(), shape.output_len());
    match direction {
        Direction::Forward => {
            let (input, weight, mut out) = (numbers(input), numbers(weight), vec![0.0; output]);
            repeat(move || conv::forward(&shape, black_box(&input), &weight, None, black_box(&mut out), arithmetic))
        }
        Direction::ToInput => {
            let (weight, grad, mut out) = (numbers(weight), numbers(output), vec![0.0; input]);
            repeat(move || conv::to_input(&shape, black_box(&weight), &grad, black_box(&mut out), arithmetic))
        }
        Direction::ToWeight => {
            let (input, grad, mut out) = (numbers(input), numbers(output), vec![0.0; weight]);
            repeat(move || conv::to_weight(&shape, black_box(&input), &grad, black_box(&mut out), arithmetic))
        }
    }
}

fn normalisation(Fused { shape, adds, activation }: Fused) -> Run {
    let (input, shortcut, mut out) = (numbers(shape.len()), numbers(shape.len()), vec![0.0; shape.len()]);
    let [mut mean, mut variance] = [vec![0.0; shape.statistic_len()], vec![0.0; shape.statistic_len()]];
    let [scale, shift] = [vec![1.0; shape.statistic_len()], vec![0.0; shape.statistic_len()]];
    repeat(move || {
        norm::statistics(&shape, black_box(&input), &mut mean, &mut variance);
        let added = adds.then_some(&*shortcut);
        norm::apply(&shape, Some(&input), [&mean, &scale, &shift], added, activation, black_box(&mut out));
    })
}

fn normalisation_back(Fused { shape, adds, activation }: Fused) -> Run {
    let [input, output, mut grad] = [numbers(shape.len()), numbers(shape.len()), numbers(shape.len())];
    // A shortcut takes the gradient as it is: the input's has memory of its own then.
    let mut apart = adds.then(|| vec![0.0; shape.len()]);
    let (mean, inverse_std) = (vec![0.0; shape.statistic_len()], vec![1.0; shape.statistic_len()]);
    let gamma = vec![1.0; shape.channels];
    let [mut to_gamma, mut to_beta] = [vec![0.0; shape.channels], vec![0.0; shape.channels]];
    repeat(move || {
        let saved = Saved {
            input: black_box(&input),
            output: (activation != Rectifier::None).then_some(&*output),
            mean: &mean,
            inverse_std: &inverse_std,
            gamma: &gamma,
            activation,
            statistics: Statistics::Batch,
        };
        norm::backward(&shape, &saved, black_box(&mut grad), apart.as_deref_mut(), &mut to_gamma, &mut to_beta);
    })
}

fn max_pool_back(shape: PoolShape) -> Run {
    let (input, grad) = (numbers(pool_input(&shape)), numbers(pool_output(&shape)));
    let mut out = vec![0.0; input.len()];
    repeat(move || pool::max_backward(&shape, black_box(&input), &grad, black_box(&mut out)))
}

/// In place, as gradients are added.
fn addition(numbers: usize, device: &Device) -> Run {
    let (mut sum, added) = (Some(Tensor::<1>::ones([numbers], device)), Tensor::<1>::zeros([numbers], device));
    let device = device.clone();
    Box::new(move || {
        sum = Some(sum.take().context("put back here")? + added.clone());
        device.sync()?;
        Ok(1)
    })
}
