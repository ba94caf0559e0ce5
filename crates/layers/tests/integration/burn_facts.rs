//! What this crate relies on in Burn 0.22: where one of these fails after an upgrade, layers are slow or not as said.

use burn::backend::Flex;
use burn::backend::tensor::FloatTensor;
use burn::tensor::{Tensor, TensorData};

use crate::support::{images, plain, training, values};

fn primitive<const D: usize>(tensor: Tensor<D>) -> FloatTensor<Flex> {
    tensor.try_into_primitive::<Flex>().unwrap()
}

/// Results of kernels become tensors without a copy.
#[test]
fn a_vector_becomes_a_tensor_where_it_lies() {
    let numbers = vec![1.0_f32; 100];
    let place = numbers.as_ptr();
    let tensor = FloatTensor::<Flex>::from_data(TensorData::new(numbers, [10, 10]));
    assert_eq!(tensor.storage::<f32>().as_ptr(), place);
}

/// A gradient that nobody else holds is written in place, one that is shared is copied first.
#[test]
fn memory_of_one_owner_is_written_in_place() {
    let mut alone = primitive(images([2, 3, 4, 4], &plain()));
    let place = alone.storage::<f32>().as_ptr();
    assert_eq!(alone.storage_mut::<f32>().as_ptr(), place);
    let other = alone.clone();
    alone.storage_mut::<f32>()[0] = 7.0;
    assert_ne!(other.storage::<f32>()[0], 7.0);
}

/// Permuting moves nothing, and one channel lies the same first and last.
#[test]
fn permuted_tensors_are_views() {
    let maps = images([2, 3, 4, 5], &plain());
    let place = primitive(maps.clone()).bytes().as_ptr();
    let permuted = primitive(maps.permute([0, 2, 3, 1]));
    assert_eq!(permuted.bytes().as_ptr(), place);
    assert!(!permuted.is_contiguous());
    assert!(primitive(images([2, 1, 4, 5], &plain()).permute([0, 2, 3, 1])).is_contiguous());
}

/// Burn keeps the biased variance in its running statistics, and so do the kernels.
#[test]
fn the_running_variance_is_biased() {
    let norm = burn::nn::BatchNormConfig::new(1).with_momentum(1.0).init(&training());
    norm.forward(Tensor::<2>::from_data([[1.0], [3.0]], &training()));
    assert_eq!(values(norm.running_var.value_sync()), [1.0]);
}

/// Addition hands one and the same gradient to both operands: who wrote into it would spoil the other's.
#[test]
fn addition_shares_its_gradient() {
    let [a, b] = [1.0, 2.0].map(|value| Tensor::<1>::from_data([value], &training()).require_grad());
    let gradients = ((a.clone() + b.clone()) * 3.0).sum().backward();
    let [a, b] = [a, b].map(|leaf| primitive(leaf.grad(&gradients).unwrap()));
    assert_eq!(a.bytes().as_ptr(), b.bytes().as_ptr());
}
