//! Integration tests.

// A test stops at the first thing that is not as it should be.
#![allow(clippy::unwrap_used)]

mod adam;
mod burn_facts;
mod errors;
mod fixture;
mod fused;
mod lars;
mod module;
mod oracle;
mod record;
mod sharing;

use burn::backend::Flex;
use burn::optim::Optimizer;
use burn::tensor::{Device, Tensor, TensorData};
use slowburn_optim::{FusedSgd, FusedSgdConfig, FusedSgdState, Velocity};
use slowburn_testkit::numbers;

/// Weight and velocity after a step of [`FusedSgd`].
type Stepped<const D: usize> = (Tensor<D>, Option<Tensor<D>>);

fn tensor<const D: usize>(values: &[f32], shape: [usize; D]) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), &Device::flex())
}

/// Every rule that `validate` allows, of these numbers.
fn rules(momentum: f64, dampening: f64, weight_decay: f64) -> Vec<FusedSgdConfig> {
    let mut rules = Vec::new();
    for momentum in [0.0, momentum] {
        for dampening in [0.0, dampening] {
            for weight_decay in [0.0, weight_decay] {
                for nesterov in [false, true] {
                    rules.push(FusedSgdConfig { momentum, dampening, weight_decay, nesterov });
                }
            }
        }
    }
    rules.retain(|rule| rule.validate().is_ok());
    rules
}

/// A step with the velocity bare.
fn step<const D: usize>(
    sgd: &FusedSgd,
    rate: f64,
    weight: Tensor<D>,
    gradient: Tensor<D>,
    velocity: Option<Tensor<D>>,
) -> Stepped<D> {
    let state = velocity.map(|velocity| FusedSgdState { momentum: Some(Velocity { velocity }) });
    let (weight, state) = sgd.step(rate, weight, gradient, state);
    (weight, state.unwrap().momentum.map(|momentum| momentum.velocity))
}

/// The numbers of a tensor, bit by bit.
fn bits<const D: usize>(tensor: &Tensor<D>) -> Vec<u32> {
    values(tensor).into_iter().map(f32::to_bits).collect()
}

fn values<const D: usize>(tensor: &Tensor<D>) -> Vec<f32> {
    tensor.clone().into_data().try_into_vec_as().unwrap()
}

/// Where the first number of a tensor on the CPU lies.
fn address<const D: usize>(tensor: &Tensor<D>) -> usize {
    tensor.clone().try_into_primitive::<Flex>().unwrap().storage::<f32>().as_ptr() as usize
}
