//! Convolutions against Burn's, which are given `f64`.

use std::sync::{PoisonError, RwLock};

use burn::module::Param;
use burn::nn::PaddingConfig2d;
use burn::tensor::{DType, Tensor};
use slowburn_layers::{Arithmetic, Conv2d, Maps, set_arithmetic};

use crate::support::{Leaves, assert_alike, assert_same, constant, images, outcome, plain, random, training, values};

#[derive(Debug, Clone)]
struct Case {
    images: usize,
    size: [usize; 2],
    channels: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: PaddingConfig2d,
    bias: bool,
}

impl Case {
    fn leaves(&self) -> Leaves {
        let ([height, width], [channels_in, channels_out], [kh, kw]) = (self.size, self.channels, self.kernel);
        let maps = [[self.images, channels_in, height, width], [channels_out, channels_in, kh, kw]];
        Leaves::random(&maps, if self.bias { &self.channels[1..] } else { &[] })
    }

    fn burns(&self, leaves: &Leaves) -> burn::nn::conv::Conv2d {
        burn::nn::conv::Conv2d {
            weight: Param::from_tensor(leaves.maps[1].clone()),
            bias: leaves.vectors.first().map(|bias| Param::from_tensor(bias.clone())),
            stride: self.stride,
            kernel_size: self.kernel,
            dilation: [1, 1],
            groups: 1,
            padding: self.padding.clone(),
        }
    }
}

fn cases() -> Vec<Case> {
    let base = Case {
        images: 2,
        size: [8, 8],
        channels: [3, 5],
        kernel: [3, 3],
        stride: [1, 1],
        padding: PaddingConfig2d::Explicit(1, 1, 1, 1),
        bias: false,
    };
    let one = |n| PaddingConfig2d::Explicit(n, n, n, n);
    vec![
        base.clone(),
        Case { bias: true, ..base.clone() },
        Case { size: [7, 9], padding: PaddingConfig2d::Valid, bias: true, ..base.clone() },
        Case { channels: [16, 24], size: [6, 10], ..base.clone() },
        Case { channels: [1, 1], images: 1, ..base.clone() },
        Case { stride: [2, 2], ..base.clone() },
        Case { stride: [2, 1], size: [9, 8], ..base.clone() },
        Case { kernel: [1, 1], padding: PaddingConfig2d::Valid, ..base.clone() },
        Case { kernel: [1, 1], stride: [2, 2], padding: PaddingConfig2d::Valid, size: [7, 7], ..base.clone() },
        Case { kernel: [7, 7], stride: [2, 2], padding: one(3), size: [15, 14], ..base.clone() },
        Case { kernel: [2, 4], padding: PaddingConfig2d::Same, ..base.clone() },
        Case {
            kernel: [4, 3],
            stride: [3, 2],
            padding: PaddingConfig2d::Same,
            size: [10, 11],
            bias: true,
            ..base.clone()
        },
        Case { padding: PaddingConfig2d::Explicit(0, 1, 2, 3), ..base.clone() },
        Case { kernel: [3, 3], size: [3, 3], padding: PaddingConfig2d::Valid, ..base.clone() },
        Case { size: [1, 1], padding: one(1), ..base.clone() },
        Case { size: [4, 4], channels: [40, 33], images: 3, ..base },
    ]
}

#[test]
fn values_and_gradients_are_burns() {
    for case in cases() {
        let leaves = case.leaves();
        let ours = |leaves: &Leaves| Conv2d::from(case.burns(leaves)).forward(leaves.maps[0].clone());
        let theirs = |leaves: &Leaves| case.burns(leaves).forward(leaves.maps[0].clone());
        assert_same(&format!("{case:?}"), &leaves, ours, theirs);
    }
}

/// The process's arithmetic: read by tests that compare bits, written by the one that changes it.
static ARITHMETIC: RwLock<()> = RwLock::new(());

#[test]
fn the_exact_arithmetic_computes_the_same() {
    let case = &cases()[3];
    let compute = |leaves: &Leaves| Conv2d::from(case.burns(leaves)).forward(leaves.maps[0].clone());
    let leaves = case.leaves().on(&training(), DType::F32);
    let fast = outcome(&leaves, compute);
    let _other = ARITHMETIC.write().unwrap_or_else(PoisonError::into_inner);
    set_arithmetic(Arithmetic::Exact);
    let exact = outcome(&leaves, compute);
    set_arithmetic(Arithmetic::Fast);
    assert_alike("exact", &exact, &fast);
}

type View = fn(Tensor<4>) -> Tensor<4>;

/// Views of another tensor's memory: transposed, part of it, one value for many.
#[test]
fn inputs_may_lie_in_any_order() {
    let case = &cases()[1];
    let views: [(&str, [usize; 4], View); 5] = [
        ("transposed", [2, 3, 8, 8], |x| x.swap_dims(2, 3)),
        ("images last", [8, 3, 8, 2], |x| x.swap_dims(0, 3)),
        ("channels last", [2, 8, 8, 3], |x| x.permute([0, 3, 1, 2])),
        ("a part", [3, 4, 9, 11], |x| x.slice([1..3, 1..4, 1..9, 2..10])),
        ("expanded", [1, 3, 8, 8], |x| x.expand([2, 3, 8, 8])),
    ];
    for (what, shape, view) in views {
        let mut leaves = case.leaves();
        leaves.maps[0] = random(7, shape, &plain());
        let ours = |leaves: &Leaves| Conv2d::from(case.burns(leaves)).forward(view(leaves.maps[0].clone()));
        let theirs = |leaves: &Leaves| case.burns(leaves).forward(view(leaves.maps[0].clone()));
        assert_same(what, &leaves, ours, theirs);
    }
}

