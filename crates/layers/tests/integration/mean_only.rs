//! Mean-only batch normalisation and weight normalisation, against Burn's plain operations in `f64`.

use burn::module::{Module, Param, RunningState};
use burn::tensor::{DType, Tensor};
use slowburn_layers::{
    Activation, Maps, MeanOnlyBatchNorm, MeanOnlyBatchNormConfig, WeightNormConv2d, WeightNormConv2dConfig,
};

use crate::support::{Leaves, assert_near, assert_same, images, outcome, plain, random, training, values};

const ACTIVATIONS: [Activation; 3] = [Activation::None, Activation::Relu, Activation::LeakyRelu(0.1)];

fn norm(leaves: &Leaves) -> MeanOnlyBatchNorm {
    let bias = leaves.vectors[0].clone();
    let data = random(5, bias.dims(), &plain()).into_data().convert_dtype(bias.dtype());
    MeanOnlyBatchNorm {
        running_mean: RunningState::new(Tensor::from_data(data, (&bias.device(), bias.dtype()))),
        bias: Param::from_tensor(bias),
        training: Param::from_bool(true),
        momentum: 0.3,
    }
}

fn definition(leaves: &Leaves) -> Tensor<4> {
    let x = leaves.maps[0].clone();
    let [channels] = leaves.vectors[0].dims();
    x.clone() - x.mean_dims(&[0, 2, 3]) + leaves.vectors[0].clone().reshape([1, channels, 1, 1])
}

#[test]
fn in_training_it_is_the_definition() {
    for shape in [[4, 3, 5, 6], [1, 20, 3, 3], [8, 5, 1, 1]] {
        for activation in ACTIVATIONS {
            let leaves = Leaves::random(&[shape], &[shape[1]]);
            let ours = |leaves: &Leaves| {
                norm(leaves).forward_maps(Maps::new(leaves.maps[0].clone()), activation).into_tensor()
            };
            let theirs = |leaves: &Leaves| activation.apply(definition(leaves));
            assert_same(&format!("{shape:?}, {activation:?}"), &leaves, ours, theirs);
        }
    }
}

/// `f64` takes Burn's operations: frozen, both must agree.
#[test]
fn frozen_it_has_the_running_mean() {
    for activation in ACTIVATIONS {
        let leaves = Leaves::random(&[[4, 3, 5, 6]], &[3]);
        let compute = |leaves: &Leaves| {
            let frozen = norm(leaves).freeze();
            frozen.forward_maps(Maps::new(leaves.maps[0].clone()), activation).into_tensor()
        };
        assert_same(&format!("{activation:?}"), &leaves, compute, compute);
    }
}

#[test]
fn the_running_mean_follows_the_batch() {
    let norm = MeanOnlyBatchNormConfig::new(2).with_momentum(0.25).init(&training()).unwrap();
    let batch = images([4, 2, 3, 3], &training()) + 2.0;
    norm.forward(batch.clone());
    let mean = values(batch.mean_dims(&[0, 2, 3]) * 0.25);
    assert_near("running mean", &values(norm.running_mean.value_sync()), &mean);
    let valid = norm.valid();
    let expected = images([1, 2, 3, 3], &plain());
    let shift: Tensor<4> = valid.running_mean.value().reshape([1, 2, 1, 1]);
    assert_near("evaluation", &values(valid.forward(expected.clone())), &values(expected - shift));
}

#[test]
fn an_empty_batch_leaves_the_running_mean_alone() {
    let norm = MeanOnlyBatchNormConfig::new(2).init(&training()).unwrap();
    assert_eq!(norm.forward(images([0, 2, 3, 3], &training())).dims(), [0, 2, 3, 3]);
    assert_eq!(values(norm.running_mean.value_sync()), [0.0; 2]);
}

#[test]
fn weight_normalisation_has_the_definitions_gradients() {
    let leaves = Leaves::random(&[[2, 3, 6, 6], [4, 3, 3, 3]], &[4]);
    let ours = |leaves: &Leaves| {
        let conv = WeightNormConv2d {
            v: Param::from_tensor(leaves.maps[1].clone()),
            g: Param::from_tensor(leaves.vectors[0].clone()),
            padding: 1,
        };
        conv.forward(leaves.maps[0].clone())
    };
    let theirs = |leaves: &Leaves| {
        let v = leaves.maps[1].clone();
        let length = v.clone().powi_scalar(2).sum_dims(&[1, 2, 3]).sqrt();
        let weight = v * (leaves.vectors[0].clone().reshape([4, 1, 1, 1]) / length);
        let options = burn::tensor::ops::ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
        burn::tensor::module::conv2d(leaves.maps[0].clone(), weight, None, options)
    };
    assert_same("weight norm", &leaves, ours, theirs);
}

#[test]
fn both_layers_in_a_row() {
    let conv = WeightNormConv2dConfig::new([3, 4], 3).with_padding(1).init(&training()).unwrap();
    let norm = MeanOnlyBatchNormConfig::new(4).init(&training()).unwrap();
    let leaves = Leaves::random(&[[2, 3, 6, 6]], &[]).on(&training(), DType::F32);
    let by_maps = |leaves: &Leaves| {
        let maps = conv.forward_maps(Maps::new(leaves.maps[0].clone()));
        norm.forward_maps(maps, Activation::LeakyRelu(0.1)).into_tensor()
    };
    let by_tensors =
        |leaves: &Leaves| Activation::LeakyRelu(0.1).apply(norm.forward(conv.forward(leaves.maps[0].clone())));
    crate::support::assert_alike("maps", &outcome(&leaves, by_maps), &outcome(&leaves, by_tensors));
}

#[test]
#[should_panic(expected = "axis 1 expected 3, got 4")]
fn other_channels_panic() {
    WeightNormConv2dConfig::new([3, 4], 3).init(&plain()).unwrap().forward(images([2, 4, 6, 6], &plain()));
}
