use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use burn::module::{Content, Devices, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor};
use burn::tensor::Device;

use crate::evaluation::FeatureSet;

/// A method that all clones hold together, as they hold a batch norm's running statistics: what keeps a clone is no
/// second owner of the queue, the average and the weights, and the next step moves them in place.
///
/// Whatever makes another module of it (loading a record, `valid`, another device) leaves this one as it is. As a
/// module it *is* the method: no path, name or record shows it.
pub(crate) struct Shared<M>(Arc<Mutex<Held<M>>>);

struct Held<M> {
    /// `None` once a step has failed, which takes the method with it.
    method: Option<M>,
    /// The bank's features under this method, gone with whatever changes it.
    features: Option<FeatureSet>,
}

fn present<M>(method: &Option<M>) -> &M {
    method.as_ref().unwrap_or_else(|| panic!("{GONE}"))
}

const GONE: &str = "a step has failed, and the method is gone: go back to a checkpoint";

impl<M> Shared<M> {
    pub(crate) fn new(method: M) -> Self {
        Self(Arc::new(Mutex::new(Held { method: Some(method), features: None })))
    }

    fn lock(&self) -> MutexGuard<'_, Held<M>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What `read` finds in the method.
    pub(crate) fn read<R>(&self, read: impl FnOnce(&M) -> R) -> R {
        read(present(&self.lock().method))
    }

    /// Puts what `change` makes of the method in its place.
    pub(crate) fn update<R>(&self, change: impl FnOnce(M) -> (M, R)) -> R {
        let mut held = self.lock();
        let method = held.method.take().unwrap_or_else(|| panic!("{GONE}"));
        held.features = None;
        let (method, result) = change(method);
        held.method = Some(method);
        result
    }

    /// The bank's features under the method as it is, which `extract` computes where they are not known.
    pub(crate) fn features(&self, extract: impl FnOnce(&M) -> FeatureSet) -> FeatureSet {
        let mut held = self.lock();
        let Held { method, features } = &mut *held;
        features.get_or_insert_with(|| extract(present(method))).clone()
    }
}

impl<M> Clone for Shared<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<M: fmt::Debug> fmt::Debug for Shared<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lock().method.fmt(f)
    }
}

impl<M: Module> Shared<M> {
    /// Another method, made of this one.
    fn made(&self, make: impl FnOnce(M) -> M) -> Self {
        Self::new(make(self.read(M::clone)))
    }
}

impl<M: Module> Module for Shared<M> {
    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        self.read(|method| method.visit(visitor));
    }

    fn map<T: ModuleMapper>(self, mapper: &mut T) -> Self {
        self.made(|method| method.map(mapper))
    }

    fn collect_devices(&self, devices: Devices) -> Devices {
        self.read(|method| method.collect_devices(devices))
    }

    fn fork(self, device: &Device) -> Self {
        self.made(|method| method.fork(device))
    }

    fn to_device(self, device: &Device) -> Self {
        self.made(|method| method.to_device(device))
    }

    fn train(self) -> Self {
        self.made(M::train)
    }

    fn valid(&self) -> Self {
        Self::new(self.read(M::valid))
    }

    fn materialize(self) -> Self {
        self.made(M::materialize)
    }
}

impl<M: ModuleDisplay + Module> ModuleDisplayDefault for Shared<M> {
    fn content(&self, content: Content) -> Option<Content> {
        self.read(|method| method.content(content))
    }
}

impl<M: ModuleDisplay + Module> ModuleDisplay for Shared<M> {}
