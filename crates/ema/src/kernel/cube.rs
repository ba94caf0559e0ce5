//! One CubeCL kernel for many tensors of a module on every GPU, in place where nobody else owns the memory:
//! `d·θ̄ + (1−d)·θ` in the average's type, the student's tensors converted as they are read.
//!
//! A network has many small tensors, and a GPU moves one in less time than a launch takes; so one launch moves up to 32, as
//! far as the device binds as many at once.

// The macros of CubeCL and Burn generate items that are neither documented nor private.
#![allow(missing_docs, unreachable_pub)]

use std::collections::VecDeque;

use burn::backend::fusion::custom::{
    CustomOpIr, HandleContainer, OperationFn, OperationIr, ScalarIr, StreamId, TensorIr,
};
use burn::backend::fusion::{Fusion, FusionBackend, FusionRuntime, FusionTensor};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Cube, DispatchDevice, Scalar, TensorMetadata};
use burn::tensor::{DType, Device, Shape, Tensor};
use burn_cubecl::CubeBackend;
use burn_cubecl::cubecl::prelude::*;
use burn_cubecl::cubecl::std::tensor::layout::linear::{LinearView, LinearViewMut};
use burn_cubecl::cubecl::{self, calculate_cube_count_elemwise, tensor_vector_size_parallel};
use burn_cubecl::kernel::untile;
use burn_cubecl::ops::numeric::empty_device_dtype;
use burn_cubecl::tensor::CubeTensor;

use super::plain::Step;

/// Tensors that wait to be moved by one launch.
pub(super) struct Group {
    decay: f64,
    device: Option<Device>,
    averages: Vec<FloatTensor<Cube>>,
    students: Vec<FloatTensor<Cube>>,
    moved: Moved,
}

/// Tensors that were moved, in the order in which they were taken.
#[derive(Default)]
pub(super) struct Moved(VecDeque<FloatTensor<Cube>>);

impl Moved {
    /// The first tensor that was taken and not given back yet.
    pub(super) fn give_back<const D: usize>(&mut self) -> Option<Tensor<D>> {
        self.0.pop_front().map(Tensor::from_primitive::<Cube>)
    }
}

impl Group {
    pub(super) fn new(decay: f64) -> Self {
        Self { decay, device: None, averages: Vec::new(), students: Vec::new(), moved: Moved::default() }
    }

    /// Takes the average's tensor, where [`moves`] says so, and returns a stand-in.
    pub(super) fn take<const D: usize>(&mut self, average: Tensor<D>, student: Tensor<D>) -> Tensor<D> {
        // A launch runs on one device.
        if self.device.replace(average.device()).is_some_and(|device| device != average.device()) {
            self.launch();
        }
        // The average is not kept, so that its memory may have one owner.
        let own = average.try_into_primitive::<Cube>();
        let (Ok(average), Ok(source)) = (own, student.clone().try_into_primitive::<Cube>()) else {
            unreachable!("tensors of this backend");
        };
        self.averages.push(average);
        self.students.push(source);
        // Any tensor of this rank will do.
        student
    }

    fn launch(&mut self) {
        if !self.averages.is_empty() {
            let (averages, students) = (std::mem::take(&mut self.averages), std::mem::take(&mut self.students));
            self.moved.0.extend(Cube::average(averages, students, self.decay));
        }
    }

    /// Moves everything that was taken.
    pub(super) fn finish(mut self) -> Moved {
        self.launch();
        self.moved
    }
}

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

/// What a backend must have for it. Burn's `backend_extension` takes no lists of tensors, so the call is not dispatched:
/// [`moves`] has seen that the tensors are this backend's.
trait AverageOps: Backend {
    /// `decay·average + (1 − decay)·student` for each average and the student beside it, of the average's shape and type.
    fn average(
        averages: Vec<FloatTensor<Self>>,
        students: Vec<FloatTensor<Self>>,
        decay: f64,
    ) -> Vec<FloatTensor<Self>>;
}

