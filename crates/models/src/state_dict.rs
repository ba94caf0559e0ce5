//! Weights in and out, under PyTorch's names and in PyTorch's layout.

use std::collections::BTreeMap;

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
    let mut values = BTreeMap::new();
    for parameter in &known {
        values.insert(parameter.name.as_str(), read(parameter, state)?);
    }
    for name in state.keys() {
        if !values.contains_key(name.as_str()) && !name.ends_with("num_batches_tracked") {
            return Err(ModelError::UnknownWeight { name: name.clone() });
        }
    }

    // Statistics of a last forward pass would otherwise overwrite the loaded ones at the next:
    // `valid()` makes Burn store them now.
    drop(module.valid());
    let mut writer = Writer { location: Location::default(), values };
    Ok(module.map(&mut writer))
}

/// The entry of `parameter`, in Burn's layout.
fn read(parameter: &ParameterInfo, state: &StateDict) -> Result<TensorData, ModelError> {
    let name = || parameter.name.clone();
    let data = state.get(&parameter.name).ok_or_else(|| ModelError::MissingWeight { name: name() })?;
    if data.shape().as_slice() != parameter.shape {
        return Err(ModelError::ShapeMismatch {
            name: name(),
            expected: parameter.shape.clone(),
            found: data.shape().to_vec(),
        });
    }
    let data = data.clone().convert::<f32>();
    Ok(match parameter.transposed {
        true => transpose(data),
        false => data,
    })
}

/// Transposes a matrix on the host, which leaves the tensor made from it contiguous.
fn transpose(data: TensorData) -> TensorData {
    let [rows, columns] = data.shape().dims::<2>();
    let values: Vec<f32> = data.iter::<f32>().collect();
    let turned = (0..columns)
        .flat_map(|column| (0..rows).map(move |row| row * columns + column))
        .map(|position| values[position])
        .collect();
    TensorData::new::<f32, _>(turned, [columns, rows])
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

struct Writer<'a> {
    location: Location,
    values: BTreeMap<&'a str, TensorData>,
}

impl ModuleMapper for Writer<'_> {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.location.enter(name, container_type);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.location.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let parameter = self.location.describe(param.lazy_shape().as_slice());
        match self.values.remove(parameter.name.as_str()) {
            Some(data) => {
                let tensor = Tensor::from_data(data, &param.lazy_device());
                let id = param.id;
                param.transform_for_load(tensor, id)
            }
            None => param,
        }
    }
}
