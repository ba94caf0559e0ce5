//! Parameters by path: the traversals that the average is built from.

use std::any::Any;
use std::collections::{HashMap, HashSet};

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::{Bool, Device, Int, Shape, Tensor};

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
    pub(crate) path: String,
    pub(crate) id: ParamId,
    pub(crate) shape: Shape,
    tensor: Option<Box<dyn Any + Send>>,
}

impl Entry {
    /// The tensor, where it has the rank and kind asked for; it can be taken once.
    pub(crate) fn take<T: Any>(&mut self) -> Option<T> {
        Some(*self.tensor.take()?.downcast::<T>().ok()?)
    }
}

/// All tensors of a module in the order of a traversal.
pub(crate) struct Tensors {
    pub(crate) entries: Vec<Entry>,
    /// Where the first float tensor is, if there is one.
    pub(crate) device: Option<Device>,
}

impl Tensors {
    pub(crate) fn of<M: Module>(module: &M) -> Self {
        Self::but_for(&HashSet::new(), module)
    }

    /// The same, but of those at these paths only what they are, not their values.
    pub(crate) fn but_for<M: Module>(paths: &HashSet<String>, module: &M) -> Self {
        let mut collect = Collect { but_for: paths, path: Path::default(), entries: Vec::new(), device: None };
        module.visit(&mut collect);
        Self { entries: collect.entries, device: collect.device }
    }

    pub(crate) fn by_path(&self) -> HashMap<&str, &Entry> {
        self.entries.iter().map(|entry| (entry.path.as_str(), entry)).collect()
    }

    /// The entry at a path, which a traversal of the same order finds at `at`.
    pub(crate) fn find(&mut self, path: &str, at: usize) -> Option<&mut Entry> {
        let is_there = |entry: &Entry| entry.path == path;
        let at = match self.entries.get(at).is_some_and(is_there) {
            true => at,
            false => self.entries.iter().position(is_there)?,
        };
        self.entries.get_mut(at)
    }
}

/// The traversal that collects [`Tensors`].
struct Collect<'a> {
    but_for: &'a HashSet<String>,
    path: Path,
    entries: Vec<Entry>,
    device: Option<Device>,
}

impl Collect<'_> {
    fn insert<T: Any + Send>(&mut self, id: ParamId, shape: Shape, value: impl FnOnce() -> T) {
        let path = self.path.joined().to_owned();
        let wanted = !self.but_for.contains(&path);
        let tensor = wanted.then(|| Box::new(value()) as Box<dyn Any + Send>);
        self.entries.push(Entry { path, id, shape, tensor });
    }
}

impl ModuleVisitor for Collect<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.enter(name);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.device.get_or_insert_with(|| param.lazy_device());
        self.insert(param.id, param.lazy_shape(), || param.val());
    }

    fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<D, Int>>) {
        self.insert(param.id, param.lazy_shape(), || param.val());
    }

    fn visit_bool<const D: usize>(&mut self, param: &Param<Tensor<D, Bool>>) {
        self.insert(param.id, param.lazy_shape(), || param.val());
    }
}

/// Whether a module has just the tensors of a list, of the same shapes and in the same order.
pub(crate) struct SameAs<'a> {
    expected: &'a [Entry],
    path: Path,
    seen: usize,
    same: bool,
}

impl<'a> SameAs<'a> {
    pub(crate) fn check<M: Module>(module: &M, expected: &'a Tensors) -> bool {
        let mut visitor = Self { expected: &expected.entries, path: Path::default(), seen: 0, same: true };
        module.visit(&mut visitor);
        visitor.same && visitor.seen == expected.entries.len()
    }

    fn compare(&mut self, shape: &Shape) {
        let expected = self.expected.get(self.seen);
        self.same &= expected.is_some_and(|entry| entry.shape == *shape && entry.path == self.path.joined());
        self.seen += 1;
    }
}

impl ModuleVisitor for SameAs<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.enter(name);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.compare(&param.lazy_shape());
    }

    fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<D, Int>>) {
        self.compare(&param.lazy_shape());
    }

    fn visit_bool<const D: usize>(&mut self, param: &Param<Tensor<D, Bool>>) {
        self.compare(&param.lazy_shape());
    }
}
