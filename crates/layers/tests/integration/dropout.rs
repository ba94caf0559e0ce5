//! Dropout whose mask comes from a seed.

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig};
use burn::tensor::{Device, Tensor};
use slowburn_layers::{Maps, dropout};

use crate::support::{images, plain, training, values};

const SHAPE: [usize; 4] = [4, 17, 9, 8];

fn drop(maps: Tensor<4>, layer: &Dropout) -> Tensor<4> {
    dropout(Maps::new(maps), layer).into_tensor()
}

/// How the layer treats ones after this seed.
fn after(seed: u64, device: &Device, layer: &Dropout) -> Vec<f32> {
    device.seed(seed);
    values(drop(Tensor::ones(SHAPE, device), layer))
}

#[test]
fn values_are_zeros_or_scaled_as_burns_are() {
    let layer = DropoutConfig::new(0.25).init();
    let dropped = after(1, &training(), &layer);
    assert!(dropped.iter().all(|value| *value == 0.0 || (value - 4.0 / 3.0).abs() < 1e-6));
    let zeros = dropped.iter().filter(|value| **value == 0.0).count() as f64 / dropped.len() as f64;
    // Four standard deviations.
    assert!((zeros - 0.25).abs() < 4.0 * (0.25 * 0.75 / dropped.len() as f64).sqrt(), "{zeros}");
}

#[test]
fn another_seed_is_another_mask() {
    let layer = DropoutConfig::new(0.5).init();
    assert_ne!(after(7, &training(), &layer), after(8, &training(), &layer));
}

#[test]
fn the_gradient_has_the_mask_of_the_value() {
    let layer = DropoutConfig::new(0.4).init();
    let input = images(SHAPE, &training()).require_grad();
    let output = drop(input.clone(), &layer);
    let gradients = output.clone().sum().backward();
    let gradient = values(input.grad(&gradients).unwrap());
    for ((x, y), g) in values(input).into_iter().zip(values(output)).zip(gradient) {
        assert!((x * g - y).abs() < 1e-6, "{x} times {g} is not {y}");
    }
}

#[test]
fn at_rest_it_changes_nothing() {
    let batch = images(SHAPE, &training());
    for layer in [
        DropoutConfig::new(0.0).init(),
        DropoutConfig::new(0.5).init().valid(),
        DropoutConfig::new(0.5).init().freeze(),
    ] {
        assert_eq!(values(drop(batch.clone(), &layer)), values(batch.clone()));
    }
    let batch = images(SHAPE, &plain());
    assert_eq!(values(drop(batch.clone(), &DropoutConfig::new(0.5).init())), values(batch));
}
