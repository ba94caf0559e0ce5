//! Weights out and in.

use burn::{
    module::Module,
    tensor::{Tensor, TensorData},
};
use slowburn_models::{
    Classifier, ClassifierConfig, Encoder, ModelError, SmallConvNet, SmallConvNetConfig, load_state_dict, state_dict,
};

use crate::support::{images, plain, training, values};

fn model(device: &burn::tensor::Device) -> Classifier<SmallConvNet> {
    let encoder = SmallConvNetConfig::new().with_widths([4, 6, 8]).init(device).unwrap();
    ClassifierConfig::new(3).init(encoder, device).unwrap()
}

#[test]
fn a_state_dict_carries_the_whole_network() {
    let source = model(&training());
    source.forward(images([8, 1, 12, 12], &training()) + 1.0);
    let state = state_dict(&source);
    assert_eq!(state["fc.weight"].shape().as_slice(), [3, 8]);

    let target = load_state_dict(model(&plain()), &state).expect("the same network");
    assert_eq!(state_dict(&target), state);
    let batch = images([2, 1, 12, 12], &plain());
    let expected = source.valid().forward(batch.clone());
    assert_eq!(values(target.forward(batch)), values(expected));
}

/// Burn holds the statistics of the last forward pass back until the next one.
#[test]
fn statistics_in_waiting_neither_get_lost_nor_overwrite_what_is_loaded() {
    let source = model(&training());
    let fresh = state_dict(&source);
    source.forward(images([8, 1, 12, 12], &training()) + 1.0);
    let state = state_dict(&source);
    let name = "bn1.running_mean";
    assert_ne!(state[name], fresh[name], "the last pass is missing");

    let loaded = load_state_dict(source, &fresh).expect("the same network");
    assert_eq!(state_dict(&loaded)[name], fresh[name]);
    let loaded = loaded.valid();
    assert_eq!(values(loaded.encoder.bn1.norm.running_mean.value()), [0.0; 4]);
}

#[test]
fn loading_keeps_identities_devices_and_what_is_learned() {
    let frozen = model(&training());
    let frozen = Classifier { encoder: frozen.encoder.no_grad(), ..frozen };
    let ids = burn::module::list_param_ids(&frozen);
    let loaded = load_state_dict(frozen, &state_dict(&model(&plain()))).expect("the same network");
    assert_eq!(burn::module::list_param_ids(&loaded), ids);
    assert!(loaded.fc.weight.val().is_autodiff());
    assert!(loaded.fc.weight.is_require_grad());
    assert!(!loaded.encoder.conv1.weight.is_require_grad());
}

#[test]
fn linear_weights_are_transposed() {
    let state = state_dict(&model(&plain()));
    let mut changed = state.clone();
    let weight: Vec<f32> = (0..24).map(|i| i as f32).collect();
    changed.insert("fc.weight".into(), TensorData::new(weight, [3, 8]));
    let loaded = load_state_dict(model(&plain()), &changed).expect("the same network");
    let row: Tensor<2> = loaded.fc.weight.val().narrow(0, 1, 1);
    assert_eq!(values(row), [1.0, 9.0, 17.0]);
}

#[test]
fn what_does_not_fit_is_named_and_nothing_is_written() {
    let target = model(&plain());
    let state = state_dict(&model(&plain()));
    let before = state_dict(&target);

    let mut counted = state.clone();
    counted.insert("bn1.num_batches_tracked".into(), TensorData::from([3]));
    assert!(load_state_dict(model(&plain()), &counted).is_ok());

    let mut missing = state.clone();
    missing.remove("bn3.running_var");
    let error = load_state_dict(target.clone(), &missing).expect_err("an entry is missing");
    let name = "bn3.running_var".to_string();
    assert_eq!(error, ModelError::MissingWeight { name });

    let mut unknown = state.clone();
    unknown.insert("conv4.weight".into(), TensorData::from([1.0]));
    let error = load_state_dict(target.clone(), &unknown).expect_err("an entry is unknown");
    let name = "conv4.weight".to_string();
    assert_eq!(error, ModelError::UnknownWeight { name });

    let mut misshapen = state;
    misshapen.insert("fc.weight".into(), TensorData::zeros::<f32, _>([8, 3]));
    let error = load_state_dict(target.clone(), &misshapen).expect_err("a shape differs");
    assert_eq!(error.to_string(), "`fc.weight` has the shape [8, 3] in the state dict, but must be [3, 8]");
    assert_eq!(state_dict(&target), before);
}

#[test]
fn the_head_reads_the_encoders_features() {
    let model = model(&plain());
    let batch = images([2, 1, 12, 12], &plain());
    let features = model.encoder.features(batch.clone());
    let apart = model.heads(features).0;
    assert_eq!(values(apart), values(model.forward(batch)));
}
