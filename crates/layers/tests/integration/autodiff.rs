//! The graph that the operations leave behind.

use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::module::{Module, Param};
use burn::nn::pool::MaxPool2dConfig;
use burn::tensor::{DType, Device, Tensor};
use slowburn_layers::{
    Activation, BatchNorm, BatchNormConfig, Conv2d, Conv2dConfig, Maps, MeanOnlyBatchNorm, MeanOnlyBatchNormConfig,
    global_average_pool, max_pool,
};

use crate::support::{Leaves, assert_alike, assert_near, constant, images, outcome, random, training, values};

/// One of each operation.
#[derive(Module, Debug)]
struct Network {
    conv1: Conv2d,
    norm1: BatchNorm,
    conv2: Conv2d,
    norm2: BatchNorm,
    last: MeanOnlyBatchNorm,
}

impl Network {
    fn new(device: &Device) -> Self {
        device.seed(5);
        let conv = |channels| {
            let padding = burn::nn::PaddingConfig2d::Explicit(1, 1, 1, 1);
            let conv = Conv2dConfig::new(channels, [3, 3]).with_padding(padding).init(device);
            conv.weight.val();
            conv.bias.as_ref().unwrap().val();
            conv
        };
        let norm = || BatchNormConfig::new(4).init(device);
        let last = MeanOnlyBatchNormConfig::new(4).init(device).unwrap();
        Self { conv1: conv([3, 4]), norm1: norm(), conv2: conv([4, 4]), norm2: norm(), last }
    }

    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let x = self.norm1.forward_maps(self.conv1.forward_maps(Maps::new(images)), Activation::Relu);
        let x = max_pool(x, &MaxPool2dConfig::new([2, 2]).init());
        let shortcut = x.clone();
        let x = self.conv2.forward_maps(x.map(|x| x.tanh()));
        let x = self.norm2.forward_add(x, shortcut, Activation::LeakyRelu(0.1));
        global_average_pool(self.last.forward_maps(x, Activation::LeakyRelu(0.1)))
    }

    fn gradients(&self, batch: Tensor<4>) -> Vec<Vec<f32>> {
        let gradients = self.forward(batch).powi_scalar(2).sum().backward();
        let of = |weight: &Param<Tensor<4>>| values(weight.val().grad(&gradients).unwrap());
        let vector = |weight: &Param<Tensor<1>>| values(weight.val().grad(&gradients).unwrap());
        vec![of(&self.conv1.weight), vector(&self.norm1.gamma), of(&self.conv2.weight), vector(&self.norm2.beta)]
    }
}

/// Recomputing cheap operations changes nothing.
#[test]
fn balanced_checkpointing_gives_the_same_gradients() {
    let checkpointing = training().gradient_checkpointing();
    let batch = images([4, 3, 8, 8], &Device::flex());
    let expected = Network::new(&training()).gradients(Tensor::from_data(batch.to_data(), &training()));
    let found = Network::new(&checkpointing).gradients(Tensor::from_data(batch.to_data(), &checkpointing));
    for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
        assert_near(&format!("gradient {index}"), found, expected);
    }
}

/// An operation whose input is recomputed, and used by another operation besides.
#[test]
fn inputs_that_are_recomputed_are_right() {
    let norm = |device: &Device| BatchNormConfig::new(3).init(device);
    let compute = |device: &Device| {
        let leaves = Leaves::random(&[[2, 3, 4, 4]], &[]).on(device, DType::F32);
        let norm = norm(device);
        outcome(&leaves, |leaves| {
            let x = leaves.maps[0].clone().tanh() * 2.0;
            let y = norm.forward_maps(Maps::new(x.clone()), Activation::Relu);
            let z = max_pool(y.clone().map(|y| y.exp()), &MaxPool2dConfig::new([2, 2]).init());
            global_average_pool(z) + global_average_pool(y) + global_average_pool(Maps::new(x * 0.5))
        })
    };
    assert_alike("recomputed", &compute(&training().gradient_checkpointing()), &compute(&training()));
}

/// What the panic of `f` says, node numbers left out.
fn panic_message(f: impl FnOnce()) -> Option<String> {
    let payload = catch_unwind(AssertUnwindSafe(f)).err()?;
    let text =
        payload.downcast_ref::<String>().cloned().or_else(|| payload.downcast_ref::<&str>().map(|s| s.to_string()));
    Some(text?.chars().filter(|c| !c.is_ascii_digit()).collect())
}