/// With Burn's fusion the call waits in its stream like any other operation.
impl<B: FusionBackend + AverageOps> AverageOps for Fusion<B> {
    fn average(
        averages: Vec<FloatTensor<Self>>,
        students: Vec<FloatTensor<Self>>,
        decay: f64,
    ) -> Vec<FloatTensor<Self>> {
        let Some(client) = averages.first().map(|tensor| tensor.client.clone()) else { return Vec::new() };
        let outputs: Vec<TensorIr> = averages
            .iter()
            .map(|average| TensorIr::uninit(client.create_empty_handle(), average.shape.clone(), average.dtype))
            .collect();
        let (averages, students) = (inputs::<B>(averages), inputs::<B>(students));
        let description = CustomOpIr {
            id: "slowburn_average".to_owned(),
            inputs: averages.iter().chain(&students).cloned().collect(),
            outputs: outputs.clone(),
            scalars: vec![ScalarIr::from(Scalar::from(decay))],
        };
        let run = move |handles: &mut Handles<B>| {
            let mut take = |tensors: &[TensorIr]| tensors.iter().map(|ir| handles.get_float_tensor::<B>(ir)).collect();
            let (averages, students) = (take(&averages), take(&students));
            for (output, moved) in outputs.iter().zip(B::average(averages, students, decay)) {
                handles.register_float_tensor::<B>(&output.id, moved);
            }
            Ok(())
        };
        client.register(StreamId::current(), OperationIr::Custom(description), OperationFn(run))
    }
}

type Handles<B> = HandleContainer<<<B as FusionBackend>::FusionRuntime as FusionRuntime>::FusionHandle>;

fn inputs<B: FusionBackend>(tensors: Vec<FusionTensor<B::FusionRuntime>>) -> Vec<TensorIr> {
    tensors.into_iter().map(FusionTensor::into_ir).collect()
}

impl AverageOps for CubeBackend {
    fn average(averages: Vec<CubeTensor>, students: Vec<CubeTensor>, decay: f64) -> Vec<CubeTensor> {
        let pairs: Vec<Pair> = averages.into_iter().zip(students).map(|(own, other)| Pair::new(own, other)).collect();
        let moved = pairs.iter().map(|pair| pair.moved.clone()).collect();
        let mut alike: Vec<Vec<Pair>> = Vec::new();
        for pair in pairs {
            match alike.iter_mut().find(|pairs| pairs[0].kind() == pair.kind() && pairs.len() < pair.most()) {
                Some(pairs) => pairs.push(pair),
                None => alike.push(vec![pair]),
            }
        }
        alike.into_iter().for_each(|pairs| launch(pairs, decay));
        moved
    }
}

/// How often a unit moves as many values as it can at once.
const TURNS: usize = 8;

/// Tensors that one launch moves at the most: each is code of its own in the kernel.
const MOST: usize = 32;

/// Buffers that a launch binds besides the tensors.
const OTHER_BINDINGS: usize = 4;

/// A tensor of the average with the student's, and where the result goes.
struct Pair {
    average: CubeTensor,
    student: CubeTensor,
    target: CubeTensor,
    /// The result in the average's shape.
    moved: CubeTensor,
    in_place: bool,
    /// Values that a unit takes at once.
    vector: VectorSize,
}

impl Pair {
    fn new(average: CubeTensor, student: CubeTensor) -> Self {
        let (average, student) = (untile(average), untile(student));
        let in_place = average.can_mut() && average.is_nonoverlapping();
        let moved = match in_place {
            true => average.clone(),
            false => empty_device_dtype(average.client.clone(), average.device.clone(), average.shape(), average.dtype),
        };
        let [average, student, target] = as_rows([average, student, moved.clone()]);
        // As many values a unit as the order of all memories allows.
        let vector = [&average, &student, &target].map(vector_size).into_iter().min().unwrap_or(1);
        Self { average, student, target, moved, in_place, vector }
    }

    /// What the pairs of one launch have in common.
    fn kind(&self) -> (DType, VectorSize, bool) {
        (self.student.dtype, self.vector, self.in_place)
    }

