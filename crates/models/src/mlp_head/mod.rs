//! Projector and predictor of the methods that learn without negatives, and of MoCo v3.

mod config;
mod norm;

use burn::{
    module::{Content, Devices, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor},
    nn::Linear,
    tensor::{Device, Tensor, activation::relu, assert_shape},
};

pub use config::{MlpHeadConfig, OutputNorm};
pub use norm::{HeadNorm, PlainNorm};

/// Linear layers with batch normalisation and a rectifier after each but the last.
///
/// `hᵢ = relu(BN(Wᵢ·hᵢ₋₁ + bᵢ))` for hidden layers, and for the last `W·h + b`, normalised or not. Biases, and batch
/// normalisation of hidden layers and of the output, are settings. Statistics are those of the whole batch, as those that
/// the papers' several devices share.
///
/// Parameters have the numbers of PyTorch's `Sequential`, in which each linear layer, normalisation and rectifier counts: `0`,
/// `1`, `3`, `4` for two normalised layers. A last normalisation without scale and shift has running statistics alone.
///
/// Weights and biases start uniform in ±1/√D, D inputs, as PyTorch's linear layers do. BYOL's code draws other first
/// weights (truncated normal, biases 0). The output is not of unit length.
/// Should be created with [`MlpHeadConfig`].
#[derive(Debug, Clone)]
pub struct MlpHead {
    /// Hidden layers, then the last; at least one.
    layers: Vec<MlpLayer>,
}

/// A linear layer of an [`MlpHead`] and the normalisation of its output.
#[derive(Module, Debug)]
pub struct MlpLayer {
    /// `W·x + b`.
    pub linear: Linear,
    /// Its batch normalisation.
    pub norm: Option<HeadNorm>,
}

impl MlpHead {
    /// Maps features or projections.
    ///
    /// # Shapes
    ///
    /// - `input`: `[N, D]`
    /// - output: `[N, dim]`
    ///
    /// # Panics
    ///
    /// If the second axis is not the length of the features that the head was made for.
    pub fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        let feature_dim = self.feature_dim();
        assert_shape!(input, [_, feature_dim]);
        let last = self.layers.len() - 1;
        let mut x = input;
        for (index, layer) in self.layers.iter().enumerate() {
            x = layer.linear.forward(x);
            if let Some(norm) = &layer.norm {
                x = norm.forward(x);
            }
            if index < last {
                x = relu(x);
            }
        }
        x // [N, dim]
    }

    /// The layers: hidden ones, then the last.
    pub fn layers(&self) -> &[MlpLayer] {
        &self.layers
    }

    /// The length of its input.
    pub fn feature_dim(&self) -> usize {
        self.layers[0].linear.weight.lazy_shape()[0]
    }

    /// The length of its output.
    pub fn dim(&self) -> usize {
        self.layers[self.layers.len() - 1].linear.weight.lazy_shape()[1]
    }

    /// The same with what `change` makes of each layer.
    fn map_layers(self, change: impl FnMut(MlpLayer) -> MlpLayer) -> Self {
        Self { layers: self.layers.into_iter().map(change).collect() }
    }
}

/// The type whose parameters a traversal is at.
const CONTAINER: &str = "Struct:MlpHead";

/// The number of a layer's linear part among all parts, from those of the layers before it: each has a rectifier.
fn next_number(number: usize, layer: &MlpLayer) -> usize {
    number + 2 + usize::from(layer.norm.is_some())
}

impl Module for MlpHead {
    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        let mut number = 0;
        for layer in &self.layers {
            let name = number.to_string();
            visitor.enter_module(&name, CONTAINER);
            layer.linear.visit(visitor);
            visitor.exit_module(&name, CONTAINER);
            if let Some(norm) = &layer.norm {
                let name = (number + 1).to_string();
                visitor.enter_module(&name, CONTAINER);
                norm.visit(visitor);
                visitor.exit_module(&name, CONTAINER);
            }
            number = next_number(number, layer);
        }
    }

    fn map<M: ModuleMapper>(self, mapper: &mut M) -> Self {
        let mut number = 0;
        self.map_layers(|layer| {
            let (name, norm_name) = (number.to_string(), (number + 1).to_string());
            number = next_number(number, &layer);
            mapper.enter_module(&name, CONTAINER);
            let linear = layer.linear.map(mapper);
            mapper.exit_module(&name, CONTAINER);
            let norm = layer.norm.map(|norm| {
                mapper.enter_module(&norm_name, CONTAINER);
                let norm = Module::map(norm, mapper);
                mapper.exit_module(&norm_name, CONTAINER);
                norm
            });
            MlpLayer { linear, norm }
        })
    }

    fn collect_devices(&self, devices: Devices) -> Devices {
        self.layers.iter().fold(devices, |devices, layer| layer.collect_devices(devices))
    }

    fn fork(self, device: &Device) -> Self {
        self.map_layers(|layer| layer.fork(device))
    }

    fn to_device(self, device: &Device) -> Self {
        self.map_layers(|layer| layer.to_device(device))
    }

    fn train(self) -> Self {
        self.map_layers(Module::train)
    }

    fn valid(&self) -> Self {
        Self { layers: self.layers.iter().map(Module::valid).collect() }
    }

    fn materialize(self) -> Self {
        self.map_layers(Module::materialize)
    }
}

impl ModuleDisplayDefault for MlpHead {
    fn content(&self, content: Content) -> Option<Content> {
        let content = content.set_top_level_type("MlpHead");
        self.layers
            .iter()
            .enumerate()
            .fold(content, |content, (index, layer)| content.add(&index.to_string(), layer))
            .optional()
    }

    fn num_params(&self) -> usize {
        Module::num_params(self)
    }
}

impl ModuleDisplay for MlpHead {}

impl std::fmt::Display for MlpHead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&ModuleDisplay::format(self, burn::module::DisplaySettings::default()))
    }
}
