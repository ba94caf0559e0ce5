//! Weights in and out, under PyTorch's names and in PyTorch's layout.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use burn::{
    module::{Module, ModuleMapper, ModuleVisitor, Param},
    tensor::{Tensor, TensorData},
};

use crate::{
    ModelError, ParameterInfo,
    parameters::{Location, parameters},
};

/// Weights and running statistics by PyTorch's names, in PyTorch's layout, as 32-bit floats.
pub type StateDict = BTreeMap<String, TensorData>;

/// Copies a module's parameters and running statistics to the host.
///
/// The running statistics include the last forward pass: Burn holds that one back until the next
/// pass, and a visitor alone would miss it.
pub fn state_dict<M: Module>(module: &M) -> StateDict {
    let mut reader = Reader::default();
    // `valid()` brings the running statistics up to date.
    module.valid().visit(&mut reader);
    reader.state
}

/// Replaces a module's parameters and running statistics by those of `state`.
///
/// Nothing is written unless every name and shape fits. PyTorch's `num_batches_tracked` is
/// ignored. Each parameter keeps its identity, its device and whether it is learned. Running
/// statistics are shared with the module's clones in Burn, so that these change as well.
///
/// # Errors
///
/// [`ModelError::MissingWeight`], [`ModelError::UnknownWeight`] or [`ModelError::ShapeMismatch`], for
/// the first entry that does not fit.
pub fn load_state_dict<M: Module>(module: M, state: &StateDict) -> Result<M, ModelError> {
    let known = parameters(&module);
    for parameter in &known {
        check(parameter, state)?;
    }
    let names: BTreeSet<&str> = known.iter().map(|parameter| parameter.name.as_str()).collect();
    for name in state.keys() {
        if !names.contains(name.as_str()) && !name.ends_with("num_batches_tracked") {
            return Err(ModelError::UnknownWeight { name: name.clone() });
        }
    }
    fill(module, &known, |parameter| Ok(state.get(&parameter.name).cloned()), || Ok(()))
}

/// Gives the parameters and running statistics that `value` knows new values, in PyTorch's layout and of the right shape, one at
/// a time.
///
/// `check` is asked when all values are there. If it fails, or a value cannot be had, no running statistic has changed: Burn
/// shares these with the module's clones.
pub(crate) fn fill<M: Module, E>(
    module: M,
    known: &[ParameterInfo],
    mut value: impl FnMut(&ParameterInfo) -> Result<Option<TensorData>, E>,
    check: impl FnOnce() -> Result<(), E>,
) -> Result<M, E> {
    let mut statistics = StateDict::new();
    for parameter in known.iter().filter(|parameter| !parameter.learnable) {
        statistics.extend(value(parameter)?.map(|data| (parameter.name.clone(), data)));
    }
    // Statistics of a last forward pass would otherwise overwrite the loaded ones at the next:
    // `valid()` makes Burn store them now.
    drop(module.valid());
    let module = Writer::write(module, |parameter| match parameter.learnable {
        true => value(parameter),
        false => Ok(None),
    })?;
    check()?;
    Writer::write(module, |parameter| Ok(statistics.remove(&parameter.name)))
}

/// Whether `state` has the entry of `parameter`, in its shape.
fn check(parameter: &ParameterInfo, state: &StateDict) -> Result<(), ModelError> {
    let name = || parameter.name.clone();
    let data = state.get(&parameter.name).ok_or_else(|| ModelError::MissingWeight { name: name() })?;
    if data.shape().as_slice() != parameter.shape {
        return Err(ModelError::ShapeMismatch {
            name: name(),
            expected: parameter.shape.clone(),
            found: data.shape().to_vec(),
        });
    }
    Ok(())
}

/// Transposes a matrix on the host, which leaves the tensor made from it contiguous.
pub(crate) fn transpose(data: TensorData) -> TensorData {
    let [rows, columns] = data.shape().dims::<2>();
    let values: Vec<f32> = data.iter::<f32>().collect();
    let mut turned = vec![0.0; rows * columns];
    // In squares, which stay in the cache: a column alone touches a line of it for each number.
    for above in blocks(rows) {
        for left in blocks(columns) {
            for row in above.clone() {
                left.clone().for_each(|column| turned[column * rows + row] = values[row * columns + column]);
            }
        }
    }
    TensorData::new::<f32, _>(turned, [columns, rows])
}

/// The ranges of so many indices in each block.
fn blocks(count: usize) -> impl Iterator<Item = Range<usize>> {
    const BLOCK: usize = 32;
    (0..count).step_by(BLOCK).map(move |start| start..count.min(start + BLOCK))
}

#[derive(Default)]
struct Reader {
    location: Location,
    state: StateDict,
}

impl ModuleVisitor for Reader {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.location.enter(name, container_type);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.location.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        let parameter = self.location.describe(tensor.shape().as_slice());
        let tensor = match parameter.transposed {
            true => tensor.transpose(),
            false => tensor,
        };
        self.state.insert(parameter.name, tensor.into_data().convert::<f32>());
    }
}

struct Writer<V, E> {
    location: Location,
    value: V,
    failed: Option<E>,
}

impl<V: FnMut(&ParameterInfo) -> Result<Option<TensorData>, E>, E> Writer<V, E> {
    /// Writes until a value cannot be had.
    fn write<M: Module>(module: M, value: V) -> Result<M, E> {
        let mut writer = Self { location: Location::default(), value, failed: None };
        let module = module.map(&mut writer);
        match writer.failed {
            None => Ok(module),
            Some(error) => Err(error),
        }
    }

    /// The value of `parameter` in Burn's layout; none after a failure.
    fn next(&mut self, parameter: &ParameterInfo) -> Option<TensorData> {
        if self.failed.is_some() {
            return None;
        }
        let data = match (self.value)(parameter) {
            Ok(data) => data?.convert::<f32>(),
            Err(error) => {
                self.failed = Some(error);
                return None;
            }
        };
        Some(if parameter.transposed { transpose(data) } else { data })
    }
}

impl<V: FnMut(&ParameterInfo) -> Result<Option<TensorData>, E>, E> ModuleMapper for Writer<V, E> {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.location.enter(name, container_type);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.location.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let parameter = self.location.describe(param.lazy_shape().as_slice());
        match self.next(&parameter) {
            Some(data) => {
                let tensor = Tensor::from_data(data, &param.lazy_device());
                let id = param.id;
                param.transform_for_load(tensor, id)
            }
            None => param,
        }
    }
}