#[test]
fn a_second_backward_errs_as_burns_does() {
    let conv = Conv2dConfig::new([3, 4], [3, 3]).init(&training());
    let twice = |output: Tensor<4>| {
        let loss = output.sum();
        loss.clone().backward();
        panic_message(|| drop(loss.backward()))
    };
    let batch = images([2, 3, 6, 6], &training());
    let ours = twice(conv.forward(batch.clone()));
    let burns = twice(burn::nn::conv::Conv2d::from(conv).forward(batch.clone()));
    assert_eq!(ours, burns);
    let norm = BatchNormConfig::new(3).init(&training());
    let ours = twice(norm.forward_maps(Maps::new(batch.clone()), Activation::None).into_tensor());
    assert_eq!(ours, twice(burn::nn::BatchNorm::from(norm).forward(batch)));
}

/// A tensor that several operations read has the sum of their gradients, and none of them writes over another's.
#[test]
fn gradients_of_a_tensor_used_twice_add_up() {
    let norm = BatchNormConfig::new(3).init(&training());
    let conv = Conv2dConfig::new([3, 3], [1, 1]).init(&training());
    let leaves = Leaves::random(&[[2, 3, 4, 4]], &[]).on(&training(), DType::F32);
    let together = outcome(&leaves, |leaves| {
        let x = Maps::new(leaves.maps[0].clone());
        let one = norm.forward_maps(x.clone(), Activation::Relu);
        let two = conv.forward_maps(x.clone());
        // Addition hands the same gradient on to each of its operands.
        (one.clone() + two + x + one).into_tensor()
    });
    let apart = outcome(&leaves, |leaves| {
        let x = leaves.maps[0].clone();
        let norm = burn::nn::BatchNorm::from(norm.clone());
        let one = burn::tensor::activation::relu(norm.forward(x.clone()));
        let two = burn::nn::conv::Conv2d::from(conv.clone()).forward(x.clone());
        one * 2.0 + two + x
    });
    assert_alike("used twice", &together, &apart);
}

/// The input and the shortcut may be one tensor.
#[test]
fn a_tensor_may_be_its_own_shortcut() {
    let norm = BatchNormConfig::new(3).init(&training());
    let leaves = Leaves::random(&[[2, 3, 4, 4]], &[]).on(&training(), DType::F32);
    let ours = outcome(&leaves, |leaves| {
        let x = Maps::new(leaves.maps[0].clone());
        norm.forward_add(x.clone(), x, Activation::Relu).into_tensor()
    });
    let burns = outcome(&leaves, |leaves| {
        let x = leaves.maps[0].clone();
        burn::tensor::activation::relu(burn::nn::BatchNorm::from(norm.clone()).forward(x.clone()) + x)
    });
    assert_alike("own shortcut", &ours, &burns);
}

/// A shortcut alone may have a gradient, or the input alone.
#[test]
fn each_operand_may_be_a_constant() {
    let norm = BatchNormConfig::new(3).init(&training()).no_grad();
    let leaves = Leaves::random(&[[2, 3, 4, 4], [2, 3, 4, 4]], &[]).on(&training(), DType::F32);
    for index in [0, 1] {
        let operands = |leaves: &Leaves| {
            let mut maps = leaves.maps.clone();
            maps[index] = constant(&maps[index]);
            maps
        };
        let ours = outcome(&leaves, |leaves| {
            let [x, shortcut] = <[_; 2]>::try_from(operands(leaves)).unwrap().map(Maps::new);
            norm.forward_add(x, shortcut, Activation::Relu).into_tensor()
        });
        let burns = outcome(&leaves, |leaves| {
            let [x, shortcut] = <[_; 2]>::try_from(operands(leaves)).unwrap();
            burn::tensor::activation::relu(burn::nn::BatchNorm::from(norm.clone()).forward(x) + shortcut)
        });
        assert_alike(&format!("operand {index} constant"), &ours, &burns);
    }
}

/// Two backward passes of two graphs over the same weights: their gradients are apart, and their sum is that of one.
#[test]
fn gradients_of_several_passes_accumulate() {
    let network = Network::new(&training()).freeze().unfreeze();
    let [one, two] = [1, 2].map(|seed| random(seed, [4, 3, 8, 8], &training()));
    let loss = |batch: Tensor<4>| network.forward(batch).powi_scalar(2).sum();
    let weight = network.conv1.weight.val();
    let first = values(weight.grad(&loss(one.clone()).backward()).unwrap());
    let second = values(weight.grad(&loss(two.clone()).backward()).unwrap());
    let both = values(weight.grad(&(loss(one) + loss(two)).backward()).unwrap());
    let sum: Vec<f32> = first.iter().zip(&second).map(|(a, b)| a + b).collect();
    assert_near("sum", &both, &sum);
}

/// In evaluation a gradient still reaches the images.
#[test]
fn a_frozen_network_hands_gradients_to_its_images() {
    let network = Network::new(&training()).freeze();
    let batch = images([4, 3, 8, 8], &training()).require_grad();
    let gradients = network.forward(batch.clone()).sum().backward();
    assert!(values(batch.grad(&gradients).unwrap()).iter().any(|value| *value != 0.0));
    assert!(network.conv1.weight.val().grad(&gradients).is_none());
}
