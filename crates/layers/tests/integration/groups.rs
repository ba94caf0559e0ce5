//! Groups of a batch with statistics of their own, beside one group after another.

use burn::module::{Param, RunningState};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::tensor::{DType, Tensor};
use slowburn_layers::{
    Activation, BatchNorm, Conv2d, Conv2dConfig, Maps, MeanOnlyBatchNorm, MeanOnlyBatchNormConfig, SplitBatchNorm,
    max_pool,
};

use crate::support::{Leaves, assert_alike, assert_near, assert_same, images, outcome, plain, training, values};

const MOMENTUM: f64 = 0.25;

/// All layers that maps pass, three of them normalisations.
struct Layers {
    conv: Conv2d,
    norm: BatchNorm,
    pool: MaxPool2d,
    split: SplitBatchNorm,
    mean_only: MeanOnlyBatchNorm,
}

impl Layers {
    /// Of the types of the leaves: a convolution, then a scale and a shift for each normalisation.
    fn new(leaves: &Leaves) -> Self {
        let options = (&leaves.maps[1].device(), leaves.maps[1].dtype());
        let state = |value: f32| RunningState::new(Tensor::<1>::ones([4], options) * value);
        let vector = |index: usize| Param::from_tensor(leaves.vectors[index].clone());
        let norm = |at: usize| burn::nn::BatchNorm {
            gamma: vector(at),
            beta: vector(at + 1),
            running_mean: state(0.5),
            running_var: state(2.0),
            momentum: MOMENTUM,
            epsilon: 1e-5,
            training: Param::from_bool(true),
        };
        let mut conv = Conv2dConfig::new([3, 4], [3, 3]).with_bias(false).init(options.0);
        conv.weight = Param::from_tensor(leaves.maps[1].clone());
        let mut mean_only = MeanOnlyBatchNormConfig::new(4).with_momentum(MOMENTUM).init(options.0).unwrap();
        (mean_only.bias, mean_only.running_mean) = (vector(4), state(0.5));
        Self {
            conv,
            norm: norm(0).into(),
            pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
            split: SplitBatchNorm { norm: norm(2), splits: 2 },
            mean_only,
        }
    }

    fn forward(&self, maps: Maps) -> Tensor<4> {
        let x = self.norm.forward_maps(self.conv.forward_maps(maps), Activation::Relu);
        let x = max_pool(x, &self.pool).map(|x| x * 1.5);
        let x = self.split.forward_add(x.clone(), x.clone(), Activation::LeakyRelu(0.1)) + x;
        self.mean_only.forward_maps(x, Activation::None).into_tensor()
    }

    fn running(&self) -> Vec<f32> {
        let split = &self.split.norm;
        let states = [&self.norm.running_mean, &self.norm.running_var, &split.running_mean, &split.running_var];
        states.into_iter().chain([&self.mean_only.running_mean]).flat_map(|state| values(state.value_sync())).collect()
    }
}

fn leaves() -> Leaves {
    Leaves::random(&[[12, 3, 8, 8], [4, 3, 3, 3]], &[4; 5])
}

fn one_after_another(leaves: &Leaves) -> (Tensor<4>, Vec<f32>) {
    let layers = Layers::new(leaves);
    let parts = leaves.maps[0].clone().split(4, 0).into_iter().map(|part| layers.forward(Maps::new(part)));
    (Tensor::cat(parts.collect(), 0), layers.running())
}

fn at_once(leaves: &Leaves) -> (Tensor<4>, Vec<f32>) {
    let layers = Layers::new(leaves);
    (layers.forward(Maps::new(leaves.maps[0].clone()).in_groups(4)), layers.running())
}

#[test]
fn at_once_is_one_after_another() {
    assert_same("kernels", &leaves(), |leaves| at_once(leaves).0, |leaves| one_after_another(leaves).0);
    // The kernels read f32 alone.
    let leaves = leaves().on(&training(), DType::F64);
    let expected = outcome(&leaves, |leaves| one_after_another(leaves).0);
    assert_alike("Burn's operations", &outcome(&leaves, |leaves| at_once(leaves).0), &expected);
}

#[test]
fn running_statistics_follow_one_group_after_another() {
    for dtype in [DType::F32, DType::F64] {
        let leaves = leaves().on(&training(), dtype);
        let expected = one_after_another(&leaves).1;
        assert_eq!(expected.len(), 20);
        assert_near(&format!("{dtype:?}"), &at_once(&leaves).1, &expected);
    }
}

#[test]
fn a_group_does_not_see_the_others() {
    let leaves = leaves().on(&training(), DType::F32);
    let before = values(at_once(&leaves).0);
    let mut other = leaves.clone();
    other.maps[0] =
        Tensor::cat(vec![leaves.maps[0].clone().slice(0..8), leaves.maps[0].clone().slice(8..12) * 3.0 + 1.0], 0);
    let after = values(at_once(&other).0);
    let third = before.len() / 3;
    assert_eq!(before[..2 * third], after[..2 * third]);
    assert_ne!(before[2 * third..], after[2 * third..]);
}

#[test]
fn evaluation_has_no_groups() {
    let leaves = leaves().on(&plain(), DType::F32);
    let layers = Layers::new(&leaves);
    let whole = values(layers.forward(Maps::new(leaves.maps[0].clone())));
    assert_eq!(values(at_once(&leaves).0), whole);
}

#[test]
#[should_panic(expected = "a batch of 5 cannot be divided into groups of 2")]
fn a_group_that_does_not_divide_the_batch_panics() {
    let _ = Maps::new(images([5, 1, 2, 2], &plain())).in_groups(2);
}
