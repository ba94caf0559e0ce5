//! Pooling against Burn's, which is given `f64`.

use burn::nn::PaddingConfig2d;
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::tensor::{DType, Tensor};
use slowburn_layers::{Maps, global_average_pool, max_pool};

use crate::support::{Leaves, assert_same, images, outcome, plain, training, values};

fn explicit(n: usize) -> PaddingConfig2d {
    PaddingConfig2d::Explicit(n, n, n, n)
}

fn pools() -> Vec<MaxPool2d> {
    let base = MaxPool2dConfig::new([2, 2]);
    vec![
        base.init(),
        MaxPool2dConfig::new([3, 3]).with_strides([2, 2]).with_padding(explicit(1)).init(),
        MaxPool2dConfig::new([3, 2]).with_strides([1, 2]).init(),
        MaxPool2dConfig::new([3, 3]).with_strides([1, 1]).with_padding(PaddingConfig2d::Same).init(),
        // Burn's: an uneven padding, whole windows dropped, dilation.
        MaxPool2dConfig::new([2, 2]).with_strides([1, 1]).with_padding(PaddingConfig2d::Same).init(),
        MaxPool2dConfig::new([3, 3]).with_strides([2, 2]).with_ceil_mode(true).init(),
        MaxPool2dConfig::new([2, 2]).with_dilation([2, 2]).init(),
    ]
}

#[test]
fn maxima_and_their_gradients_are_burns() {
    for pool in pools() {
        for shape in [[2, 3, 7, 8], [1, 17, 4, 5], [2, 3, 6, 8]] {
            let ours = |leaves: &Leaves| max_pool(Maps::new(leaves.maps[0].clone()), &pool).into_tensor();
            let theirs = |leaves: &Leaves| pool.forward(leaves.maps[0].clone());
            assert_same(&format!("{pool} of {shape:?}"), &Leaves::random(&[shape], &[]), ours, theirs);
        }
    }
}

/// Of equal values the first has the gradient; NaN is the largest.
#[test]
fn ties_and_not_a_number_are_burns() {
    let pool = MaxPool2dConfig::new([3, 3]).with_strides([2, 2]).with_padding(explicit(1)).init();
    let mut leaves = Leaves::random(&[[2, 3, 7, 8]], &[]);
    let ours = |leaves: &Leaves| max_pool(Maps::new(leaves.maps[0].clone()), &pool).into_tensor();
    let theirs = |leaves: &Leaves| pool.forward(leaves.maps[0].clone());
    leaves.maps[0] = (leaves.maps[0].clone() * 1.5).round();
    assert_same("ties", &leaves, ours, theirs);
    for value in [f32::NEG_INFINITY, f32::INFINITY, f32::NAN] {
        let spot = Tensor::full([1, 1, 1, 1], value, &plain());
        leaves.maps[0] = leaves.maps[0].clone().slice_assign([0..1, 1..2, 3..4, 3..4], spot);
        assert_same(&format!("{value}"), &leaves, ours, theirs);
    }
}

#[test]
fn the_mean_and_its_gradient_are_burns() {
    for shape in [[2, 3, 7, 8], [1, 40, 1, 1], [3, 16, 2, 2]] {
        let ours = |leaves: &Leaves| global_average_pool(Maps::new(leaves.maps[0].clone()));
        let theirs = |leaves: &Leaves| leaves.maps[0].clone().mean_dims(&[2, 3]).reshape([shape[0], shape[1]]);
        assert_same(&format!("{shape:?}"), &Leaves::random(&[shape], &[]), ours, theirs);
    }
}

#[test]
fn empty_batches_give_empty_batches() {
    let leaves = Leaves::random(&[[0, 3, 4, 4]], &[]).on(&training(), DType::F32);
    let pool = MaxPool2dConfig::new([2, 2]).init();
    let found = outcome(&leaves, |leaves| max_pool(Maps::new(leaves.maps[0].clone()), &pool).into_tensor());
    assert_eq!(found.shape, [0, 3, 2, 2]);
    let found = outcome(&leaves, |leaves| global_average_pool(Maps::new(leaves.maps[0].clone())));
    assert_eq!(found.shape, [0, 3]);
}

#[test]
fn on_a_plain_device_they_are_the_same() {
    let batch = images([2, 3, 6, 6], &plain());
    let pool = MaxPool2dConfig::new([2, 2]).init();
    let maps = max_pool(Maps::new(batch.clone()), &pool);
    assert_eq!(values(maps.clone().into_tensor()), values(pool.forward(batch)));
    let on_autodiff = global_average_pool(Maps::new(maps.clone().into_tensor().autodiff()));
    assert_eq!(values(global_average_pool(maps)), values(on_autodiff));
}
