//! One pass over all weights and all cores on Burn's CPU backend, in place where nobody else owns the memory.
//!
//! The other cores are at work while one still traverses the module: tensors go to them in loads as they are found, and
//! are waited for only when they are put back. A network has many small tensors, and finding them all takes a tenth of
//! the time that moving them takes.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, channel};

use burn::backend::tensor::FloatTensor;
use burn::backend::{DispatchDevice, Flex};
use burn::tensor::{DType, Tensor, bf16, f16};
use rayon::Scope;
use rayon::prelude::*;

use super::plain::Step;

/// Weights that a core moves at a time: 128 KiB of the average and as much of the student stay in its cache.
const PIECE: usize = 1 << 15;

/// Weights that are worth waking a core for.
const LOAD: usize = 4 * PIECE;

/// Whether this kernel moves such an average towards such a student.
pub(super) fn moves<const D: usize>(average: &Tensor<D>, student: &Tensor<D>) -> bool {
    let here = |tensor: &Tensor<D>| matches!(tensor.device().as_dispatch(), DispatchDevice::Flex(_));
    average.dtype() == DType::F32
        && matches!(student.dtype(), DType::F32 | DType::F16 | DType::BF16)
        && here(average)
        && here(student)
}

/// Tensors taken from a module, to be moved by the threads of a scope.
pub(super) struct Loads<'a> {
    decay: f64,
    scope: &'a Scope<'static>,
    /// Whether the traversal is on a thread of the pool: it must not wait for the others, which may wait for it.
    in_pool: bool,
    /// Tensors that wait until there are enough of them.
    load: Vec<Move>,
    /// Weights of that load.
    weights: usize,
    /// Loads before it.
    number: usize,
    done: (Sender<Done>, Receiver<Done>),
}

struct Move {
    average: FloatTensor<Flex>,
    student: FloatTensor<Flex>,
}

/// A load that was moved, with its number.
struct Done {
    number: usize,
    averages: VecDeque<FloatTensor<Flex>>,
}

impl<'a> Loads<'a> {
    pub(super) fn new(decay: f64, scope: &'a Scope<'static>) -> Self {
        let in_pool = rayon::current_thread_index().is_some();
        Self { decay, scope, in_pool, load: Vec::new(), weights: 0, number: 0, done: channel() }
    }

    /// Takes the average's tensor, where [`moves`] says so, and returns a stand-in.
    pub(super) fn take<const D: usize>(&mut self, average: Tensor<D>, student: Tensor<D>) -> Tensor<D> {
        // The average is not kept, so that its memory may have one owner when the load is moved.
        let own = average.try_into_primitive::<Flex>();
        let (Ok(average), Ok(source)) = (own, student.clone().try_into_primitive::<Flex>()) else {
            unreachable!("tensors of this backend");
        };
        self.weights += average.layout().num_elements();
        self.load.push(Move { average, student: source });
        if self.weights >= LOAD {
            self.send();
        }
        // Any tensor of this rank does.
        student
    }

    /// Has another thread move what was taken since the last time.
    fn send(&mut self) {
        let (decay, number, done) = (self.decay, self.number, self.done.0.clone());
        let load = std::mem::take(&mut self.load);
        self.weights = 0;
        self.number += 1;
        // Nobody receives if the traversal has panicked; then nobody needs it either.
        let work = move || drop(done.send(Done { number, averages: run(load, decay) }));
        match self.in_pool {
            true => work(),
            false => self.scope.spawn(|_| work()),
        }
    }

    /// Moves the rest on this thread.
    pub(super) fn finish(self) -> Moved {
        let next = Done { number: self.number, averages: run(self.load, self.decay) };
        // With the other sender gone, a thread that panics cannot be waited for.
        Moved { turn: 0, next: VecDeque::new(), early: vec![next], done: self.done.1 }
    }
}

/// Tensors that the threads of a scope have moved or are moving.
pub(super) struct Moved {
    /// The load whose turn it is.
    turn: usize,
    /// Moved tensors of the load before it.
    next: VecDeque<FloatTensor<Flex>>,
    /// Loads that came before their turn.
    early: Vec<Done>,
    done: Receiver<Done>,
}

impl Moved {
    /// The first tensor that was taken and not given back yet, as soon as it has been moved.
    pub(super) fn give_back<const D: usize>(&mut self) -> Option<Tensor<D>> {
        while self.next.is_empty() {
            self.next = self.wait()?.averages;
            self.turn += 1;
        }
        self.next.pop_front().map(Tensor::from_primitive::<Flex>)
    }

    /// The load whose turn it is; none if its thread has panicked, which the end of the scope will say.
    fn wait(&mut self) -> Option<Done> {
        loop {
            if let Some(place) = self.early.iter().position(|done| done.number == self.turn) {
                return Some(self.early.swap_remove(place));
            }
            self.early.push(self.done.recv().ok()?);
        }
    }
}

/// Moves every tensor of a load.
fn run(mut load: Vec<Move>, decay: f64) -> VecDeque<FloatTensor<Flex>> {
    let mut pieces = Vec::new();
    for Move { average, student } in &mut load {
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
    let step = Step::new(decay);
    let weights: usize = pieces.iter().map(|piece| piece.average.len()).sum();
    if weights < LOAD {
        pieces.into_iter().for_each(|piece| piece.mix(step));
    } else {
        pieces.into_par_iter().for_each(|piece| piece.mix(step));
    }
    load.into_iter().map(|moved| moved.average).collect()
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
