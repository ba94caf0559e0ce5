//! Tensors of this backend as slices of numbers.

use burn::backend::Flex;
use burn::backend::tensor::FloatTensor;
use burn::tensor::{Shape, TensorData};

/// A tensor of `f32` on this backend.
pub(super) type Primitive = FloatTensor<Flex>;

/// Makes the values contiguous, so that [`values`] can show them.
pub(super) fn in_order(tensor: Primitive) -> Primitive {
    match tensor.layout().contiguous_offsets() {
        Some(_) => tensor,
        None => tensor.to_contiguous(),
    }
}

/// The values of a tensor that is [`in_order`].
pub(super) fn values(tensor: &Primitive) -> &[f32] {
    let Some(values) = tensor.as_slice() else {
        unreachable!("the caller has put the tensor in order, and asked for its type before");
    };
    values
}

/// Whether the values are contiguous in memory that holds nothing else and has no other owner.
pub(super) fn is_alone(tensor: &Primitive) -> bool {
    tensor.is_unique() && is_whole(tensor)
}

fn is_whole(tensor: &Primitive) -> bool {
    let bytes = tensor.layout().num_elements() * size_of::<f32>();
    tensor.layout().contiguous_offsets().is_some_and(|(start, _)| start == 0) && tensor.bytes().len() == bytes
}

/// Makes the values contiguous in memory that holds nothing else, so that [`values_mut`] can show them.
pub(super) fn alone(tensor: Primitive) -> Primitive {
    match is_whole(&tensor) {
        true => tensor,
        // Copies less than `storage_mut` would, where the memory is larger than the tensor.
        false => tensor.to_contiguous(),
    }
}

/// The values of a tensor that is [`alone`], for writing: in place, or in a copy if anybody else reads them.
pub(super) fn values_mut(tensor: &mut Primitive) -> &mut [f32] {
    tensor.storage_mut()
}

/// A new tensor.
pub(super) fn tensor(values: Vec<f32>, shape: impl Into<Shape>) -> Primitive {
    Primitive::from_data(TensorData::new(values, shape.into()))
}