#[test]
fn weights_may_lie_in_any_order() {
    let case = Case { channels: [4, 4], ..cases()[0].clone() };
    let leaves = case.leaves().on(&training(), DType::F32);
    let weight = random::<4>(3, [4, 4, 3, 3], &plain()).permute([1, 0, 3, 2]);
    let ordered = Tensor::<4>::from_data(weight.to_data(), &plain());
    let compute = |weight: Tensor<4>| {
        let weight = weight.autodiff().require_grad();
        let leaves = Leaves { maps: vec![leaves.maps[0].clone(), weight], vectors: Vec::new() };
        outcome(&leaves, |leaves| Conv2d::from(case.burns(leaves)).forward(leaves.maps[0].clone()))
    };
    assert_alike("transposed weight", &compute(weight), &compute(ordered));
}

/// What comes back need not be in order either.
#[test]
fn gradients_may_arrive_in_any_order() {
    let case = &cases()[1];
    let ours = |leaves: &Leaves| {
        let maps = Conv2d::from(case.burns(leaves)).forward_maps(Maps::new(leaves.maps[0].clone()));
        maps.map(|x| x.swap_dims(1, 2).swap_dims(1, 2)).into_tensor().permute([3, 1, 0, 2])
    };
    let theirs = |leaves: &Leaves| case.burns(leaves).forward(leaves.maps[0].clone()).permute([3, 1, 0, 2]);
    assert_same("permuted", &case.leaves(), ours, theirs);
    let ours = |leaves: &Leaves| Conv2d::from(case.burns(leaves)).forward(leaves.maps[0].clone()).sum_dim(3);
    let theirs = |leaves: &Leaves| case.burns(leaves).forward(leaves.maps[0].clone()).sum_dim(3);
    assert_same("expanded", &case.leaves(), ours, theirs);
}

#[test]
fn an_empty_batch_gives_an_empty_batch() {
    let case = Case { images: 0, bias: true, ..cases()[0].clone() };
    let leaves = case.leaves().on(&training(), DType::F32);
    let compute = |leaves: &Leaves| Conv2d::from(case.burns(leaves)).forward(leaves.maps[0].clone());
    let outcome = outcome(&leaves, compute);
    assert_eq!(outcome.shape, [0, 5, 8, 8]);
    let zeros = |count| Some(vec![0.0; count]);
    assert_eq!(outcome.gradients, [zeros(0), zeros(5 * 3 * 9), zeros(5)]);
}

/// Gradients that nobody asked for are not there; the others are what they would be.
#[test]
fn only_gradients_that_are_wanted_are_computed() {
    let case = &cases()[1];
    let all = case.leaves().on(&training(), DType::F32);
    let forward = |leaves: &Leaves| Conv2d::from(case.burns(leaves)).forward(leaves.maps[0].clone());
    let everything = outcome(&all, forward);

    let images = Leaves { maps: vec![constant(&all.maps[0]), all.maps[1].clone()], vectors: all.vectors.clone() };
    let found = outcome(&images, forward);
    assert!(found.gradients[0].is_none());
    assert_eq!(found.gradients[1..], everything.gradients[1..]);

    let frozen = |leaves: &Leaves| {
        use burn::module::Module;
        Conv2d::from(case.burns(leaves)).no_grad().forward(leaves.maps[0].clone())
    };
    let found = outcome(&all, frozen);
    assert_eq!(found.gradients, [everything.gradients[0].clone(), None, None]);
}

#[test]
fn on_a_plain_device_it_is_the_same() {
    let _same = ARITHMETIC.read().unwrap_or_else(PoisonError::into_inner);
    for case in cases() {
        let leaves = case.leaves();
        let on_autodiff = Leaves {
            maps: leaves.on(&training(), DType::F32).maps,
            vectors: leaves.on(&training(), DType::F32).vectors,
        };
        let expected = values(Conv2d::from(case.burns(&on_autodiff)).forward(on_autodiff.maps[0].clone()));
        assert_eq!(values(Conv2d::from(case.burns(&leaves)).forward(leaves.maps[0].clone())), expected, "{case:?}");
    }
}

/// A module on a plain device sees images on an autodiff device as Burn's would, and the other way round.
#[test]
fn devices_may_differ_in_autodiff() {
    let case = &cases()[1];
    let leaves = case.leaves();
    let tracked = leaves.on(&training(), DType::F32);
    let expected = values(case.burns(&tracked).forward(tracked.maps[0].clone()));
    for (image, weights) in [(&leaves, &tracked), (&tracked, &leaves)] {
        let output = Conv2d::from(case.burns(weights)).forward(image.maps[0].clone());
        assert!(output.is_autodiff());
        crate::support::assert_near("mixed", &values(output), &expected);
    }
}

fn conv(channels: [usize; 2], kernel: usize) -> Conv2d {
    slowburn_layers::Conv2dConfig::new(channels, [kernel, kernel]).init(&plain())
}

#[test]
#[should_panic(
    expected = "Number of channels in input tensor and input channels of convolution must be equal. got: 4, expected: 5"
)]
fn other_channels_panic_in_burns_words() {
    conv([5, 3], 3).forward(images([2, 4, 8, 8], &plain()));
}

#[test]
#[should_panic(expected = "a kernel of 5×5 does not fit into maps of 4×8")]
fn a_kernel_that_does_not_fit_panics() {
    conv([3, 3], 5).forward(images([2, 3, 4, 8], &plain()));
}
