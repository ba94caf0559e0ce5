//! The same weights in every form.

use burn::module::Module;
use burn::tensor::{DType, Device, Tensor};
use slowburn_models::weights::{Format, LoadOptions, WeightsFile, load};
use slowburn_models::{StateDict, parameters, state_dict};
use slowburn_testkit::values;

use crate::support::{device, expected, expected_tensor, loaded, path, tiny};

/// The values as another type holds them.
fn rounded(state: &StateDict, dtype: DType) -> StateDict {
    let through = |data: &burn::tensor::TensorData| data.clone().convert_dtype(dtype).convert::<f32>();
    state.iter().map(|(name, data)| (name.clone(), through(data))).collect()
}

#[test]
fn every_form_gives_the_same_weights() {
    let state = expected("state.");
    for (name, format, dtype) in [
        ("zip.pth", Format::Zip, DType::F32),
        ("legacy.pth", Format::Legacy, DType::F32),
        ("tar.pth.tar", Format::Tar, DType::F32),
        ("plain.safetensors", Format::Safetensors, DType::F32),
        ("double.pth", Format::Zip, DType::F64),
        ("half.pth", Format::Zip, DType::F16),
        ("half.safetensors", Format::Safetensors, DType::F16),
        ("bfloat16.safetensors", Format::Safetensors, DType::BF16),
        ("no_crc.pth", Format::Zip, DType::F32),
        ("whole_model.pth", Format::Zip, DType::F32),
    ] {
        assert_eq!(WeightsFile::open(path(name)).unwrap().format(), format, "{name}");
        let (found, loaded) = loaded(name, &LoadOptions::default()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(found, rounded(&state, dtype), "{name}");
        assert!(loaded.kept.is_empty(), "{name}: {loaded}");
    }
}

#[test]
fn weights_are_32_bit_floats_whatever_the_file_holds() {
    let file = WeightsFile::open(path("half.pth")).unwrap();
    let (network, _) = load(tiny(), &file, &LoadOptions::default()).unwrap();
    assert_eq!(network.encoder.conv1.weight.val().dtype(), DType::F32);
}

#[test]
fn the_network_computes_what_pytorch_computes_in_both_modes() {
    let file = WeightsFile::open(path("legacy.pth")).unwrap();
    let (network, _) = load(tiny(), &file, &LoadOptions::default()).unwrap();
    let input = |device: Device| Tensor::<4>::from_data(expected_tensor("input"), &device);
    let close = |what: &str, found: Vec<f32>, wanted: Vec<f32>| {
        let scale = wanted.iter().fold(0.0_f32, |max, value| max.max(value.abs()));
        assert_eq!(found.len(), wanted.len(), "{what}");
        let error = found.iter().zip(&wanted).map(|(a, b)| (a - b).abs() / scale).fold(0.0, f32::max);
        assert!(scale > 0.0 && error < 5e-5, "{what}: {error}");
    };
    let numbers = |name: &str| expected_tensor(name).iter::<f32>().collect::<Vec<_>>();
    close("eval", values(network.forward(input(device()))), numbers("eval"));
    let network = network.train();
    let logits = network.forward(input(device().autodiff()));
    close("train", values(logits.clone()), numbers("train"));
    let gradients = logits.powi_scalar(2).mean().backward();
    let of_conv1 = network.encoder.conv1.weight.val().grad(&gradients).expect("learned");
    close("conv1", values(of_conv1), numbers("grad.conv1.weight"));
    let of_fc = network.fc.weight.val().grad(&gradients).expect("learned").transpose();
    close("fc", values(of_fc), numbers("grad.fc.weight"));
}

#[test]
fn parameters_keep_their_identity_and_statistics_reach_clones() {
    let network = tiny();
    let id = network.fc.weight.id;
    let clone = network.clone();
    let file = WeightsFile::open(path("zip.pth")).unwrap();
    let (network, _) = load(network, &file, &LoadOptions::default()).unwrap();
    assert_eq!(network.fc.weight.id, id);
    // What `load` says in its documentation.
    let (new, old) = (state_dict(&network), state_dict(&clone));
    assert_eq!(new["bn1.running_mean"], old["bn1.running_mean"]);
    assert_ne!(new["bn1.weight"], old["bn1.weight"]);
    assert_eq!(parameters(&network), parameters(&clone));
}
