//! Heads with batch normalisation: names, what is learned, modes. Their numbers beside PyTorch's are those of
//! `slowburn-contrastive`'s fixture of BYOL, SimSiam and MoCo v3.

use burn::module::Module;
use burn::optim::{GradientsParams, SgdConfig};
use slowburn_models::{
    MlpHead, MlpHeadConfig, ModelError, OutputNorm, SmallConvNetConfig, load_state_dict, num_learnable_params,
    parameters, state_dict,
};
use slowburn_testkit::tensor;

use crate::support::{assert_close, images, plain, training};

fn names(head: &MlpHead) -> Vec<String> {
    parameters(head).into_iter().map(|parameter| parameter.name).collect()
}

fn norm(number: usize) -> [String; 4] {
    ["weight", "bias", "running_mean", "running_var"].map(|name| format!("{number}.{name}"))
}

#[test]
fn names_are_those_of_a_sequential() {
    let byol = MlpHeadConfig::byol().init(8, &plain()).unwrap();
    let expected: Vec<String> = ["0.weight", "0.bias"].map(String::from).into_iter().chain(norm(1)).collect();
    assert_eq!(names(&byol), [expected, vec!["3.weight".to_owned()]].concat());

    let simsiam = MlpHeadConfig::simsiam_projector().init(8, &plain()).unwrap();
    let linear = |number: usize| vec![format!("{number}.weight")];
    let last = ["7.running_mean", "7.running_var"].map(String::from).to_vec();
    let expected = [linear(0), norm(1).to_vec(), linear(3), norm(4).to_vec(), linear(6), last];
    assert_eq!(names(&simsiam), expected.concat());

    let predictor = MlpHeadConfig::simsiam_predictor().init(2048, &plain()).unwrap();
    let last = ["3.weight", "3.bias"].map(String::from).to_vec();
    assert_eq!(names(&predictor), [linear(0), norm(1).to_vec(), last].concat());

    // Without normalisation only the rectifier is between: MoCo v2's names.
    let v2 = MlpHeadConfig::new(vec![8], 3).with_hidden_bias(true).with_hidden_norm(false).with_output_bias(true);
    assert_eq!(names(&v2.init(8, &plain()).unwrap()), ["0.weight", "0.bias", "2.weight", "2.bias"]);
}

#[test]
fn a_projector_has_them_below_fc() {
    let encoder = SmallConvNetConfig::new().with_widths([4, 6, 8]).init(&plain()).unwrap();
    let projector = MlpHeadConfig::moco_v3_projector().with_dim(5).init_projector(encoder, &plain()).unwrap();
    let head: Vec<String> = parameters(&projector)
        .into_iter()
        .map(|parameter| parameter.name)
        .filter(|name| name.starts_with("fc"))
        .collect();
    assert_eq!(head[0], "fc.0.weight");
    assert_eq!(head[head.len() - 1], "fc.4.running_var");
    assert_eq!(projector.forward(images([2, 1, 12, 12], &plain())).dims(), [2, 5]);
    assert_eq!(projector.fc.dim(), 5);
}

#[test]
fn as_many_weights_as_the_papers_layers_have() {
    let counts = [
        (MlpHeadConfig::byol(), 2048, 2048 * 4096 + 4096 + 2 * 4096 + 4096 * 256),
        (MlpHeadConfig::byol(), 256, 256 * 4096 + 4096 + 2 * 4096 + 4096 * 256),
        (MlpHeadConfig::simsiam_projector(), 2048, 3 * 2048 * 2048 + 4 * 2048),
        (MlpHeadConfig::simsiam_projector_cifar(), 512, 512 * 2048 + 2 * 2048 + 2048 * 2048),
        (MlpHeadConfig::simsiam_predictor(), 2048, 2048 * 512 + 2 * 512 + 512 * 2048 + 2048),
        (MlpHeadConfig::moco_v3_projector(), 2048, 2048 * 4096 + 2 * 4096 + 4096 * 256),
        (MlpHeadConfig::moco_v3_predictor(), 256, 256 * 4096 + 2 * 4096 + 4096 * 256),
    ];
    for (config, inputs, expected) in counts {
        let head = config.init(inputs, &plain()).unwrap();
        assert_eq!(num_learnable_params(&head), expected, "{config}");
        assert_eq!((head.feature_dim(), head.dim()), (inputs, config.dim));
    }
}

/// In training its output is normalised, and the pass moves the statistics that evaluation uses.
#[test]
fn a_last_normalisation_without_scale_normalises() {
    let config = MlpHeadConfig::new(vec![], 3).with_output_norm(OutputNorm::Plain);
    let head = config.init(4, &training()).unwrap();
    let input = tensor::<2>(1, [50, 4], &training());
    let linear = head.layers()[0].linear.forward(input.clone());
    let output = head.forward(input.clone());
    let square = output.clone().powi_scalar(2).mean_dim(0);
    for (mean, square) in output.mean_dim(0).into_data().iter::<f32>().zip(square.into_data().iter::<f32>()) {
        assert!(mean.abs() < 1e-5 && (square - 1.0).abs() < 1e-3, "{mean} {square}");
    }
    let state = state_dict(&head);
    assert_eq!(state.keys().collect::<Vec<_>>(), ["0.weight", "1.running_mean", "1.running_var"]);
    let mean = linear.mean_dim(0).squeeze_dim::<1>(0).mul_scalar(0.1);
    assert_close("running mean", &state["1.running_mean"], &mean.into_data(), 1e-5);

    let before = head.valid().forward(input.clone().without_autodiff()).into_data();
    let moved = head.valid();
    assert_close("evaluation leaves statistics", &moved.forward(input.without_autodiff()).into_data(), &before, 0.0);
}

#[test]
fn only_what_has_a_name_is_learned_and_travels() {
    let config = MlpHeadConfig::new(vec![5], 3).with_output_norm(OutputNorm::Plain);
    let head = config.init(4, &training()).unwrap();
    let input = tensor::<2>(1, [6, 4], &training());
    let loss = (head.forward(input.clone()) * tensor::<2>(2, [6, 3], &training())).sum();
    let gradients = GradientsParams::from_grads(loss.backward(), &head);
    assert_eq!(gradients.len(), 4, "two matrices, one scale, one shift");
    let head = SgdConfig::new().init().step(0.1, head, gradients);
    let other = load_state_dict(config.init(4, &training()).unwrap(), &state_dict(&head)).unwrap();
    let outputs = [&head, &other].map(|head| head.valid().forward(input.clone().without_autodiff()).into_data());
    assert_eq!(outputs[0], outputs[1]);
}

#[test]
fn widths_of_nothing_are_refused() {
    let error = MlpHeadConfig::new(vec![4, 0], 3).validate();
    assert_eq!(error, Err(ModelError::OutOfRange { field: "hidden", value: 0.0, allowed: "at least 1" }));
    assert!(MlpHeadConfig::byol().with_dim(0).validate().is_err());
    let error = MlpHeadConfig::byol().init(0, &plain()).expect_err("no features");
    assert_eq!(error.to_string(), "feature_dim is 0, but must be at least 1");
}
