//! Projection heads, and split batch normalisation below them, beside PyTorch's.

use burn::{
    module::Module,
    tensor::{Tensor, TensorData},
};
use slowburn_models::{
    HeadVersion, ModelError, ProjectionConfig, ProjectionHead, Projector, SmallConvNetConfig, SplitBatchNorm,
    SplitBatchNormConfig, StateDict, load_state_dict, num_learnable_params, parameters, state_dict,
};

use crate::support::{Fixture, assert_close, images, plain, training};

/// Single precision through two or three layers.
const TOLERANCE: f32 = 1e-5;

#[derive(Module, Debug)]
struct SplitNet {
    norm: SplitBatchNorm,
    fc: ProjectionHead,
}

impl SplitNet {
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.fc.forward(self.norm.forward(images).flatten(1, 3))
    }
}

fn assert_parity(name: &str, version: HeadVersion, splits: usize) {
    let fixture = Fixture::read(name);
    let net = SplitNet {
        norm: SplitBatchNormConfig::new(3).with_splits(splits).init(&plain()).unwrap(),
        fc: ProjectionConfig::new(version).with_dim(5).init_head(12, &plain()).expect("a head"),
    };
    let net = load_state_dict(net, &fixture.part("state.")).expect("PyTorch's names fit");
    let eval = net.forward(fixture.tensor("input", &plain()));
    assert_close("eval", &eval.into_data(), &fixture.data("eval"), TOLERANCE);

    let net = net.train();
    let input = fixture.tensor::<4>("input", &training()).require_grad();
    let output = net.forward(input.clone());
    assert_close("train", &output.clone().into_data(), &fixture.data("train"), TOLERANCE);
    let gradients = (output * fixture.tensor("weights", &training())).sum().backward();
    let of = |tensor: Option<Tensor<2>>| tensor.expect("a gradient");
    let input = input.grad(&gradients).expect("a gradient");
    assert_close("input", &input.into_data(), &fixture.data("grad_input"), TOLERANCE);
    for (ours, theirs) in [(&net.norm.norm.gamma, "grad.norm.weight"), (&net.norm.norm.beta, "grad.norm.bias")] {
        let gradient = ours.grad(&gradients).expect("a gradient").into_data();
        assert_close(theirs, &gradient, &fixture.data(theirs), TOLERANCE);
    }
    let layers: Vec<_> = match &net.fc {
        ProjectionHead::V1(linear) => vec![(linear, "grad.fc.weight")],
        ProjectionHead::V2(mlp) => vec![(&mlp.hidden, "grad.fc.0.weight"), (&mlp.output, "grad.fc.2.weight")],
        ProjectionHead::Mlp(_) => panic!("no head of a version"),
    };
    for (layer, theirs) in layers {
        let gradient = of(layer.weight.grad(&gradients)).transpose().into_data();
        assert_close(theirs, &gradient, &fixture.data(theirs), TOLERANCE);
    }

    let after = state_dict(&net);
    for buffer in ["running_mean", "running_var"] {
        assert_close(buffer, &after[&format!("norm.{buffer}")], &fixture.data(&format!("after.{buffer}")), TOLERANCE);
    }
}

#[test]
fn one_layer_on_three_splits() {
    assert_parity("projection_v1_split3", HeadVersion::V1, 3);
}

#[test]
fn two_layers_on_two_splits() {
    assert_parity("projection_v2_split2", HeadVersion::V2, 2);
}

fn projector(version: HeadVersion) -> Projector<slowburn_models::SmallConvNet> {
    let encoder = SmallConvNetConfig::new().with_widths([4, 6, 8]).init(&plain()).unwrap();
    ProjectionConfig::new(version).with_dim(3).init(encoder, &plain()).unwrap()
}

#[test]
fn names_are_those_of_mocos_checkpoints() {
    let heads = |version| -> Vec<String> {
        let names = parameters(&projector(version)).into_iter().map(|parameter| parameter.name);
        names.filter(|name| name.starts_with("fc")).collect()
    };
    assert_eq!(heads(HeadVersion::V1), ["fc.weight", "fc.bias"]);
    assert_eq!(heads(HeadVersion::V2), ["fc.0.weight", "fc.0.bias", "fc.2.weight", "fc.2.bias"]);
    let names: Vec<String> = parameters(&projector(HeadVersion::V1)).into_iter().map(|p| p.name).collect();
    assert_eq!(names[..2], ["conv1.weight", "bn1.weight"]);
}

#[test]
fn embeddings_have_the_announced_shape_and_number_of_weights() {
    for (version, weights) in [(HeadVersion::V1, 8 * 3 + 3), (HeadVersion::V2, 8 * 8 + 8 + 8 * 3 + 3)] {
        let projector = projector(version);
        assert_eq!(projector.forward(images([2, 1, 12, 12], &plain())).dims(), [2, 3]);
        assert_eq!(projector.fc.dim(), 3);
        assert_eq!(num_learnable_params(&projector.fc), weights);
    }
}

#[test]
fn an_empty_embedding_is_refused() {
    let error = ProjectionConfig::new(HeadVersion::V1).with_dim(0).validate();
    assert_eq!(error, Err(ModelError::OutOfRange { field: "dim", value: 0.0, allowed: "at least 1" }));
    let error = ProjectionConfig::new(HeadVersion::V2).init_head(0, &plain()).expect_err("no features");
    assert_eq!(error.to_string(), "feature_dim is 0, but must be at least 1");
}

#[test]
fn a_projector_travels_as_a_state_dict() {
    let source = projector(HeadVersion::V2);
    let state: StateDict = state_dict(&source);
    let target = load_state_dict(projector(HeadVersion::V2), &state).expect("the same network");
    assert_eq!(state_dict(&target), state);
    let weight: &TensorData = &state["fc.2.weight"];
    assert_eq!(weight.shape().as_slice(), [3, 8], "PyTorch's layout");
}
