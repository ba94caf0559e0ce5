use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use burn::module::{Content, Devices, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor};
use burn::tensor::Device;

/// A method that all clones hold together, as they hold a batch norm's running statistics: keeping a clone makes no
/// second owner of the queue, the average and the weights, and the next step moves them in place.
///
/// Whatever makes another module of it (loading a record, `valid`, another device) leaves this one as it is. As a
/// module it *is* the method: no path, name or record shows it.
pub(crate) struct Shared<M>(Arc<Mutex<Held<M>>>);

struct Held<M> {
    /// `None` only while a change is running.
    method: Option<M>,
    /// No two states of any method have the same number.
    state: u64,
}

/// A number that no state had before.
fn new_state() -> u64 {
    static STATES: AtomicU64 = AtomicU64::new(0);
    STATES.fetch_add(1, Ordering::Relaxed)
}

const LOST: &str = "a step has panicked, and the method is gone: go back to a checkpoint";

impl<M> Shared<M> {
    pub(crate) fn new(method: M) -> Self {
        Self(Arc::new(Mutex::new(Held { method: Some(method), state: new_state() })))
    }

    fn lock(&self) -> MutexGuard<'_, Held<M>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What `read` finds in the method, whose state has a number.
    pub(crate) fn read<R>(&self, read: impl FnOnce(u64, &M) -> R) -> R {
        let held = self.lock();
        read(held.state, held.method.as_ref().unwrap_or_else(|| panic!("{LOST}")))
    }

    /// Replaces the method by `change(method)`.
    pub(crate) fn update<R>(&self, change: impl FnOnce(M) -> (M, R)) -> R {
        let mut held = self.lock();
        let method = held.method.take().unwrap_or_else(|| panic!("{LOST}"));
        let (method, result) = change(method);
        *held = Held { method: Some(method), state: new_state() };
        result
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
        Self::new(make(self.read(|_, method| method.clone())))
    }
}

impl<M: Module> Module for Shared<M> {
    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        self.read(|_, method| method.visit(visitor));
    }

    fn map<T: ModuleMapper>(self, mapper: &mut T) -> Self {
        self.made(|method| method.map(mapper))
    }

    fn collect_devices(&self, devices: Devices) -> Devices {
        self.read(|_, method| method.collect_devices(devices))
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
        Self::new(self.read(|_, method| method.valid()))
    }

    fn materialize(self) -> Self {
        self.made(M::materialize)
    }
}

impl<M: ModuleDisplay + Module> ModuleDisplayDefault for Shared<M> {
    fn content(&self, content: Content) -> Option<Content> {
        self.read(|_, method| method.content(content))
    }
}

impl<M: ModuleDisplay + Module> ModuleDisplay for Shared<M> {}
