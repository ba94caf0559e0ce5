//! The average in plain tensor operations: for every backend, and what a kernel must equal.

use burn::tensor::Tensor;

/// `d·θ̄ + (1−d)·θ`, in the average's type and on its device, as a step from the nearer of the two to the other.
///
/// `d` and `1−d` rounded apart do not sum to 1, and 10⁵ updates add up what is missing; a step has one factor. With d = 0
/// the student comes out, and with d = 1 the average, in every bit.
pub(crate) fn average<const D: usize>(average: Tensor<D>, student: Tensor<D>, decay: f64) -> Tensor<D> {
    let student = beside(student, &average);
    match Step::new(decay) {
        Step { from_student: true, factor } => student.clone() + (average - student).mul_scalar(factor),
        Step { from_student: false, factor } => average.clone() + (student - average).mul_scalar(factor),
    }
}

/// An update as `from + factor·(to − from)`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    /// Whether it starts at the student and moves towards the average.
    pub(crate) from_student: bool,
    /// At most ½.
    pub(crate) factor: f64,
}

impl Step {
    /// The update with this decay.
    pub(crate) fn new(decay: f64) -> Self {
        let from_student = decay < 0.5;
        Self { from_student, factor: if from_student { decay } else { 1.0 - decay } }
    }
}

/// The student's tensor in the average's type, not the student's: (1−d)·θ vanishes in half precision.
pub(crate) fn beside<const D: usize>(student: Tensor<D>, average: &Tensor<D>) -> Tensor<D> {
    student.to_device(&average.device()).cast(average.dtype())
}
