//! Feature maps and their layout.

use burn::nn::DropoutConfig;
use burn::tensor::{DType, Tensor};
use slowburn_layers::Maps;

use crate::support::{Leaves, assert_same, images, outcome, plain, training, values};

#[test]
fn maps_give_back_what_they_took() {
    for device in [plain(), training()] {
        for shape in [[2, 3, 4, 5], [2, 1, 4, 5], [2, 3, 1, 1], [0, 3, 4, 5], [1, 20, 9, 7]] {
            let batch = images(shape, &device);
            let maps = Maps::new(batch.clone());
            assert_eq!(maps.dims(), shape);
            assert_eq!(maps.device(), device);
            assert_eq!(values(maps.into_tensor()), values(batch));
        }
    }
}

#[test]
fn gradients_pass_through_the_layout() {
    let leaves = Leaves::random(&[[2, 3, 4, 5]], &[]);
    let ours = |leaves: &Leaves| Maps::new(leaves.maps[0].clone() * 2.0).map(|x| x * 3.0).into_tensor();
    let theirs = |leaves: &Leaves| leaves.maps[0].clone() * 6.0;
    assert_same("there and back", &leaves, ours, theirs);
}

/// Maps of a tensor that already lies with its channels last, as those of an image decoder do, move nothing.
#[test]
fn channels_that_already_lie_last_stay_there() {
    let bytes = images([2, 4, 5, 3], &plain());
    let expected = values(bytes.clone());
    let maps = Maps::new(bytes.permute([0, 3, 1, 2]));
    assert_eq!(maps.dims(), [2, 3, 4, 5]);
    let mut found = Vec::new();
    maps.map(|x| {
        found = values(x.clone());
        x
    });
    assert_eq!(found, expected);
}

#[test]
fn what_comes_back_is_in_order() {
    let tensor = Maps::new(images([2, 3, 4, 5], &plain())).into_tensor();
    let primitive = tensor.try_into_primitive::<burn::backend::Flex>().unwrap();
    assert!(primitive.is_contiguous());
}

#[test]
fn sums_are_those_of_tensors() {
    let leaves = Leaves::random(&[[2, 3, 4, 5], [2, 3, 4, 5]], &[]);
    let ours = |leaves: &Leaves| (Maps::new(leaves.maps[0].clone()) + Maps::new(leaves.maps[1].clone())).into_tensor();
    let theirs = |leaves: &Leaves| leaves.maps[0].clone() + leaves.maps[1].clone();
    assert_same("sum", &leaves, ours, theirs);
}

#[test]
#[should_panic(expected = "maps of different shapes cannot be added")]
fn sums_of_different_shapes_panic() {
    let [one, other] = [4, 1].map(|height| Maps::new(images([2, 3, height, 5], &plain())));
    let _sum = one + other;
}

#[test]
fn a_function_of_single_values_may_change_the_type() {
    let batch = images([2, 3, 4, 5], &plain());
    let maps = Maps::new(batch.clone()).map(|x| x.cast(DType::F64));
    assert_eq!(maps.dims(), [2, 3, 4, 5]);
    let back = maps.into_tensor();
    assert_eq!(back.dtype(), DType::F64);
    assert_eq!(values(back), values(batch));
}

#[test]
#[should_panic(expected = "keeps the shape of the maps")]
fn a_function_that_changes_the_shape_panics() {
    Maps::new(images([2, 3, 4, 5], &plain())).map(|x| x.narrow(0, 0, 1));
}

#[test]
fn dropout_scales_what_it_keeps() {
    let leaves = Leaves { maps: vec![Tensor::ones([4, 8, 6, 6], &plain())], vectors: Vec::new() };
    let dropout = DropoutConfig::new(0.5).init();
    let found = outcome(&leaves.on(&training(), DType::F32), |leaves| {
        Maps::new(leaves.maps[0].clone()).map(|x| dropout.forward(x)).into_tensor()
    });
    assert!(found.output.iter().all(|value| *value == 0.0 || *value == 2.0));
    assert!(found.output.contains(&0.0) && found.output.contains(&2.0));
}