    /// How many such pairs the device binds at once.
    fn most(&self) -> usize {
        let bound = self.average.client.properties().hardware.max_bindings as usize;
        let each = if self.in_place { 2 } else { 3 };
        (bound.saturating_sub(OTHER_BINDINGS) / each).clamp(1, MOST)
    }
}

#[cube(launch, address_type = "dynamic")]
fn average_kernel<A: Float, S: Float, N: Size>(
    averages: Sequence<LinearView<'static, Vector<A, N>>>,
    students: Sequence<LinearView<'static, Vector<S, N>>>,
    mut moved: Sequence<LinearViewMut<'static, Vector<A, N>>>,
    // The first cube of each tensor, and the one behind the last.
    firsts: Sequence<u32>,
    // The update as `from + factor·(to − from)`.
    factor: InputScalar,
    #[comptime] from_student: bool,
    #[define(A, S)] _dtypes: [ElemType; 2],
) {
    let factor = Vector::new(factor.get::<A>());
    #[unroll]
    for tensor in 0..averages.len() {
        let first = firsts[tensor] as usize;
        let behind = firsts[tensor + 1] as usize;
        if CUBE_POS >= first && CUBE_POS < behind {
            let start = (CUBE_POS - first) * TURNS * CUBE_DIM as usize + UNIT_POS as usize;
            for turn in 0..TURNS {
                let place = start + turn * CUBE_DIM as usize;
                if moved[tensor].is_in_bounds(place) {
                    let student = Vector::cast_from(students[tensor].read(place));
                    let average = averages[tensor].read(place);
                    let value = if comptime!(from_student) {
                        student + factor * (average - student)
                    } else {
                        average + factor * (student - average)
                    };
                    moved.index_mut(tensor).write(place, value);
                }
            }
        }
    }
}

/// Moves pairs of one kind.
fn launch(pairs: Vec<Pair>, decay: f64) {
    let Some(Pair { average, student, vector, .. }) = pairs.first() else { return };
    let (client, vector) = (average.client.clone(), *vector);
    let types = [average.dtype, student.dtype].map(burn::backend::cubecl::dtype_to_storage_type);
    let units = |pair: &Pair| pair.average.meta.num_elements() / vector as usize;
    let dim = CubeDim::new(&client, pairs.iter().map(units).max().unwrap_or(1));
    let mut firsts = vec![0];
    for pair in &pairs {
        let cubes = units(pair).div_ceil(TURNS * dim.num_elems() as usize);
        firsts.push(firsts[firsts.len() - 1] + cubes as u32);
    }
    let cubes = firsts[pairs.len()] as usize;
    let count = calculate_cube_count_elemwise(&client, cubes * dim.num_elems() as usize, dim);
    let tensors = pairs.iter().flat_map(|pair| [&pair.average, &pair.student, &pair.target]);
    let address = tensors.map(CubeTensor::required_address_type).max().unwrap_or_default();
    let step = Step::new(decay);
    let (mut averages, mut students, mut moved) = (SequenceArg::new(), SequenceArg::new(), SequenceArg::new());
    for (place, pair) in pairs.into_iter().enumerate() {
        let Pair { average, student, target, in_place, .. } = pair;
        averages.push(average.into_linear_view());
        students.push(student.into_linear_view_like(&target));
        moved.push(match in_place {
            true => target.as_linear_view_alias(place),
            false => target.into_linear_view(),
        });
    }
    average_kernel::launch(
        &client,
        count,
        dim,
        address,
        vector,
        averages,
        students,
        moved,
        firsts.into_iter().collect(),
        InputScalar::new(step.factor, types[0]),
        step.from_student,
        types,
    );
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

/// The most values that a unit can take from this memory at a time.
fn vector_size(tensor: &CubeTensor) -> VectorSize {
    let sizes = tensor.client.io_optimized_vector_sizes(tensor.dtype.size());
    tensor_vector_size_parallel(sizes, tensor.meta.shape(), tensor.meta.strides(), tensor.rank() - 1)
}
