//! One update of an average: `θ̄ ← d·θ̄ + (1−d)·θ`, tensor by tensor.

use std::collections::{BTreeMap, HashSet};

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Bool, Int, Tensor};

use crate::detach::alongside;
use crate::kernel::{Moves, among_workers, plain};
use crate::path::{Entry, Path, SameAs, Tensors};
use crate::{Buffers, Error};

/// Checks that the student has just the tensors of the average, each of the same shape.
pub(crate) fn check<M: Module>(average: &M, student: &Tensors) -> Result<(), Error> {
    if SameAs::check(average, student) {
        return Ok(());
    }
    let average = Tensors::of(average);
    let sorted = |tensors: &'_ Tensors| -> BTreeMap<String, burn::tensor::Shape> {
        tensors.entries.iter().map(|entry| (entry.path.clone(), entry.shape.clone())).collect()
    };
    // In the order of the paths: the same error every time.
    let (average, student) = (sorted(&average), sorted(student));
    if let Some(path) = student.keys().find(|path| !average.contains_key(*path)) {
        return Err(Error::Unknown { path: path.clone() });
    }
    for (path, average) in average {
        match student.get(&path) {
            None => return Err(Error::Missing { path }),
            Some(student) if *student != average => {
                return Err(Error::Shape { path, student: student.clone(), average });
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// Moves the average towards the student's tensors.
pub(crate) fn blend<M: Module>(
    average: M,
    student: Tensors,
    decay: f64,
    buffers: Buffers,
    buffer_paths: &HashSet<String>,
) -> M {
    among_workers(student.device.clone(), || {
        let (path, moves) = (Path::default(), Moves::new(decay));
        let mut blend = Blend { student, at: 0, decay, buffers, buffer_paths, path, moves };
        let average = average.map(&mut blend);
        if blend.moves.is_empty() {
            return average;
        }
        blend.moves.finish();
        average.map(&mut PutBack { moves: blend.moves })
    })
}

/// Blends the student's tensors into those of the average that it maps, or hands both to a kernel.
struct Blend<'a> {
    student: Tensors,
    /// Tensors mapped so far.
    at: usize,
    decay: f64,
    buffers: Buffers,
    buffer_paths: &'a HashSet<String>,
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
        let role = match (self.buffer_paths.contains(path) || !averages, self.buffers) {
            (false, _) => Role::Weight,
            (true, Buffers::Own) => return None,
            (true, Buffers::Copy) => Role::Copy,
            (true, Buffers::Average) if averages => Role::Average,
            (true, Buffers::Average) => Role::Copy,
        };
        let tensor = self.student.find(path, at).and_then(Entry::take)?;
        Some((tensor, role))
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
        let (moves, decay) = (&mut self.moves, self.decay);
        param.map(|average| {
            let strategy = average.gradient_checkpointing_strategy();
            let (average, student) = (average.without_autodiff(), student.without_autodiff());
            let blended = match role {
                // Of a clone's running statistics nobody but the mapper may see a stand-in.
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

/// Puts what a kernel has moved in the place of its stand-ins.
struct PutBack {
    moves: Moves,
}

impl ModuleMapper for PutBack {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match self.moves.give_back::<D>() {
            Some(moved) => param.map(|_| moved),
            None => param,
        }
    }
}
