//! One pass over all weights and all cores on Burn's CPU backend, in place where nobody else owns the memory.

use std::collections::VecDeque;

use burn::backend::Flex;
use burn::backend::tensor::FloatTensor;
use burn::tensor::{DType, Tensor, bf16, f16};
use rayon::prelude::*;

use super::plain;

/// Weights that a core moves at a time: 128 KiB of the average and as much of the student stay in its cache.
const PIECE: usize = 1 << 15;

/// Tensors taken from a module, to be moved at once and put back in the order of its traversal.
///
/// At once, because a network has many small tensors: cores that are woken for each are never all at work.
#[derive(Default)]
pub(crate) struct Moves {
    /// One for each float tensor of the traversal; none where it was left in the module.
    taken: VecDeque<Option<Move>>,
}

struct Move {
    average: FloatTensor<Flex>,
    student: FloatTensor<Flex>,
}

impl Moves {
    /// Whether the module still has all its tensors.
    pub(crate) fn is_empty(&self) -> bool {
        self.taken.iter().all(Option::is_none)
    }

    /// Leaves a tensor in the module.
    pub(crate) fn skip(&mut self) {
        self.taken.push_back(None);
    }

    /// Takes the average's tensor and returns a stand-in, or returns it moved where this kernel is not for it.
    pub(crate) fn take<const D: usize>(&mut self, average: Tensor<D>, student: Tensor<D>, decay: f64) -> Tensor<D> {
        let readable = |dtype| matches!(dtype, DType::F32 | DType::F16 | DType::BF16);
        if average.dtype() == DType::F32
            && readable(student.dtype())
            && let (Ok(own), Ok(source)) =
                (average.clone().try_into_primitive::<Flex>(), student.clone().try_into_primitive::<Flex>())
        {
            self.taken.push_back(Some(Move { average: own, student: contiguous(source) }));
            // Any tensor of this rank does. With `average` dropped, the memory may have one owner.
            return student;
        }
        self.skip();
        plain::average(average, student, decay)
    }

    /// Moves every tensor taken.
    pub(crate) fn run(&mut self, decay: f64) {
        let mut pieces = Vec::new();
        for Move { average, student } in self.taken.iter_mut().flatten() {
            if average.layout().contiguous_offsets().is_none() {
                *average = average.to_contiguous();
            }
            let Some((start, end)) = average.layout().contiguous_offsets() else {
                unreachable!("made contiguous above");
            };
            // Copies first where another owner must not see the change.
            let average = &mut average.storage_mut::<f32>()[start..end];
            cut(average, student, &mut pieces);
        }
        // As `mul_scalar` rounds them, so that kernel and plain operations agree in every bit.
        let (old, new) = (decay as f32, (1.0 - decay) as f32);
        let weights: usize = pieces.iter().map(|piece| piece.average.len()).sum();
        match weights > PIECE {
            true => pieces.into_par_iter().for_each(|piece| piece.mix(old, new)),
            false => pieces.into_iter().for_each(|piece| piece.mix(old, new)),
        }
    }

    /// The tensor that the traversal is at, if it was taken.
    pub(crate) fn give_back<const D: usize>(&mut self) -> Option<Tensor<D>> {
        let moved = self.taken.pop_front().flatten()?;
        Some(Tensor::from_primitive::<Flex>(moved.average))
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

fn contiguous(tensor: FloatTensor<Flex>) -> FloatTensor<Flex> {
    match tensor.layout().contiguous_offsets() {
        Some(_) => tensor,
        None => tensor.to_contiguous(),
    }
}

/// Cuts a tensor and the student's contiguous one into pieces.
fn cut<'a>(average: &'a mut [f32], student: &'a FloatTensor<Flex>, pieces: &mut Vec<Piece<'a>>) {
    let Some((start, end)) = student.layout().contiguous_offsets() else {
        unreachable!("made contiguous when it was taken");
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
    fn mix(self, old: f32, new: f32) {
        match self.student {
            Source::F32(student) => mix(self.average, student, old, new, |value| value),
            Source::F16(student) => mix(self.average, student, old, new, f16::to_f32),
            Source::BF16(student) => mix(self.average, student, old, new, bf16::to_f32),
        }
    }
}

/// `θ̄ ← d·θ̄ + (1−d)·θ`.
fn mix<T: Copy>(average: &mut [f32], student: &[T], old: f32, new: f32, widen: impl Fn(T) -> f32) {
    for (average, &student) in average.iter_mut().zip(student) {
        *average = old * *average + new * widen(student);
    }
}
