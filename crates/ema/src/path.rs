//! Parameters by path: the traversals that the average is built from.

use std::any::Any;
use std::collections::HashMap;

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
    pub(crate) path: String,
    pub(crate) id: ParamId,
    pub(crate) shape: Shape,
    tensor: Box<dyn Any + Send>,
}

impl Entry {
    /// The tensor, where it has the rank and kind asked for.
    pub(crate) fn tensor<T: Any + Clone>(&self) -> Option<T> {
        self.tensor.downcast_ref::<T>().cloned()
    }
}

/// All tensors of a module in the order of a traversal.
#[derive(Default)]
pub(crate) struct Tensors {
    path: Path,
    pub(crate) entries: Vec<Entry>,
}

impl Tensors {
    pub(crate) fn of<M: Module>(module: &M) -> Self {
        let mut tensors = Self::default();
        module.visit(&mut tensors);
        tensors
    }

    pub(crate) fn by_path(&self) -> HashMap<&str, &Entry> {
        self.entries.iter().map(|entry| (entry.path.as_str(), entry)).collect()
    }

    /// The entry at a path, which a traversal of the same order finds at `at`.
    pub(crate) fn find(&self, path: &str, at: usize) -> Option<&Entry> {
        let expected = self.entries.get(at).filter(|entry| entry.path == path);
        expected.or_else(|| self.entries.iter().find(|entry| entry.path == path))
    }

    fn insert<T: Any + Send>(&mut self, id: ParamId, shape: Shape, tensor: T) {
        let path = self.path.joined().to_owned();
        self.entries.push(Entry { path, id, shape, tensor: Box::new(tensor) });
    }
}

impl ModuleVisitor for Tensors {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.enter(name);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.insert(param.id, param.lazy_shape(), param.val());
    }

    fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<D, Int>>) {
        self.insert(param.id, param.lazy_shape(), param.val());
    }

    fn visit_bool<const D: usize>(&mut self, param: &Param<Tensor<D, Bool>>) {
        self.insert(param.id, param.lazy_shape(), param.val());
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
