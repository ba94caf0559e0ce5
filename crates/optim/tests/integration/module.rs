//! Whole modules: groups, clipping, parameters without a gradient.

use burn::grad_clipping::GradientClipping;
use burn::module::{Module, Param, ParamGroup};
use burn::nn::{Linear, LinearConfig};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use slowburn_optim::FusedSgdConfig;

use crate::{bits, tensor, values};

/// Weight and bias of 1.
fn ones() -> Linear {
    let device = Device::flex().autodiff();
    let mut linear = LinearConfig::new(2, 2).init(&device);
    linear.weight = Param::from_tensor(Tensor::ones([2, 2], &device));
    linear.bias = Some(Param::from_tensor(Tensor::ones([2], &device)));
    linear
}

fn bias(linear: &Linear) -> Tensor<1> {
    linear.bias.as_ref().unwrap().val()
}

fn gradients(linear: &Linear, weight: f32, bias: f32) -> GradientsParams {
    let mut gradients = GradientsParams::new();
    gradients.register(linear.weight.id, tensor(&[weight; 4], [2, 2]));
    gradients.register(linear.bias.as_ref().unwrap().id, tensor(&[bias; 2], [2]));
    gradients
}

#[test]
fn a_group_may_be_without_weight_decay() {
    let config = FusedSgdConfig::new().with_momentum(0.5);
    let mut optimizer = config.with_weight_decay(0.25).init().unwrap().with_group(
        ParamGroup::from_any_predicates(vec!["gamma", "beta", "bias"]),
        config.build().unwrap(),
        None,
    );
    let mut linear = ones();
    for _ in 0..2 {
        let none = gradients(&linear, 0.0, 0.0);
        linear = optimizer.step(1.0, linear, none);
    }
    // v = 0.25·1 and θ = 0.75; then v = 0.5·0.25 + 0.25·0.75 and θ = 0.75 − 0.3125.
    assert_eq!(values(&linear.weight.val()), [0.4375; 4]);
    assert_eq!(values(&bias(&linear)), [1.0; 2]);
}

#[test]
fn gradients_are_clipped_before_the_step() {
    let mut optimizer = FusedSgdConfig::new().init().unwrap().with_grad_clipping(GradientClipping::Value(0.5));
    let linear = ones();
    let large = gradients(&linear, 100.0, 0.25);
    let linear = optimizer.step(1.0, linear, large);
    assert_eq!(values(&linear.weight.val()), [0.5; 4]);
    assert_eq!(values(&bias(&linear)), [0.75; 2]);
}

#[test]
fn a_parameter_without_a_gradient_stays_also_under_weight_decay() {
    let mut optimizer = FusedSgdConfig::new().with_momentum(0.9).with_weight_decay(0.1).init().unwrap();
    let linear = ones();
    let mut only = GradientsParams::new();
    only.register(linear.weight.id, tensor(&[1.0; 4], [2, 2]));
    let before = bits(&bias(&linear));
    let linear = optimizer.step(0.1, linear, only);
    assert_eq!(bits(&bias(&linear)), before);
    assert_ne!(values(&linear.weight.val()), [1.0; 4]);
}

#[test]
fn a_stepped_parameter_still_asks_for_its_gradient() {
    let mut optimizer = FusedSgdConfig::new().with_momentum(0.9).init().unwrap();
    let linear = ones();
    let given = gradients(&linear, 1.0, 1.0);
    let linear = optimizer.step(0.1, linear, given);
    assert!(linear.weight.val().is_require_grad() && bias(&linear).is_require_grad());
    assert_eq!(linear.devices(), [Device::flex().autodiff()]);
}
