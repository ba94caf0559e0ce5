//! One update of an average: `θ̄ ← d·θ̄ + (1−d)·θ`, tensor by tensor.

use std::collections::HashSet;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Bool, Int, Tensor};

use crate::detach::alongside;
use crate::kernel::{Moved, Moves, plain};
use crate::path::{Path, Tensors};
use crate::{Buffers, EmaError};

/// What keeps an average from following a student: a tensor that only one has, or has in another shape.
///
/// The first in the order of the paths, the same every time; `None` if there is no difference.
pub(crate) fn difference(average: &Tensors, student: &Tensors) -> Option<EmaError> {
    if average.is_like(student) {
        return None;
    }
    let (average, student) = (average.by_path(), student.by_path());
    if let Some(path) = student.keys().find(|path| !average.contains_key(*path)) {
        return Some(EmaError::Unknown { path: path.to_string() });
    }
    average.into_iter().find_map(|(path, average)| match student.get(path) {
        None => Some(EmaError::Missing { path: path.to_owned() }),
        Some(student) if student.shape != average.shape => Some(EmaError::Shape {
            path: path.to_owned(),
            student: student.shape.clone(),
            average: average.shape.clone(),
        }),
        Some(_) => None,
    })
}

/// How to blend: the decay of this update and the average's policy.
pub(crate) struct Blending<'a> {
    pub(crate) decay: f64,
    pub(crate) buffers: Buffers,
    pub(crate) buffer_paths: &'a HashSet<String>,
}

/// Moves the average towards the student's tensors, which have no [`difference`].
pub(crate) fn blend<M: Module>(average: M, mut student: Tensors, how: Blending<'_>) -> M {
    let moves = Moves::new(how.decay);
    let mut blend = Blend { student: &mut student, at: 0, how, path: Path::default(), moves };
    let average = average.map(&mut blend);
    let moved = blend.moves.finish();
    match moved.is_empty() {
        true => average,
        false => average.map(&mut PutBack { moved }),
    }
}

/// Blends the student's tensors into those of the average that it maps, or hands both to a kernel.
struct Blend<'a> {
    student: &'a mut Tensors,
    /// Tensors mapped so far.
    at: usize,
    how: Blending<'a>,
    path: Path,
    moves: Moves,
}

/// What to do with a tensor of the average.
enum Role {
    Weight,
    Average,
    Copy,
}

impl Blend<'_> {
    /// The student's tensor here, unless the policy leaves this one alone; with it, what to do.
    fn source<T: Clone + 'static>(&mut self, averages: bool) -> Option<(T, Role)> {
        let path = self.path.joined();
        let at = self.at;
        self.at += 1;
        let entry = self.student.find(path, at)?;
        let role = match (self.how.buffer_paths.contains(path) || !averages, self.how.buffers) {
            (false, _) => Role::Weight,
            (true, Buffers::Own) => return None,
            (true, Buffers::Copy) => Role::Copy,
            (true, Buffers::Average) if averages => Role::Average,
            (true, Buffers::Average) => Role::Copy,
        };
        entry.take().map(|tensor| (tensor, role))
    }
}

impl ModuleMapper for Blend<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.enter(name);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some((student, role)) = self.source::<Tensor<D>>(true) else {
            self.moves.skip();
            return param;
        };
        let (moves, decay) = (&mut self.moves, self.how.decay);
        param.map(|average| {
            let strategy = average.gradient_checkpointing_strategy();
            let (average, student) = (average.without_autodiff(), student.without_autodiff());
            let blended = match role {
                // Only the mapper may see a stand-in for running statistics that a clone shares.
                Role::Weight => return moves.take(average, student, strategy),
                Role::Average => plain::average(average, student, decay),
                Role::Copy => plain::beside(student, &average),
            };
            moves.skip();
            alongside(blended, strategy)
        })
    }

    fn map_int<const D: usize>(&mut self, param: Param<Tensor<D, Int>>) -> Param<Tensor<D, Int>> {
        match self.source::<Tensor<D, Int>>(false) {
            Some((student, _)) => param.map(|own| student.to_device(&own.device())),
            None => param,
        }
    }

    fn map_bool<const D: usize>(&mut self, param: Param<Tensor<D, Bool>>) -> Param<Tensor<D, Bool>> {
        match self.source::<Tensor<D, Bool>>(false) {
            Some((student, _)) => param.map(|own| student.to_device(&own.device())),
            None => param,
        }
    }
}

/// Puts what a kernel has moved in place of its stand-ins.
struct PutBack {
    moved: Moved,
}

impl ModuleMapper for PutBack {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match self.moved.give_back::<D>() {
            Some(tensor) => param.map(|_| tensor),
            None => param,
        }
    }
}
