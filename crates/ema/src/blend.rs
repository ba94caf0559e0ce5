//! One update of an average in plain tensor operations: `θ̄ ← d·θ̄ + (1−d)·θ`.

use std::collections::HashSet;

use burn::module::{ModuleMapper, Param};
use burn::tensor::{Bool, Int, Tensor};

use crate::detach::alongside;
use crate::path::{Path, Tensors};
use crate::{Buffers, Error};

/// Checks that the student has just the tensors of the average, each of the same shape.
pub(crate) fn check(average: &Tensors, student: &Tensors) -> Result<(), Error> {
    if let Some(path) = student.entries.keys().find(|path| !average.entries.contains_key(*path)) {
        return Err(Error::Unknown { path: path.clone() });
    }
    for (path, entry) in &average.entries {
        let Some(other) = student.entries.get(path) else {
            return Err(Error::Missing { path: path.clone() });
        };
        if other.shape != entry.shape {
            return Err(Error::Shape {
                path: path.clone(),
                student: other.shape.clone(),
                average: entry.shape.clone(),
            });
        }
    }
    Ok(())
}

/// Blends the student's tensors into those of the average that it maps.
pub(crate) struct Blend<'a> {
    pub(crate) student: Tensors,
    pub(crate) decay: f64,
    pub(crate) buffers: Buffers,
    pub(crate) buffer_paths: &'a HashSet<String>,
    pub(crate) path: Path,
}

impl Blend<'_> {
    /// The student's tensor here, unless the policy leaves this one alone; with it, whether to average or to copy.
    fn source<T: Clone + 'static>(&self, averages: bool) -> Option<(T, bool)> {
        let path = self.path.joined();
        let averaged = match (self.buffer_paths.contains(&path) || !averages, self.buffers) {
            (false, _) => true,
            (true, Buffers::Own) => return None,
            (true, Buffers::Copy) => false,
            (true, Buffers::Average) => averages,
        };
        self.student.entries.get(&path)?.tensor().map(|tensor| (tensor, averaged))
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
        let Some((student, averaged)) = self.source::<Tensor<D>>(true) else {
            return param;
        };
        param.map(|average| {
            let strategy = average.gradient_checkpointing_strategy();
            let average = average.without_autodiff();
            // The average's type, not the student's: (1−d)·θ vanishes in half precision.
            let student = student.without_autodiff().to_device(&average.device()).cast(average.dtype());
            let blended = match averaged {
                true => average.mul_scalar(self.decay) + student.mul_scalar(1.0 - self.decay),
                false => student,
            };
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
