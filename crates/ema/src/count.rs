use burn::module::{
    Content, Devices, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor, Param, ParamId,
};
use burn::tensor::{Device, Int, Tensor};

/// The largest integer that every backend has.
const MOST: u64 = i32::MAX as u64;

/// A step counter that lives on the host and travels in the module's record.
///
/// Schedules read it at every step, so it must not cost a device synchronisation; a record holds tensors only, so it
/// shows itself to visitors and mappers as an integer tensor of one element.
///
/// Counts up to 2³¹−1, the range of the integers of every backend, and panics beyond it: a count that wraps would start
/// every schedule over.
#[derive(Debug, Clone)]
pub struct StepCount {
    id: ParamId,
    value: u64,
    device: Device,
}

impl StepCount {
    /// A counter at zero.
    pub fn new(device: &Device) -> Self {
        Self { id: ParamId::new(), value: 0, device: device.clone().without_autodiff() }
    }

    /// The number of steps counted.
    pub fn get(&self) -> u64 {
        self.value
    }

    /// Counts one step and returns the new number.
    ///
    /// # Panics
    /// At 2³¹−1.
    pub fn increment(&mut self) -> u64 {
        self.set(self.value + 1);
        self.value
    }

    /// Sets the number, for a counter that wraps around.
    ///
    /// # Panics
    /// Beyond 2³¹−1.
    pub fn set(&mut self, value: u64) {
        assert!(value <= MOST, "a step count of {value} does not fit into a record, which holds {MOST} at most");
        self.value = value;
    }

    fn param(&self) -> Param<Tensor<1, Int>> {
        let value = Tensor::from_data([self.value as i32], &self.device);
        Param::initialized(self.id, value)
    }
}

impl Module for StepCount {
    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        visitor.visit_int(&self.param());
    }

    fn map<M: ModuleMapper>(mut self, mapper: &mut M) -> Self {
        let param = mapper.map_int(self.param());
        self.id = param.id;
        // The one place that reads the device: mapping a counter happens when a record is loaded. Burn gives a mapper no way
        // to fail but a panic, and any other number than the record's would be wrong.
        let value = param.val().try_into_scalar::<i64>();
        let value = value.unwrap_or_else(|error| panic!("the record of a step count cannot be read: {error}"));
        match u64::try_from(value) {
            Ok(value) => self.set(value),
            Err(_) => panic!("the record of a step count holds {value}"),
        }
        self
    }

    fn collect_devices(&self, mut devices: Devices) -> Devices {
        if !devices.contains(&self.device) {
            devices.push(self.device.clone());
        }
        devices
    }

    fn fork(self, device: &Device) -> Self {
        self.to_device(device)
    }

    fn to_device(mut self, device: &Device) -> Self {
        self.device = device.clone().without_autodiff();
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

impl ModuleDisplayDefault for StepCount {
    fn content(&self, content: Content) -> Option<Content> {
        content.add_formatted(&self.value).optional()
    }
}

impl ModuleDisplay for StepCount {}
