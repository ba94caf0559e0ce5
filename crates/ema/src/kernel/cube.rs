//! One CubeCL kernel a tensor on every GPU, in place where nobody else owns the memory: `d·θ̄ + (1−d)·θ` in the average's
//! type, the student's tensor converted as it is read.

// The macros of CubeCL and Burn generate items that are neither documented nor private.
#![allow(missing_docs, unreachable_pub)]

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, DispatchDevice, TensorMetadata, backend_extension};
use burn::tensor::{DType, Shape, Tensor};
use burn_cubecl::CubeBackend;
use burn_cubecl::cubecl::prelude::*;
use burn_cubecl::cubecl::std::tensor::layout::linear::{LinearView, LinearViewMut};
use burn_cubecl::cubecl::{self, calculate_cube_count_elemwise, tensor_vector_size_parallel};
use burn_cubecl::kernel::untile;
use burn_cubecl::ops::numeric::empty_device_dtype;
use burn_cubecl::tensor::CubeTensor;

/// Whether this kernel moves such an average towards such a student.
pub(super) fn moves<const D: usize>(average: &Tensor<D>, student: &Tensor<D>) -> bool {
    let float = |dtype| matches!(dtype, DType::F32 | DType::F16 | DType::BF16);
    let on_cube = |tensor: &Tensor<D>| matches!(tensor.device().as_dispatch(), DispatchDevice::Cube(_));
    average.dtype() == DType::F32
        && float(student.dtype())
        && on_cube(average)
        && average.device() == student.device()
        && average.shape().num_elements() > 0
}

/// The average moved, where [`moves`] says so.
pub(super) fn average<const D: usize>(average: Tensor<D>, student: Tensor<D>, decay: f64) -> Tensor<D> {
    // Dispatched on the device; neither tensor is kept, so that the memory may have one owner.
    Tensor::from_dispatch(Dispatch::average(average.into_dispatch(), student.into_dispatch(), decay))
}

/// What a backend must have for it. With Burn's fusion the call waits in its stream like any other operation.
#[backend_extension(Cube, Fusion)]
pub trait AverageOps: Backend {
    /// `decay·average + (1 − decay)·student`, of the average's shape and type.
    #[fusion(dtype = average, shape = average)]
    fn average(average: FloatTensor<Self>, student: FloatTensor<Self>, decay: f64) -> FloatTensor<Self>;
}

impl AverageOps for CubeBackend {
    fn average(average: CubeTensor, student: CubeTensor, decay: f64) -> CubeTensor {
        launch(untile(average), untile(student), decay)
    }
}

#[cube(launch, address_type = "dynamic")]
fn average_kernel<A: Float, S: Float, N: Size>(
    average: LinearView<'_, Vector<A, N>>,
    student: LinearView<'_, Vector<S, N>>,
    mut moved: LinearViewMut<'_, Vector<A, N>>,
    old: InputScalar,
    new: InputScalar,
    #[define(A, S)] _dtypes: [ElemType; 2],
) {
    if !moved.is_in_bounds(ABSOLUTE_POS) {
        terminate!();
    }
    let old = Vector::new(old.get::<A>());
    let new = Vector::new(new.get::<A>());
    let student = Vector::cast_from(student.read(ABSOLUTE_POS));
    moved.write(ABSOLUTE_POS, old * average.read(ABSOLUTE_POS) + new * student);
}

fn launch(average: CubeTensor, student: CubeTensor, decay: f64) -> CubeTensor {
    let client = average.client.clone();
    let in_place = average.can_mut() && average.is_nonoverlapping();
    let moved = match in_place {
        true => average.clone(),
        false => empty_device_dtype(client.clone(), average.device.clone(), average.shape(), average.dtype),
    };
    let [average, student, target] = as_rows([average, student, moved.clone()]);
    // As many values a thread as the order of all memories allows.
    let vector = [&average, &student, &target].map(vector_size).into_iter().min().unwrap_or(1);
    let units = average.meta.num_elements() / vector as usize;
    let dim = CubeDim::new(&client, units);
    let count = calculate_cube_count_elemwise(&client, units, dim);
    let address = [&average, &student, &target].map(CubeTensor::required_address_type).into_iter().max();
    let types = [average.dtype, student.dtype].map(burn::backend::cubecl::dtype_to_storage_type);
    let scalar = |value: f64| InputScalar::new(value, types[0]);
    let student = student.into_linear_view_like(&target);
    let target = match in_place {
        true => target.as_linear_view_alias(0),
        false => target.into_linear_view(),
    };
    average_kernel::launch(
        &client,
        count,
        dim,
        address.unwrap_or_default(),
        vector,
        average.into_linear_view(),
        student,
        target,
        scalar(decay),
        scalar(1.0 - decay),
        types,
    );
    moved
}

/// All tensors as one row each, where all are contiguous: the rows of a 3×3 convolution are too short for vectors.
fn as_rows(tensors: [CubeTensor; 3]) -> [CubeTensor; 3] {
    if !tensors.iter().all(CubeTensor::is_contiguous) {
        return tensors;
    }
    tensors.map(|tensor| {
        let length = Shape::new([tensor.meta.num_elements()]);
        CubeTensor::new_contiguous(tensor.client, tensor.device, length, tensor.handle, tensor.dtype)
    })
}

/// The most values that a thread can take from this memory at a time.
fn vector_size(tensor: &CubeTensor) -> VectorSize {
    let sizes = tensor.client.io_optimized_vector_sizes(tensor.dtype.size());
    tensor_vector_size_parallel(sizes, tensor.meta.shape(), tensor.meta.strides(), tensor.rank() - 1)
}
