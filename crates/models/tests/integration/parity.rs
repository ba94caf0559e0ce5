//! The same weights give the same outputs and gradients as in PyTorch.

use burn::{
    module::{Module, ModuleVisitor, Param},
    tensor::{Gradients, Tensor, TensorData},
};
use slowburn_models::{
    BlockKind, ClassifierConfig, ConvNet13Config, Encoder, Normalization, ProjectionInput, ResNet9Config, ResNetConfig,
    StateDict, Stem, WideResNetConfig, load_state_dict, parameters, state_dict,
};

use crate::support::{Fixture, assert_close, plain, training};

/// Single precision, sums in another order: a few units in the last place per layer.
const TOLERANCE: f32 = 1e-5;
/// A gradient passes each layer twice.
const GRADIENT_TOLERANCE: f32 = 5e-5;
const CLASSES: usize = 5;

/// Runs a network with a fixture's weights in both modes.
fn assert_parity<E: Encoder>(fixture: &str, encoder: E, heads: usize) {
    let fixture = Fixture::read(fixture);
    let model = ClassifierConfig::new(CLASSES).with_consistency_head(heads == 2).init(encoder, &plain()).unwrap();
    let model = load_state_dict(model, &fixture.part("state.")).expect("the weights fit");

    let logits = model.forward(fixture.tensor("input", &plain()));
    assert_close("eval", &logits.into_data(), &fixture.data("eval"), TOLERANCE);

    let model = model.train();
    let (class, consistency) = model.forward_heads(fixture.tensor("input", &training()));
    assert_close("train", &class.clone().into_data(), &fixture.data("train"), TOLERANCE);
    assert_eq!(consistency.is_some(), heads == 2);
    if let Some(consistency) = consistency {
        assert_close("second head", &consistency.into_data(), &fixture.data("train_consistency"), TOLERANCE);
    }

    let found = state_dict(&model);
    for (name, expected) in fixture.part("mean.") {
        assert_close(&name, &found[&name], &expected, TOLERANCE);
    }
    let found = gradients(&model, &class.powi_scalar(2).mean().backward());
    let expected = fixture.part("grad.");
    assert!(!expected.is_empty());
    for (name, expected) in expected {
        assert_close(&name, &found[&name], &expected, GRADIENT_TOLERANCE);
    }
}

/// Gradients under PyTorch's names; weights of linear layers are left in Burn's layout.
fn gradients<M: Module>(module: &M, gradients: &Gradients) -> StateDict {
    struct Collector<'a> {
        gradients: &'a Gradients,
        found: Vec<Option<TensorData>>,
    }
    impl ModuleVisitor for Collector<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let gradient = param.val().grad(self.gradients);
            self.found.push(gradient.map(Tensor::into_data));
        }
    }
    let mut collector = Collector { gradients, found: Vec::new() };
    module.visit(&mut collector);
    let names = parameters(module).into_iter().map(|parameter| parameter.name);
    let found = names.zip(collector.found);
    found.filter_map(|(name, data)| Some((name, data?))).collect()
}

#[test]
fn resnet_with_basic_blocks_and_cifar_stem() {
    let config = ResNetConfig::new(BlockKind::Basic, [2, 1, 1, 1]).with_stem(Stem::Cifar).with_width(4);
    assert_parity("resnet_basic_cifar", config.init(&plain()).unwrap(), 1);
}

#[test]
fn resnet_with_bottlenecks_and_imagenet_stem() {
    let config = ResNetConfig::new(BlockKind::Bottleneck, [1, 1, 1, 1]).with_width(2);
    assert_parity("resnet_bottleneck_imagenet", config.init(&plain()).unwrap(), 1);
}

#[test]
fn resnet9() {
    assert_parity("resnet9", ResNet9Config::new().with_width(2).init(&plain()).unwrap(), 1);
}

fn conv_net_13() -> ConvNet13Config {
    ConvNet13Config::new().with_width(4).with_input_noise(0.0).with_dropout(0.0)
}

#[test]
fn conv_net_13_with_batch_normalisation() {
    assert_parity("conv_net13_batch", conv_net_13().init(&plain()).unwrap(), 2);
}

#[test]
fn conv_net_13_with_weight_normalisation() {
    let config = conv_net_13().with_in_channels(1).with_normalization(Normalization::WeightNormMeanOnly);
    assert_parity("conv_net13_weight_norm", config.init(&plain()).unwrap(), 2);
}

#[test]
fn wide_resnet_with_either_projection() {
    for (fixture, input) in [
        ("wide_resnet_activated", ProjectionInput::Activated),
        ("wide_resnet_first_block", ProjectionInput::ActivatedInFirstBlock),
    ] {
        let config = WideResNetConfig::new(16, 2).with_base_width(2).with_epsilon(1e-3).with_projection_input(input);
        assert_parity(fixture, config.init(&plain()).unwrap(), 1);
    }
}
