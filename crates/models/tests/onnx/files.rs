//! What is in a file besides numbers.

use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::Device;
use onnx_ir::{Message, ModelProto};
use slowburn_models::onnx::{Normalise, OnnxError, OnnxOptions, Output, export, export_classifier, export_encoder};
use slowburn_models::{
    Classifier, ClassifierConfig, ConvNet13Config, Normalization, ResNet, ResNetConfig, SmallConvNet,
    SmallConvNetConfig, Stem, parameters, state_dict,
};

use crate::support::{metadata, varied};

fn res_net() -> Classifier<ResNet> {
    let device = Device::flex().autodiff();
    let encoder = ResNetConfig::resnet18().with_stem(Stem::Cifar).with_width(4).init(&device).unwrap();
    varied(ClassifierConfig::new(3).init(encoder, &device).unwrap())
}

fn small() -> SmallConvNet {
    varied(SmallConvNetConfig::new().with_widths([4, 6, 5]).init(&Device::flex().autodiff()).unwrap())
}

const OUTSIDE: OnnxOptions = OnnxOptions { normalise: Normalise::Outside, fold_batch_norm: false };

#[test]
fn tensors_have_pytorchs_names_and_shapes() {
    let model = res_net();
    let onnx = export_classifier(&model, &OUTSIDE, &metadata([3, 32, 32])).unwrap();
    let found: BTreeMap<String, Vec<usize>> = onnx.tensors().map(|(name, shape)| (name.to_owned(), shape)).collect();
    let expected: BTreeMap<_, _> = parameters(&model).into_iter().map(|info| (info.name, info.shape)).collect();
    assert_eq!(found, expected);
    assert_eq!(found["fc.weight"], [3, 32]);
}

#[test]
fn a_normalised_weight_is_a_weight() {
    let config = ConvNet13Config::new().with_width(4).with_normalization(Normalization::WeightNormMeanOnly);
    let model = varied(config.init(&Device::flex()).unwrap());
    let onnx = export_encoder(&model, &OUTSIDE, &metadata([3, 32, 32])).unwrap();
    let found: Vec<(&str, Vec<usize>)> = onnx.tensors().take(3).collect();
    assert_eq!(found[0], ("block1.0.conv.weight", vec![4, 3, 3, 3]));
    assert_eq!(found[1], ("block1.0.norm.bias", vec![1, 4, 1, 1]));
    assert_eq!(found[2], ("block1.0.norm.running_mean", vec![1, 4, 1, 1]));
    assert_eq!(onnx.tensors().count(), 3 * 9);

    let folded = OnnxOptions { fold_batch_norm: true, ..OUTSIDE };
    let onnx = export_encoder(&model, &folded, &metadata([3, 32, 32])).unwrap();
    let names: Vec<&str> = onnx.tensors().map(|(name, _)| name).take(2).collect();
    assert_eq!(names, ["block1.0.conv.bias", "block1.0.conv.weight"]);
}

#[test]
fn nodes_are_called_as_their_modules() {
    let onnx = export_classifier(&res_net(), &OnnxOptions::default(), &metadata([3, 32, 32])).unwrap();
    let model = ModelProto::parse_from_bytes(&onnx.to_bytes().unwrap()).unwrap();
    let nodes = &model.graph.node;
    let names: Vec<&str> = nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names[..6], ["normalise", "div_1", "conv1", "bn1", "relu_1", "layer1.0.conv1"]);
    assert_eq!(names[names.len() - 4..], ["globalaveragepool_1", "flatten_1", "fc", "softmax_1"]);
    assert_eq!(nodes[2].input, ["div_1", "conv1.weight"]);
    assert_eq!(nodes.last().unwrap().output, ["probabilities"]);
}

#[test]
fn a_file_says_what_it_needs() {
    let onnx = export_classifier(&res_net(), &OnnxOptions::default(), &metadata([3, 32, 32])).unwrap();
    let metadata = onnx.metadata();
    assert_eq!(metadata["slowburn.network"], "tested");
    assert_eq!(metadata["slowburn.image"], "[3,32,32]");
    assert_eq!(metadata["slowburn.mean"], "[0.485,0.456,0.406]");
    assert_eq!(metadata["slowburn.classes"], r#"["cat","dog","horse"]"#);
    assert_eq!(metadata["slowburn.input"], "pixels in [0, 1]");
    assert_eq!(metadata["slowburn.output"], "probabilities");
    assert_eq!(metadata["slowburn.version"], env!("CARGO_PKG_VERSION"));
    assert!(!metadata.contains_key("format"));

    let model = ModelProto::parse_from_bytes(&onnx.to_bytes().unwrap()).unwrap();
    assert_eq!((model.producer_name.as_str(), model.opset_import[0].version), ("slowburn-models", 18));
    assert_eq!(model.doc_string, "tested: images [batch, 3, 32, 32], pixels in [0, 1], to probabilities [batch, 3].");
    let [input, output] = [&model.graph.input[0], &model.graph.output[0]];
    let axes = |value: &onnx_ir::ValueInfoProto| {
        let shape = &value.type_.tensor_type().shape;
        shape.dim.iter().map(|dim| (dim.dim_param().to_owned(), dim.dim_value())).collect::<Vec<_>>()
    };
    let fixed = |length| (String::new(), length);
    let batch = ("batch".to_owned(), 0);
    assert_eq!((input.name.as_str(), axes(input)), ("images", vec![batch.clone(), fixed(3), fixed(32), fixed(32)]));
    assert_eq!((output.name.as_str(), axes(output)), ("probabilities", vec![batch, fixed(3)]));
}

#[test]
fn the_input_and_the_output_are_named_by_the_form() {
    let (model, image) = (res_net(), metadata([3, 32, 32]));
    let logits = export(&model, Output::Logits, &OUTSIDE, &image, Classifier::forward).unwrap();
    assert_eq!(logits.metadata()["slowburn.input"], "normalised");
    assert_eq!(logits.metadata()["slowburn.output"], "logits");
    assert!(!logits.operations().contains_key("Softmax"));
    let features = export_encoder(&model.encoder, &OUTSIDE, &image).unwrap();
    assert_eq!(features.metadata()["slowburn.output"], "features");
}

#[test]
fn equal_networks_give_equal_files() {
    let bytes =
        || export_encoder(&small(), &OnnxOptions::default(), &metadata([1, 28, 28])).unwrap().to_bytes().unwrap();
    assert_eq!(bytes(), bytes());
}

#[test]
fn a_file_is_whole_or_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("small.onnx");
    let onnx = export_encoder(&small(), &OnnxOptions::default(), &metadata([1, 28, 28])).unwrap();
    onnx.write(&path).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), onnx.to_bytes().unwrap());
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);

    let nowhere = folder.path().join("missing/small.onnx");
    let error = onnx.write(&nowhere).unwrap_err();
    assert!(matches!(&error, OnnxError::Io { path, .. } if *path == nowhere), "{error}");
}

#[test]
fn the_network_is_left_as_it_was() {
    let model = small();
    let before = state_dict(&model);
    let device = model.bn1.norm.running_mean.value().device();
    export_encoder(&model, &OnnxOptions::default(), &metadata([1, 28, 28])).unwrap();
    assert_eq!(model.bn1.norm.running_mean.value().device(), device);
    assert!(model.devices().iter().all(Device::is_autodiff) || model.devices().contains(&Device::flex()));
    assert_eq!(state_dict(&model), before);
}
