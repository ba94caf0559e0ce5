//! Every network, in every form.

use std::collections::BTreeSet;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData, activation::softmax};
use slowburn_models::onnx::{Normalise, Onnx, OnnxOptions, export_classifier, export_encoder, export_projector};
use slowburn_models::{
    BlockKind, ClassifierConfig, ConvNet13Config, Encoder, HeadVersion, Norm, Normalization, ProjectionConfig,
    ProjectionInput, ResNet9Config, ResNetConfig, SmallConvNetConfig, Stem, WideResNetConfig,
};

use crate::support::{error, metadata, normalised, pixels, run, values, varied};

/// Another program adds in another order: 32-bit rounding, of which a folded network does some more, before it runs.
const TOLERANCE: f32 = 1e-5;

/// Checks all forms of an encoder against its forward pass, and returns the operations of the folded and of the plain one.
fn check<E: Encoder>(encoder: E, image: [usize; 3], norms_left: usize) {
    let device = Device::flex();
    let encoder = varied(encoder);
    let classifier = ClassifierConfig::new(3).with_consistency_head(true).init(encoder.valid(), &device).unwrap();
    let classifier = varied(classifier);
    let plain = encoder.valid();
    for fold_batch_norm in [false, true] {
        for normalise in [Normalise::Inside, Normalise::Outside] {
            let options = OnnxOptions { normalise, fold_batch_norm };
            let features = export_encoder(&encoder, &options, &metadata(image)).unwrap();
            agrees(&features, image, &options, |images| plain.features(images));
            let probabilities = export_classifier(&classifier, &options, &metadata(image)).unwrap();
            agrees(&probabilities, image, &options, |images| softmax(classifier.forward(images), 1));
            for onnx in [features, probabilities] {
                looks_right(&onnx, &options, norms_left);
            }
        }
    }
}

/// Batches of one and of five: the exporter saw two and three.
fn agrees(onnx: &Onnx, image: [usize; 3], options: &OnnxOptions, forward: impl Fn(Tensor<4>) -> Tensor<2>) {
    let device = Device::flex();
    for batch in [1, 5] {
        let pixels = pixels(batch, image);
        let normal = normalised(&pixels, image, &metadata(image));
        let [channels, height, width] = image;
        let images = TensorData::new(normal.clone(), [batch, channels, height, width]);
        let expected = forward(Tensor::from_data(images, &device));
        let input = if options.normalise == Normalise::Inside { pixels } else { normal };
        let (shape, found) = run(onnx, &input, image);
        assert_eq!(shape, expected.dims());
        let error = error(&found, &values(expected));
        assert!(error <= TOLERANCE, "{options:?}, {batch} images: {error}");
    }
}

/// What there may be in a graph.
fn looks_right(onnx: &Onnx, options: &OnnxOptions, norms_left: usize) {
    let operations = onnx.operations();
    let mut known = BTreeSet::from([
        "Conv",
        "Relu",
        "LeakyRelu",
        "Add",
        "MaxPool",
        "GlobalAveragePool",
        "Flatten",
        "Gemm",
        "Softmax",
    ]);
    let norms = operations.get("BatchNormalization").copied().unwrap_or_default();
    match options.fold_batch_norm {
        true => assert_eq!(norms, norms_left),
        // Mean-only batch normalisation is a difference and a sum.
        false => known.extend(["BatchNormalization", "Sub"]),
    }
    known.insert("BatchNormalization");
    let mut others: Vec<&str> = operations.keys().copied().filter(|operation| !known.contains(operation)).collect();
    if options.normalise == Normalise::Inside {
        others.retain(|operation| !["Sub", "Div"].contains(operation));
    }
    assert_eq!(others, Vec::<&str>::new());
}

#[test]
fn small_conv_net() {
    let config = SmallConvNetConfig { dropout: 0.5, input_noise: 0.1, ..SmallConvNetConfig::new() };
    check(config.with_widths([4, 6, 5]).init(&Device::flex().autodiff()).unwrap(), [1, 28, 28], 0);
}

#[test]
fn conv_net13() {
    for normalization in [Normalization::Batch, Normalization::WeightNormMeanOnly] {
        let config = ConvNet13Config::new().with_width(4).with_normalization(normalization);
        check(config.init(&Device::flex().autodiff()).unwrap(), [3, 32, 32], 0);
    }
}

#[test]
fn res_net() {
    for (block, stem, image) in [
        (BlockKind::Basic, Stem::Cifar, [3, 32, 32]),
        (BlockKind::Basic, Stem::ImageNet, [1, 64, 64]),
        (BlockKind::Bottleneck, Stem::Cifar, [3, 16, 24]),
        (BlockKind::Bottleneck, Stem::ImageNet, [3, 64, 64]),
    ] {
        let config = ResNetConfig::new(block, [2, 1, 1, 1]).with_stem(stem).with_width(4).with_in_channels(image[0]);
        check(config.with_norm(Norm::Split { splits: 2 }).init(&Device::flex().autodiff()).unwrap(), image, 0);
    }
}

#[test]
fn res_net9() {
    let config = ResNet9Config::new().with_width(2).with_norm(Norm::Split { splits: 2 });
    // Between a convolution and its normalisation is a maximum, which a negative scale would make a minimum.
    check(config.init(&Device::flex().autodiff()).unwrap(), [3, 32, 32], 3);
}

#[test]
fn wide_res_net() {
    // Of the normalisations at the start of six blocks and at the end, the first comes right after a convolution,
    // and where it alone reads that, it is folded.
    for (projection, left) in [(ProjectionInput::Activated, 6), (ProjectionInput::ActivatedInFirstBlock, 6)] {
        let config = WideResNetConfig::new(16, 2).with_base_width(4).with_projection_input(projection);
        check(config.init(&Device::flex().autodiff()).unwrap(), [3, 32, 32], left);
    }
}

#[test]
fn projector() {
    let image = [1, 28, 28];
    let device = Device::flex().autodiff();
    for version in [HeadVersion::V1, HeadVersion::V2] {
        let encoder = SmallConvNetConfig::new().with_widths([4, 6, 5]).init(&device).unwrap();
        let projector = varied(ProjectionConfig::new(version).with_dim(7).init(encoder, &device).unwrap());
        let options = OnnxOptions::default();
        let onnx = export_projector(&projector, &options, &metadata(image)).unwrap();
        agrees(&onnx, image, &options, |images| projector.valid().forward(images));
    }
}
