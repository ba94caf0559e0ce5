use std::sync::{Mutex, MutexGuard, PoisonError};

use burn::module::{
    Content, Devices, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor, Param, ParamId,
};
use burn::tensor::{Device, IndexingUpdateOp, Int, Tensor, TensorData};

use crate::EmaError;

/// A matrix `[rows, columns]` that is part of a module's state: in its record, never on autodiff, changed in place.
///
/// What a memory bank (Wu et al., arXiv 1805.01978), temporal ensembling (Laine & Aila, arXiv 1610.02242) and a key queue
/// (He et al., arXiv 1911.05722) remember. A step may see it by reference, as it sees batch norm's running statistics; unlike
/// those, a clone has a matrix of its own.
///
/// Not a `Param`, which `unfreeze` would make learnable, and not Burn's `RunningState`, which keeps a second owner of the
/// memory, so that every step would copy all of it.
#[derive(Debug)]
pub struct StateMatrix {
    id: ParamId,
    /// `None` only while a change is running.
    value: Mutex<Option<Tensor<2>>>,
}

impl StateMatrix {
    /// The matrix with this value, without its gradient.
    pub fn new(value: Tensor<2>) -> Self {
        Self::with_id(ParamId::new(), value)
    }

    fn with_id(id: ParamId, value: Tensor<2>) -> Self {
        Self { id, value: Mutex::new(Some(value.without_autodiff())) }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Tensor<2>>> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The whole matrix, `[rows, columns]`. While somebody keeps it, the next change copies.
    ///
    /// # Panics
    /// If an earlier change panicked.
    pub fn value(&self) -> Tensor<2> {
        self.lock().clone().unwrap_or_else(|| panic!("{LOST}"))
    }

    /// Rows and columns.
    ///
    /// # Panics
    /// As [`value`](Self::value).
    pub fn dims(&self) -> [usize; 2] {
        self.lock().as_ref().unwrap_or_else(|| panic!("{LOST}")).dims()
    }

    /// Replaces the value by `change(value)`: in place, if nobody else holds the value and the operations
    /// allow it.
    ///
    /// # Panics
    /// As [`value`](Self::value).
    pub fn update(&self, change: impl FnOnce(Tensor<2>) -> Tensor<2>) {
        let mut value = self.lock();
        let old = value.take().unwrap_or_else(|| panic!("{LOST}"));
        *value = Some(change(old).without_autodiff());
    }

    /// Some of its rows, `[rows.len(), columns]`, in this order.
    ///
    /// # Errors
    /// [`EmaError::UnknownSample`] for an index that is not below the number of rows.
    pub fn select(&self, rows: &[usize]) -> Result<Tensor<2>, EmaError> {
        let value = self.value();
        let rows = known(rows, &value)?;
        Ok(value.select(0, rows))
    }

    /// Adds `change`, `[rows.len(), columns]`, to some of its rows. A row that is named twice gets both changes.
    ///
    /// # Errors
    /// [`EmaError::UnknownSample`] for an index that is not below the number of rows, [`EmaError::Rows`] where `change` has
    /// another shape. Nothing has changed then.
    pub fn add(&self, rows: &[usize], change: Tensor<2>) -> Result<(), EmaError> {
        let value = self.value();
        let [_, columns] = value.dims();
        let (found, expected) = (change.dims(), [rows.len(), columns]);
        if found != expected {
            return Err(EmaError::Rows { found, expected });
        }
        let rows = known(rows, &value)?;
        let change = change.without_autodiff().cast(value.dtype()).to_device(&value.device());
        drop(value);
        self.update(|value| value.select_assign(0, rows, change, IndexingUpdateOp::Add));
        Ok(())
    }

    fn param(&self) -> Param<Tensor<2>> {
        Param::initialized(self.id, self.value())
    }
}

const LOST: &str = "a change of this state has panicked: go back to a checkpoint";

/// Indices of rows on the value's device.
fn known(rows: &[usize], value: &Tensor<2>) -> Result<Tensor<1, Int>, EmaError> {
    let [samples, _] = value.dims();
    if let Some(&sample) = rows.iter().find(|&&row| row >= samples) {
        return Err(EmaError::UnknownSample { sample, samples });
    }
    let indices: Vec<i32> = rows.iter().map(|&row| row as i32).collect();
    Ok(Tensor::from_data(TensorData::new(indices, [rows.len()]), &value.device()))
}

impl Clone for StateMatrix {
    fn clone(&self) -> Self {
        Self::with_id(self.id, self.value())
    }
}

impl Module for StateMatrix {
    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        visitor.visit_float(&self.param());
    }

    fn map<M: ModuleMapper>(self, mapper: &mut M) -> Self {
        let param = mapper.map_float(self.param());
        Self::with_id(param.id, param.val())
    }

    fn collect_devices(&self, mut devices: Devices) -> Devices {
        let device = self.value().device();
        if !devices.contains(&device) {
            devices.push(device);
        }
        devices
    }

    fn fork(self, device: &Device) -> Self {
        self.to_device(device)
    }

    fn to_device(self, device: &Device) -> Self {
        let value = self.value().to_device(&device.clone().without_autodiff());
        Self::with_id(self.id, value)
    }

    fn train(self) -> Self {
        self
    }

    fn valid(&self) -> Self {
        self.clone()
    }

    fn materialize(self) -> Self {
        self
    }
}

impl ModuleDisplayDefault for StateMatrix {
    fn content(&self, content: Content) -> Option<Content> {
        content.add_formatted(&format!("{:?}", self.dims())).optional()
    }
}

impl ModuleDisplay for StateMatrix {}
