//! The average in plain tensor operations: for every backend, and what a kernel must equal.

use burn::tensor::Tensor;

/// `d·θ̄ + (1−d)·θ`, in the average's type and on its device.
pub(crate) fn average<const D: usize>(average: Tensor<D>, student: Tensor<D>, decay: f64) -> Tensor<D> {
    let student = beside(student, &average);
    average.mul_scalar(decay) + student.mul_scalar(1.0 - decay)
}

/// The student's tensor in the average's type, not the student's: (1−d)·θ vanishes in half precision.
pub(crate) fn beside<const D: usize>(student: Tensor<D>, average: &Tensor<D>) -> Tensor<D> {
    student.to_device(&average.device()).cast(average.dtype())
}
