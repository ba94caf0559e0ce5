//! Parameters by path: the traversals that the average is built from.

use std::any::Any;
use std::collections::BTreeMap;

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::{Bool, Int, Shape, Tensor};

/// The dotted path of the parameter that a traversal is at, such as `layer1.0.conv1.weight`.
#[derive(Debug, Default)]
pub(crate) struct Path(Vec<String>);

impl Path {
    pub(crate) fn enter(&mut self, name: &str) {
        self.0.push(name.to_owned());
    }

    pub(crate) fn exit(&mut self) {
        self.0.pop();
    }

    pub(crate) fn joined(&self) -> String {
        self.0.join(".")
    }
}

/// Any tensor of a module, its rank and kind erased.
pub(crate) struct Entry {
    pub(crate) id: ParamId,
    pub(crate) shape: Shape,
    tensor: Box<dyn Any>,
}

impl Entry {
    /// The tensor, where it has the rank and kind asked for.
    pub(crate) fn tensor<T: Any + Clone>(&self) -> Option<T> {
        self.tensor.downcast_ref::<T>().cloned()
    }
}

/// All tensors of a module by path, in the order of the paths: the same error every time.
#[derive(Default)]
pub(crate) struct Tensors {
    path: Path,
    pub(crate) entries: BTreeMap<String, Entry>,
}

impl Tensors {
    pub(crate) fn of<M: Module>(module: &M) -> Self {
        let mut tensors = Self::default();
        module.visit(&mut tensors);
        tensors
    }

    fn insert<T: Any>(&mut self, id: ParamId, shape: Shape, tensor: T) {
        let entry = Entry { id, shape, tensor: Box::new(tensor) };
        self.entries.insert(self.path.joined(), entry);
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
