use std::collections::HashMap;

use burn::module::{Flag, Module, ModuleMapper, ModuleVisitor, Param, ParamId, ParameterValue};
use burn::tensor::kind::Autodiff;
use burn::tensor::{Bool, DType, FloatDType, GradientCheckpointingStrategy, Int, Tensor};

use crate::path::Path;

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
    let mut original = Originals::default();
    module.visit(&mut original);
    // `valid()` builds new running states; what else it switches off is switched on again below.
    let copy = module.valid();
    copy.map(&mut Restore { strategies: original.strategies.into_iter(), flags: original.flags.into_iter() }).no_grad()
}

/// A tensor on autodiff with the checkpointing strategy of another, or off it: operations of two strategies panic.
pub(crate) fn alongside<const D: usize, K: Autodiff>(tensor: Tensor<D, K>, strategy: Strategy) -> Tensor<D, K> {
    match strategy {
        Some(strategy) => tensor.autodiff().with_gradient_checkpointing_strategy(strategy),
        None => tensor.without_autodiff(),
    }
}

/// The checkpointing strategy of a tensor on autodiff.
pub(crate) type Strategy = Option<GradientCheckpointingStrategy>;

/// What `valid()` loses of a module's tensors and flags, in the order of a traversal.
#[derive(Default)]
struct Originals {
    strategies: Vec<Strategy>,
    flags: Vec<bool>,
}

impl ModuleVisitor for Originals {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.strategies.push(param.base().gradient_checkpointing_strategy());
    }

    fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<D, Int>>) {
        self.strategies.push(param.base().gradient_checkpointing_strategy());
    }

    fn visit_bool<const D: usize>(&mut self, param: &Param<Tensor<D, Bool>>) {
        self.strategies.push(param.base().gradient_checkpointing_strategy());
    }

    fn visit_flag(&mut self, flag: &Param<Flag>) {
        self.flags.push(flag.is_enabled());
    }
}

/// Gives tensors their strategies and flags their values back, and every parameter an id of its own. Running
/// statistics keep theirs: Burn's `RunningState` ignores the id that a mapper returns, which is how [`crate::Ema`]
/// tells the two apart.
struct Restore {
    strategies: std::vec::IntoIter<Strategy>,
    flags: std::vec::IntoIter<bool>,
}

impl Restore {
    fn renew<const D: usize, K: Autodiff>(&mut self, param: Param<Tensor<D, K>>) -> Param<Tensor<D, K>>
    where
        Tensor<D, K>: ParameterValue,
    {
        let (_, tensor, mapper) = param.consume();
        let tensor = alongside(tensor, self.strategies.next().flatten());
        Param::from_mapped_value(ParamId::new(), tensor, mapper)
    }
}

impl ModuleMapper for Restore {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        self.renew(param)
    }

    fn map_int<const D: usize>(&mut self, param: Param<Tensor<D, Int>>) -> Param<Tensor<D, Int>> {
        self.renew(param)
    }

    fn map_bool<const D: usize>(&mut self, param: Param<Tensor<D, Bool>>) -> Param<Tensor<D, Bool>> {
        self.renew(param)
    }

    fn map_flag(&mut self, flag: Param<Flag>) -> Param<Flag> {
        match self.flags.next() {
            Some(true) => flag.with_value(true),
            // Already off; `with_value(false)` would also forget what `train()` is to switch on again.
            _ => flag,
        }
    }
}

/// Casts float tensors of a module to the types that the function returns for their path and present type.
pub(crate) struct Cast<F> {
    select: F,
    path: Path,
}

impl<F: Fn(&str, DType) -> Option<FloatDType>> Cast<F> {
    pub(crate) fn new(select: F) -> Self {
        Self { select, path: Path::default() }
    }
}

impl<F: Fn(&str, DType) -> Option<FloatDType>> ModuleMapper for Cast<F> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.enter(name);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let select = &self.select;
        let path = self.path.joined();
        param.map(|tensor| match select(path, tensor.dtype()) {
            // Cast below autodiff: the result must be a leaf, not a step of a graph.
            Some(dtype) => {
                let strategy = tensor.gradient_checkpointing_strategy();
                alongside(tensor.without_autodiff().cast(dtype), strategy)
            }
            None => tensor,
        })
    }
}

/// The types narrower than f32, which an average is not kept in.
fn narrow(dtype: DType) -> Option<FloatDType> {
    match dtype {
        DType::F16 => Some(FloatDType::F16),
        DType::BF16 => Some(FloatDType::BF16),
        DType::Flex32 => Some(FloatDType::Flex32),
        _ => None,
    }
}

/// The type to average a tensor in: f32 for anything narrower, otherwise its own.
pub(crate) fn averaging_type(dtype: DType) -> Option<FloatDType> {
    narrow(dtype).map(|_| FloatDType::F32)
}

/// The narrow tensors of a module and their types, by path.
pub(crate) fn narrow_types<M: Module>(module: &M) -> HashMap<String, FloatDType> {
    #[derive(Default)]
    struct Narrow {
        path: Path,
        types: HashMap<String, FloatDType>,
    }
    impl ModuleVisitor for Narrow {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.enter(name);
        }

        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.exit();
        }

        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(dtype) = narrow(param.val().dtype()) {
                self.types.insert(self.path.joined().to_owned(), dtype);
            }
        }
    }
    let mut visitor = Narrow::default();
    module.visit(&mut visitor);
    visitor.types
}
