use burn::module::{Flag, Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{DType, FloatDType, Tensor};

use crate::path::FreshIds;

/// Applies updates of running statistics that a forward pass has left pending.
///
/// Burn's `RunningState` (batch norm's running mean and variance) holds back the last update until the next forward
/// pass. A visitor, and so a record, sees the value before it: a model saved and loaded would miss one update.
/// Call this before recording a module that has just been trained.
///
/// Works in place, through the state that clones share.
pub fn sync_running_state<M: Module>(module: &M) {
    // `valid()` is the one public way to make every running state of a module catch up.
    drop(module.valid());
}

/// A copy that shares nothing with the original: own running statistics, own parameter ids, no gradient.
///
/// `clone()` shares batch norm's running statistics (they sit behind an `Arc`), so training a cloned teacher would
/// change its student. Training flags are kept: dropout and batch norm behave in the copy as in the original.
/// The ids of running statistics cannot be changed in Burn 0.22 and stay those of the original.
pub fn detached_copy<M: Module>(module: &M) -> M {
    // `valid()` builds new running states; what else it switches off is switched on again below.
    let copy = module.valid();
    let copy = match module.devices().iter().any(is_autodiff) || holds_autodiff(module) {
        true => copy.train(),
        false => copy.map(&mut RestoreFlags(training_flags(module).into_iter())),
    };
    copy.map(&mut FreshIds).no_grad()
}

fn is_autodiff(device: &burn::tensor::Device) -> bool {
    device.is_autodiff()
}

/// Whether any parameter lives on an autodiff device. `Module::devices` drops devices that are equal but for it.
fn holds_autodiff<M: Module>(module: &M) -> bool {
    struct Seen(bool);
    impl ModuleVisitor for Seen {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0 |= param.lazy_device().is_autodiff();
        }
    }
    let mut seen = Seen(false);
    module.visit(&mut seen);
    seen.0
}

fn training_flags<M: Module>(module: &M) -> Vec<bool> {
    struct Flags(Vec<bool>);
    impl ModuleVisitor for Flags {
        fn visit_flag(&mut self, flag: &Param<Flag>) {
            self.0.push(flag.is_enabled());
        }
    }
    let mut flags = Flags(Vec::new());
    module.visit(&mut flags);
    flags.0
}

struct RestoreFlags(std::vec::IntoIter<bool>);

impl ModuleMapper for RestoreFlags {
    fn map_flag(&mut self, flag: Param<Flag>) -> Param<Flag> {
        match self.0.next() {
            Some(enabled) => flag.with_value(enabled),
            None => flag,
        }
    }
}

/// Casts every float tensor of a module that `select` names a new type for.
pub(crate) struct Cast<F>(pub(crate) F);

impl<F: Fn(DType) -> Option<FloatDType>> ModuleMapper for Cast<F> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|tensor| match (self.0)(tensor.dtype()) {
            // Cast below autodiff: the result must be a leaf, not a step of a graph.
            Some(dtype) if tensor.is_autodiff() => tensor.without_autodiff().cast(dtype).autodiff(),
            Some(dtype) => tensor.cast(dtype),
            None => tensor,
        })
    }
}

/// The type to average a tensor in: f32 for anything narrower, otherwise its own.
pub(crate) fn averaging_type(dtype: DType) -> Option<FloatDType> {
    match dtype {
        DType::F16 | DType::BF16 | DType::Flex32 => Some(FloatDType::F32),
        _ => None,
    }
}

/// The narrow float type of a module's first parameter that has one.
pub(crate) fn narrow_type<M: Module>(module: &M) -> Option<FloatDType> {
    struct Narrow(Option<FloatDType>);
    impl ModuleVisitor for Narrow {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0 = self.0.or(match param.val().dtype() {
                DType::F16 => Some(FloatDType::F16),
                DType::BF16 => Some(FloatDType::BF16),
                DType::Flex32 => Some(FloatDType::Flex32),
                _ => None,
            });
        }
    }
    let mut narrow = Narrow(None);
    module.visit(&mut narrow);
    narrow.0
}
