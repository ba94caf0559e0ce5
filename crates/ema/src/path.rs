//! Parameters by path: the traversals that the average is built from.

use std::any::Any;
use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::{Bool, Int, Shape, Tensor};

/// The dotted path of the parameter that a traversal is at, such as `layer1.0.conv1.weight`.
#[derive(Debug, Default)]
pub(crate) struct Path {
    joined: String,
    /// How long the path was on entering each module that the traversal is in.
    lengths: Vec<usize>,
}

impl Path {
    pub(crate) fn enter(&mut self, name: &str) {
        self.lengths.push(self.joined.len());
        if self.lengths.len() > 1 {
            self.joined.push('.');
        }
        self.joined.push_str(name);
    }

    pub(crate) fn exit(&mut self) {
        self.joined.truncate(self.lengths.pop().unwrap_or(0));
    }

    pub(crate) fn joined(&self) -> &str {
        &self.joined
    }
}

/// Any tensor of a module, its rank and kind erased.
pub(crate) struct Entry {
    /// Where its path is among all paths.
    path: Range<usize>,
    pub(crate) id: ParamId,
    pub(crate) shape: Shape,
    tensor: Option<Box<dyn Any>>,
}

impl Entry {
    /// The tensor, if it has the rank and kind asked for; it can be taken once.
    pub(crate) fn take<T: Any>(&mut self) -> Option<T> {
        Some(*self.tensor.take()?.downcast::<T>().ok()?)
    }
}

/// All tensors of a module in the order of a traversal.
#[derive(Default)]
pub(crate) struct Tensors {
    /// In one buffer: an allocation for each would cost as much as the rest of the traversal.
    paths: String,
    entries: Vec<Entry>,
}

impl Tensors {
    pub(crate) fn of<M: Module>(module: &M) -> Self {
        Self::collect(module, |_| true)
    }

    /// The same without the values of the tensors at these paths.
    pub(crate) fn but_for<M: Module>(paths: &HashSet<String>, module: &M) -> Self {
        Self::collect(module, |path| !paths.contains(path))
    }

    /// All tensors without their values.
    pub(crate) fn shapes<M: Module>(module: &M) -> Self {
        Self::collect(module, |_| false)
    }

    fn collect<M: Module>(module: &M, wanted: impl Fn(&str) -> bool) -> Self {
        let mut collect = Collect { wanted, path: Path::default(), tensors: Self::default() };
        module.visit(&mut collect);
        collect.tensors
    }

    /// Whether the other has the same paths and shapes in the same order.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let alike = |(own, other): (&Entry, &Entry)| own.path == other.path && own.shape == other.shape;
        let pairs = || self.entries.iter().zip(&other.entries);
        self.paths == other.paths && self.entries.len() == other.entries.len() && pairs().all(alike)
    }

    pub(crate) fn by_path(&self) -> BTreeMap<&str, &Entry> {
        self.entries.iter().map(|entry| (&self.paths[entry.path.clone()], entry)).collect()
    }

    /// The entry at a path, which a traversal of the same order finds at `at`.
    pub(crate) fn find(&mut self, path: &str, at: usize) -> Option<&mut Entry> {
        let paths = &self.paths;
        let is_there = |entry: &Entry| paths[entry.path.clone()] == *path;
        let at = match self.entries.get(at).is_some_and(is_there) {
            true => at,
            false => self.entries.iter().position(is_there)?,
        };
        self.entries.get_mut(at)
    }
}

/// The traversal that collects [`Tensors`].
struct Collect<W> {
    /// The paths whose values are wanted.
    wanted: W,
    path: Path,
    tensors: Tensors,
}

impl<W: Fn(&str) -> bool> Collect<W> {
    fn insert<T: Any>(&mut self, id: ParamId, shape: Shape, value: impl FnOnce() -> T) {
        let (path, paths) = (self.path.joined(), &mut self.tensors.paths);
        let tensor = (self.wanted)(path).then(|| Box::new(value()) as Box<dyn Any>);
        let start = paths.len();
        paths.push_str(path);
        self.tensors.entries.push(Entry { path: start..paths.len(), id, shape, tensor });
    }
}

impl<W: Fn(&str) -> bool> ModuleVisitor for Collect<W> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.enter(name);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.insert(param.id, param.lazy_shape(), || param.val());
    }

    fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<D, Int>>) {
        self.insert(param.id, param.lazy_shape(), || param.val());
    }

    fn visit_bool<const D: usize>(&mut self, param: &Param<Tensor<D, Bool>>) {
        self.insert(param.id, param.lazy_shape(), || param.val());
    }
}
