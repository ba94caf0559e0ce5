//! One pass over all weights and all cores on Burn's CPU backend, in place where nobody else owns the memory.
//!
//! The other cores are at work while one still traverses the module: tensors go to them in loads as they are found, and
//! are waited for only when they are put back. A network has many small tensors, and finding them all takes a tenth of
//! the time that moving them takes.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, channel};

use burn::backend::tensor::FloatTensor;
use burn::backend::{DispatchDevice, Flex};
use burn::tensor::{DType, Device, Tensor, bf16, f16};
use rayon::prelude::*;

use crate::detach::{Strategy, alongside};

/// Weights that a core moves at a time: 128 KiB of the average and as much of the student stay in its cache.
const PIECE: usize = 1 << 15;

/// Weights that are worth waking a core for.
const LOAD: usize = 4 * PIECE;

/// Does what traverses a module on this device: with this backend on one of the threads that move tensors, which are as
/// many as cores and none of which waits; with another where it is, since the kernels of a GPU queue by thread.
pub(crate) fn among_workers<R: Send>(device: Option<Device>, work: impl FnOnce() -> R + Send) -> R {
    let device = device.map(Device::without_autodiff);
    match device.as_ref().map(Device::as_dispatch) {
        Some(DispatchDevice::Flex(_)) => rayon::scope(|_| work()),
        _ => work(),
    }
}

/// Tensors taken from a module, to be moved by any thread and put back in the order of its traversal.
pub(crate) struct Moves {
    decay: f64,
    /// For each float tensor of the traversal, whether it was taken, and how it is to be put back.
    taken: VecDeque<Option<Strategy>>,
    /// Tensors that wait until there are enough of them.
    load: Vec<Move>,
    /// Weights of that load.
    weights: usize,
    /// Loads that were sent away.
    sent: usize,
    done: (Sender<Done>, Receiver<Done>),
    /// Loads that came back out of turn.
    early: Vec<Done>,
    /// Moved tensors that are next in turn.
    next: VecDeque<FloatTensor<Flex>>,
    /// The load behind them.
    turn: usize,
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

impl Moves {
    /// Nothing yet.
    pub(crate) fn new(decay: f64) -> Self {
        Self {
            decay,
            taken: VecDeque::new(),
            load: Vec::new(),
            weights: 0,
            sent: 0,
            done: channel(),
            early: Vec::new(),
            next: VecDeque::new(),
            turn: 0,
        }
    }

    /// Whether the module still has all its tensors.
    pub(crate) fn is_empty(&self) -> bool {
        self.taken.iter().all(Option::is_none)
    }

    /// Leaves a tensor in the module.
    pub(crate) fn skip(&mut self) {
        self.taken.push_back(None);
    }

    /// Takes the average's tensor and returns a stand-in, or returns it moved where this kernel is not for it. It goes
    /// back on autodiff as `strategy` says.
    pub(crate) fn take<const D: usize>(
        &mut self,
        average: Tensor<D>,
        student: Tensor<D>,
        strategy: Strategy,
    ) -> Tensor<D> {
        let readable = |dtype| matches!(dtype, DType::F32 | DType::F16 | DType::BF16);
        if average.dtype() == DType::F32
            && readable(student.dtype())
            && let (Ok(own), Ok(source)) =
                (average.clone().try_into_primitive::<Flex>(), student.clone().try_into_primitive::<Flex>())
        {
            // With `average` dropped, the memory may have one owner when the load is moved.
            drop(average);
            self.taken.push_back(Some(strategy));
            self.weights += own.layout().num_elements();
            self.load.push(Move { average: own, student: source });
            if self.weights >= LOAD {
                self.send();
            }
            // Any tensor of this rank does.
            return student;
        }
        self.skip();
        alongside(super::average(average, student, self.decay), strategy)
    }

    /// Has any thread move what was taken since the last time.
    fn send(&mut self) {
        let (decay, number, done) = (self.decay, self.sent, self.done.0.clone());
        let load = std::mem::take(&mut self.load);
        self.weights = 0;
        self.sent += 1;
        // Nobody receives if the traversal has panicked; then nobody needs it either.
        rayon::spawn_fifo(move || drop(done.send(Done { number, averages: run(load, decay) })));
    }

    /// Has everything moved that was taken; at once, where it is little.
    pub(crate) fn finish(&mut self) {
        match self.sent {
            0 => self.next = run(std::mem::take(&mut self.load), self.decay),
            _ if self.load.is_empty() => {}
            _ => self.send(),
        }
    }

    /// The tensor that the traversal is at, if it was taken.
    pub(crate) fn give_back<const D: usize>(&mut self) -> Option<Tensor<D>> {
        let strategy = self.taken.pop_front()??;
        if self.next.is_empty() && self.turn < self.sent {
            self.next = self.wait(self.turn).averages;
            self.turn += 1;
        }
        Some(alongside(Tensor::from_primitive::<Flex>(self.next.pop_front()?), strategy))
    }

    /// The load of that number; until it is there, this thread moves others.
    fn wait(&mut self, number: usize) -> Done {
        loop {
            self.early.extend(self.done.1.try_iter());
            if let Some(place) = self.early.iter().position(|done| done.number == number) {
                return self.early.swap_remove(place);
            }
            if rayon::yield_now() != Some(rayon::Yield::Executed) {
                std::thread::yield_now();
            }
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
    // As `mul_scalar` rounds them, so that kernel and plain operations agree in every bit.
    let (old, new) = (decay as f32, (1.0 - decay) as f32);
    pieces.into_par_iter().for_each(|piece| piece.mix(old, new));
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
