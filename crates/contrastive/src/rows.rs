//! A matrix that is state: in the record, without gradient.

use burn::module::{
    Content, Devices, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor, Param, ParamId,
};
use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::random::{Stream, normals};

/// Rows of unit length that travel in a module's record. It never is on autodiff.
///
/// Not a `Param`, which `unfreeze` would make learnable, and not a `RunningState`, whose clones share it and which
/// would keep a second owner of the memory.
#[derive(Debug, Clone)]
pub(crate) struct Rows {
    id: ParamId,
    pub(crate) value: Tensor<2>,
}

impl Rows {
    /// Random directions: normal numbers, each row scaled to length 1.
    pub(crate) fn random(rows: usize, dim: usize, seed: u64, device: &Device) -> Self {
        let mut values = normals(rows * dim, seed, Stream::Rows);
        for row in values.chunks_exact_mut(dim) {
            let length = row.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt();
            row.iter_mut().for_each(|value| *value = (f64::from(*value) / length) as f32);
        }
        let device = device.clone().without_autodiff();
        Self { id: ParamId::new(), value: Tensor::from_data(TensorData::new(values, [rows, dim]), &device) }
    }

    fn param(&self) -> Param<Tensor<2>> {
        Param::initialized(self.id, self.value.clone())
    }
}

/// Indices on a device.
pub(crate) fn indices(values: &[usize], device: &Device) -> Tensor<1, Int> {
    let length = values.len();
    let values: Vec<i32> = values.iter().map(|&value| value as i32).collect();
    Tensor::from_data(TensorData::new(values, [length]), device)
}

/// A constant on the device of `like`, on autodiff where that is: operations of two gradient checkpointing strategies
/// panic.
pub(crate) fn constant_beside(constant: Tensor<2>, like: &Tensor<2>) -> Tensor<2> {
    alongside(constant.cast(like.dtype()), like)
}

/// A constant on autodiff where `like` is.
pub(crate) fn alongside<const D: usize>(constant: Tensor<D>, like: &Tensor<2>) -> Tensor<D> {
    let constant = constant.without_autodiff();
    match like.gradient_checkpointing_strategy() {
        Some(strategy) => constant.autodiff().with_gradient_checkpointing_strategy(strategy),
        None => constant,
    }
}

impl Module for Rows {
    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        visitor.visit_float(&self.param());
    }

    fn map<M: ModuleMapper>(mut self, mapper: &mut M) -> Self {
        let param = mapper.map_float(self.param());
        self.id = param.id;
        self.value = param.val().without_autodiff();
        self
    }

    fn collect_devices(&self, mut devices: Devices) -> Devices {
        let device = self.value.device();
        if !devices.contains(&device) {
            devices.push(device);
        }
        devices
    }

    fn fork(self, device: &Device) -> Self {
        self.to_device(device)
    }

    fn to_device(mut self, device: &Device) -> Self {
        self.value = self.value.to_device(&device.clone().without_autodiff());
        self
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

impl ModuleDisplayDefault for Rows {
    fn content(&self, content: Content) -> Option<Content> {
        content.add_formatted(&format!("{:?}", self.value.dims())).optional()
    }
}

impl ModuleDisplay for Rows {}
