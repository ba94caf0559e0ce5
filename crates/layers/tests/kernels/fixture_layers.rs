//! The layers beside PyTorch's, forward and backward, as tensors and as maps: `fixtures/generate.py`.

use std::collections::HashMap;

use burn::module::{Param, RunningState};
use burn::nn::PaddingConfig2d;
use burn::tensor::{Device, Gradients, Tensor, TensorData};
use slowburn_layers::{Activation, BatchNorm, BatchNormConfig, Conv2dConfig, Maps, SplitBatchNorm};

use crate::fixture::{CONVOLUTIONS, Fixture, NORMS, Numbers, Setting, conv_shape, norm_tolerance, setting};
use crate::oracle_conv::FAST;
use crate::support::{largest, near, wide};

type Case = HashMap<String, Numbers>;

fn training() -> Device {
    Device::flex().autodiff()
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

fn tensor<const D: usize>(numbers: &Numbers) -> Tensor<D> {
    Tensor::from_data(TensorData::new(numbers.values.clone(), numbers.shape.clone()), &training())
}

#[track_caller]
fn assert_entry<const D: usize>(case: &Case, name: &str, key: &str, found: Tensor<D>, tolerance: f64) {
    let expected = &case[key];
    assert_eq!(found.dims().to_vec(), expected.shape, "{name}: {key}");
    let numbers = wide(&expected.values);
    near(&format!("{name}: {key}"), &values(found), &numbers, largest(&numbers), tolerance).unwrap();
}

/// Gradients of `Σ grad · output`.
fn gradients(case: &Case, output: Tensor<4>) -> Gradients {
    (output * tensor(&case["grad"])).sum().backward()
}

#[test]
fn convolutions_equal_pytorchs() {
    for (name, case) in Fixture::read().cases("conv", CONVOLUTIONS) {
        let shape = conv_shape(&case);
        let [[top, bottom], [left, right]] = shape.padding;
        let config = Conv2dConfig::new(shape.channels, shape.kernel)
            .with_stride(shape.stride)
            .with_padding(PaddingConfig2d::Explicit(top, left, bottom, right))
            .with_bias(case.contains_key("bias"));
        for as_maps in [false, true] {
            let name = format!("{name}, maps {as_maps}");
            let mut conv = burn::nn::conv::Conv2dConfig::from(config.clone()).init(&training());
            conv.weight = Param::from_tensor(tensor(&case["weight"]));
            conv.bias = case.get("bias").map(|bias| Param::from_tensor(tensor(bias)));
            let conv = slowburn_layers::Conv2d::from(conv);
            let input = tensor::<4>(&case["input"]).require_grad();
            let output = match as_maps {
                true => conv.forward_maps(Maps::new(input.clone())).into_tensor(),
                false => conv.forward(input.clone()),
            };
            let gradients = gradients(&case, output.clone());
            assert_entry(&case, &name, "output", output, FAST);
            assert_entry(&case, &name, "to_input", input.grad(&gradients).unwrap(), FAST);
            assert_entry(&case, &name, "to_weight", conv.weight.val().grad(&gradients).unwrap(), FAST);
            if let Some(bias) = &conv.bias {
                assert_entry(&case, &name, "to_bias", bias.val().grad(&gradients).unwrap(), FAST);
            }
        }
    }
}

fn layer(case: &Case) -> burn::nn::BatchNorm {
    let Setting { momentum, epsilon, training: learns, .. } = setting(case);
    let config = BatchNormConfig::new(case["gamma"].shape[0]).with_momentum(momentum).with_epsilon(epsilon);
    let mut norm = burn::nn::BatchNormConfig::from(config).init(&training());
    norm.gamma = Param::from_tensor(tensor(&case["gamma"]));
    norm.beta = Param::from_tensor(tensor(&case["beta"]));
    norm.running_mean = RunningState::new(tensor(&case["mean"]));
    norm.running_var = RunningState::new(tensor(&case["variance"]));
    norm.training = Param::from_bool(learns);
    norm
}

/// PyTorch's running variance, which it keeps unbiased, as Burn keeps it: that of `m` numbers of a split.
fn biased(case: &Case) -> Vec<f64> {
    let Setting { splits, momentum, training, .. } = setting(case);
    let [images, _, height, width] = case["input"].dims();
    let m = (images / splits * height * width) as f64;
    let (before, after) = (wide(&case["variance"].values), wide(&case["after_variance"].values));
    let moved = before.iter().zip(after).map(|(before, after)| {
        let kept = (1.0 - momentum) * before;
        if training { kept + (after - kept) * (m - 1.0) / m } else { after }
    });
    moved.collect()
}

fn assert_norm(
    case: &Case,
    name: &str,
    norm: &burn::nn::BatchNorm,
    forward: impl Fn(Maps, Option<Maps>, Activation) -> Maps,
) {
    let limit = norm_tolerance(case);
    let activation = match setting(case).slope {
        1.0 => Activation::None,
        slope => Activation::leaky(slope),
    };
    let input = tensor::<4>(&case["input"]).require_grad();
    let shortcut = case.get("shortcut").map(|shortcut| tensor::<4>(shortcut).require_grad());
    let output = forward(Maps::new(input.clone()), shortcut.clone().map(Maps::new), activation).into_tensor();
    let gradients = gradients(case, output.clone());
    assert_entry(case, name, "output", output, limit);
    assert_entry(case, name, "to_input", input.grad(&gradients).unwrap(), limit);
    assert_entry(case, name, "to_gamma", norm.gamma.val().grad(&gradients).unwrap(), limit);
    assert_entry(case, name, "to_beta", norm.beta.val().grad(&gradients).unwrap(), limit);
    if let Some(shortcut) = shortcut {
        assert_entry(case, name, "to_shortcut", shortcut.grad(&gradients).unwrap(), limit);
    }
    assert_entry(case, name, "after_mean", norm.running_mean.value_sync(), 2e-6);
    let (found, expected) = (values(norm.running_var.value_sync()), biased(case));
    near(&format!("{name}: after_variance"), &found, &expected, largest(&expected), 2e-6).unwrap();
}

#[test]
fn normalisations_equal_pytorchs() {
    for (name, case) in Fixture::read().cases("norm", NORMS) {
        let split = SplitBatchNorm { norm: layer(&case), splits: setting(&case).splits };
        let forward = |maps: Maps, shortcut: Option<Maps>, activation| match shortcut {
            Some(shortcut) => split.forward_add(maps, shortcut, activation),
            None => split.forward_maps(maps, activation),
        };
        assert_norm(&case, &format!("{name}, splits"), &split.norm, forward);
        if split.splits > 1 {
            continue;
        }
        let plain = BatchNorm::from(layer(&case));
        let forward = |maps: Maps, shortcut: Option<Maps>, activation| match shortcut {
            Some(shortcut) => plain.forward_add(maps, shortcut, activation),
            None => plain.forward_maps(maps, activation),
        };
        assert_norm(&case, &name, &plain, forward);
        // Tensors, and what follows left to Burn.
        let plain = BatchNorm::from(layer(&case));
        let forward = |maps: Maps, shortcut: Option<Maps>, activation: Activation| {
            let normal = Maps::new(plain.forward(maps.into_tensor()));
            let sum = match shortcut {
                Some(shortcut) => normal + shortcut,
                None => normal,
            };
            Maps::new(activation.apply(sum.into_tensor()))
        };
        assert_norm(&case, &format!("{name}, tensors"), &plain, forward);
    }
}
