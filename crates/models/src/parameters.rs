//! The parameters of a module, by name.

use burn::{
    module::{Module, ModuleVisitor, Param},
    tensor::Tensor,
};

/// A parameter or running statistic of a module, under Burn's path and under PyTorch's name.
///
/// The rules from path to name are few:
///
/// - the names of enum variants are dropped;
/// - a normalisation's `gamma` and `beta` are called `weight` and `bias`;
/// - a linear layer's weight is `[out, in]` in PyTorch and `[in, out]` in Burn.
///
/// With them a [`ResNet`](crate::ResNet) in a [`Classifier`](crate::Classifier), whose encoder has no name of its own,
/// has torchvision's names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterInfo {
    /// The path from the root of the module, such as `bn1.gamma`.
    pub path: String,
    /// The name in PyTorch's spelling, such as `bn1.weight`.
    pub name: String,
    /// The shape in PyTorch's layout.
    pub shape: Vec<usize>,
    /// Whether an optimizer learns it; running statistics are not learned.
    pub learnable: bool,
    /// Whether PyTorch's layout is the transpose of Burn's.
    pub(crate) transposed: bool,
}

/// Lists the parameters and running statistics of a module, without initialising any.
///
/// ```
/// use burn::tensor::Device;
/// use slowburn_models::{ClassifierConfig, ResNetConfig, parameters};
///
/// let device = Device::flex();
/// let encoder = ResNetConfig::resnet18().init(&device)?;
/// let model = ClassifierConfig::new(1000).init(encoder, &device)?;
/// let list = parameters(&model);
/// assert_eq!(list[1].path, "bn1.gamma");
/// assert_eq!(list[1].name, "bn1.weight");
/// assert_eq!(list[1].shape, [64]);
/// # Ok::<(), slowburn_models::ModelError>(())
/// ```
pub fn parameters<M: Module>(module: &M) -> Vec<ParameterInfo> {
    let mut collector = Collector::default();
    module.visit(&mut collector);
    collector.found
}

/// Counts what an optimizer learns: Burn's `num_params` without the running statistics, which is
/// what papers and torchvision count.
///
/// ```
/// use burn::{module::Module, tensor::Device};
/// use slowburn_models::{ClassifierConfig, ResNetConfig, num_learnable_params};
///
/// let device = Device::flex();
/// let encoder = ResNetConfig::resnet18().init(&device)?;
/// let model = ClassifierConfig::new(1000).init(encoder, &device)?;
/// assert_eq!(num_learnable_params(&model), 11_689_512);
/// assert_eq!(model.num_params(), 11_699_112);
/// # Ok::<(), slowburn_models::ModelError>(())
/// ```
pub fn num_learnable_params<M: Module>(module: &M) -> usize {
    parameters(module)
        .iter()
        .filter(|parameter| parameter.learnable)
        .map(|parameter| parameter.shape.iter().product::<usize>())
        .sum()
}

#[derive(Default)]
struct Collector {
    location: Location,
    found: Vec<ParameterInfo>,
}

impl ModuleVisitor for Collector {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.location.enter(name, container_type);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.location.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let shape = param.lazy_shape();
        self.found.push(self.location.describe(shape.as_slice()));
    }
}

/// Where a visitor or mapper is: each field's name, and the type that holds the field.
#[derive(Debug, Default)]
pub(crate) struct Location {
    stack: Vec<(String, String)>,
}

impl Location {
    pub(crate) fn enter(&mut self, name: &str, container_type: &str) {
        self.stack.push((name.to_string(), container_type.to_string()));
    }

    pub(crate) fn exit(&mut self) {
        self.stack.pop();
    }

    /// Names the parameter at this place, whose shape in Burn is `shape`.
    pub(crate) fn describe(&self, shape: &[usize]) -> ParameterInfo {
        let owner = self.stack.last().map_or("", |(_, container)| container);
        let field = self.stack.last().map_or("", |(name, _)| name);
        let transposed = owner == "Struct:Linear" && shape.len() == 2;
        let mut shape = shape.to_vec();
        if transposed {
            shape.reverse();
        }
        ParameterInfo {
            path: self.path(),
            name: self.name(),
            shape,
            learnable: !matches!(field, "running_mean" | "running_var"),
            transposed,
        }
    }

    fn path(&self) -> String {
        let fields: Vec<&str> = self.stack.iter().map(|(name, _)| name.as_str()).collect();
        fields.join(".")
    }

    fn name(&self) -> String {
        let mut fields = Vec::with_capacity(self.stack.len());
        for (name, container) in &self.stack {
            let field = match (container.as_str(), name.as_str()) {
                (container, _) if container.starts_with("Enum:") => continue,
                (container, "gamma") if is_norm(container) => "weight",
                (container, "beta") if is_norm(container) => "bias",
                (_, name) => name,
            };
            fields.push(field);
        }
        fields.join(".")
    }
}

/// Burn's normalisations with a scale and a shift.
fn is_norm(container: &str) -> bool {
    let names = ["BatchNorm", "LayerNorm", "GroupNorm", "InstanceNorm", "RmsNorm"];
    container.strip_prefix("Struct:").is_some_and(|name| names.contains(&name))
}

#[cfg(test)]
mod tests {
    use burn::nn::{GroupNormConfig, LayerNormConfig};
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn normalisations_have_pytorchs_names() {
        let device = Device::flex();
        let names = |list: Vec<ParameterInfo>| list.into_iter().map(|info| info.name).collect::<Vec<_>>();
        assert_eq!(names(parameters(&LayerNormConfig::new(4).init(&device))), ["weight", "bias"]);
        assert_eq!(names(parameters(&GroupNormConfig::new(2, 4).init(&device))), ["weight", "bias"]);
    }
}
