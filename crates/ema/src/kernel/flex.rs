//! One parallel pass over all weights on Burn's CPU backend, in place where nobody else owns the memory.

use std::collections::VecDeque;

use burn::backend::tensor::FloatTensor;
use burn::backend::{DispatchDevice, Flex};
use burn::tensor::{DType, Tensor, bf16, f16};
use rayon::prelude::*;

use super::plain::Step;

/// Weights that a core moves at a time: 128 KiB of the average and as much of the student stay in its cache.
const PIECE: usize = 1 << 15;

/// Weights that are worth waking another core for.
const WORTH_A_CORE: usize = 4 * PIECE;

/// Whether this kernel moves such an average towards such a student.
pub(super) fn moves<const D: usize>(average: &Tensor<D>, student: &Tensor<D>) -> bool {
    let here = |tensor: &Tensor<D>| matches!(tensor.device().as_dispatch(), DispatchDevice::Flex(_));
    average.dtype() == DType::F32
        && matches!(student.dtype(), DType::F32 | DType::F16 | DType::BF16)
        && here(average)
        && here(student)
}

/// Tensors that wait to be moved together.
pub(super) struct Pairs {
    decay: f64,
    pairs: Vec<Pair>,
}

struct Pair {
    average: FloatTensor<Flex>,
    student: FloatTensor<Flex>,
}

/// Tensors that were moved, in the order in which they were taken.
pub(super) struct Moved(VecDeque<FloatTensor<Flex>>);

impl Moved {
    /// The first tensor that was taken and not given back yet.
    pub(super) fn give_back<const D: usize>(&mut self) -> Option<Tensor<D>> {
        self.0.pop_front().map(Tensor::from_primitive::<Flex>)
    }
}

impl Pairs {
    pub(super) fn new(decay: f64) -> Self {
        Self { decay, pairs: Vec::new() }
    }

    /// Takes the average's tensor, where [`moves`] says so, and returns a stand-in.
    pub(super) fn take<const D: usize>(&mut self, average: Tensor<D>, student: Tensor<D>) -> Tensor<D> {
        // The average is not kept, so that its memory may have one owner when it is moved.
        let own = average.try_into_primitive::<Flex>();
        let (Ok(average), Ok(source)) = (own, student.clone().try_into_primitive::<Flex>()) else {
            unreachable!("tensors of this backend");
        };
        self.pairs.push(Pair { average, student: source });
        // Any tensor of this rank will do.
        student
    }

    /// Moves everything that was taken.
    pub(super) fn finish(mut self) -> Moved {
        let mut pieces = Vec::new();
        for Pair { average, student } in &mut self.pairs {
            for tensor in [&mut *average, &mut *student] {
                if tensor.layout().contiguous_offsets().is_none() {
                    *tensor = tensor.to_contiguous();
                }
            }
            let Some((start, end)) = average.layout().contiguous_offsets() else {
                unreachable!("made contiguous above");
            };
            // Copies first where another owner must not see the change.
            let average = &mut average.storage_mut::<f32>()[start..end];
            cut(average, student, &mut pieces);
        }
        let step = Step::new(self.decay);
        let weights: usize = pieces.iter().map(|piece| piece.average.len()).sum();
        match weights < WORTH_A_CORE {
            true => pieces.into_iter().for_each(|piece| piece.mix(step)),
            false => pieces.into_par_iter().for_each(|piece| piece.mix(step)),
        }
        Moved(self.pairs.into_iter().map(|pair| pair.average).collect())
    }
}

/// Part of a tensor and of the student's.
struct Piece<'a> {
    average: &'a mut [f32],
    student: Source<'a>,
}

enum Source<'a> {
    F32(&'a [f32]),
    F16(&'a [f16]),
    BF16(&'a [bf16]),
}

/// Cuts a tensor and the student's contiguous one into pieces.
fn cut<'a>(average: &'a mut [f32], student: &'a FloatTensor<Flex>, pieces: &mut Vec<Piece<'a>>) {
    let Some((start, end)) = student.layout().contiguous_offsets() else {
        unreachable!("made contiguous by the caller");
    };
    let average = average.chunks_mut(PIECE);
    match student.dtype() {
        DType::F16 => {
            let student = student.storage::<f16>()[start..end].chunks(PIECE).map(Source::F16);
            pieces.extend(average.zip(student).map(|(average, student)| Piece { average, student }));
        }
        DType::BF16 => {
            let student = student.storage::<bf16>()[start..end].chunks(PIECE).map(Source::BF16);
            pieces.extend(average.zip(student).map(|(average, student)| Piece { average, student }));
        }
        _ => {
            let student = student.storage::<f32>()[start..end].chunks(PIECE).map(Source::F32);
            pieces.extend(average.zip(student).map(|(average, student)| Piece { average, student }));
        }
    }
}

impl Piece<'_> {
    fn mix(self, step: Step) {
        match self.student {
            Source::F32(student) => mix(self.average, student, step, |value| value),
            Source::F16(student) => mix(self.average, student, step, f16::to_f32),
            Source::BF16(student) => mix(self.average, student, step, bf16::to_f32),
        }
    }
}

/// `θ̄ ← d·θ̄ + (1−d)·θ`.
fn mix<T: Copy>(average: &mut [f32], student: &[T], step: Step, widen: impl Fn(T) -> f32) {
    // As `mul_scalar` rounds it, so that kernel and plain operations agree in every bit.
    let factor = step.factor as f32;
    let pairs = average.iter_mut().zip(student.iter().map(|&student| widen(student)));
    match step.from_student {
        true => pairs.for_each(|(average, student)| *average = student + factor * (*average - student)),
        false => pairs.for_each(|(average, student)| *average += factor * (student - *average)),
    }
}
