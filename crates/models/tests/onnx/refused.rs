//! What is refused, and in which words.

use burn::tensor::activation::gelu;
use burn::tensor::{Device, Tensor};
use slowburn_models::onnx::{Normalise, OnnxError, OnnxOptions, Output, export, export_encoder};
use slowburn_models::weights::Metadata;
use slowburn_models::{Encoder, SmallConvNet, SmallConvNetConfig};

use crate::support::metadata;

fn small() -> SmallConvNet {
    SmallConvNetConfig::new().with_widths([4, 6, 5]).init(&Device::flex()).unwrap()
}

fn error(metadata: &Metadata) -> String {
    export_encoder(&small(), &OnnxOptions::default(), metadata).unwrap_err().to_string()
}

#[test]
fn an_operation_is_named() {
    let forward = |model: &SmallConvNet, images: Tensor<4>| gelu(model.features(images));
    let refused = export(&small(), Output::Features, &OnnxOptions::default(), &metadata([1, 28, 28]), forward);
    let error = refused.unwrap_err();
    assert!(matches!(&error, OnnxError::Operation { operation } if operation == "Gelu"), "{error:?}");
    assert_eq!(
        error.to_string(),
        "burn-onnx has no ONNX form of Burn's operation `Gelu`; the module `onnx` says what can be exported"
    );
}

#[test]
fn a_part_of_the_batch_is_refused() {
    let forward = |model: &SmallConvNet, images: Tensor<4>| model.features(images).narrow(0, 0, 1);
    let refused = export(&small(), Output::Features, &OnnxOptions::default(), &metadata([1, 28, 28]), forward);
    let error = refused.unwrap_err();
    assert!(matches!(&error, OnnxError::Export(_)), "{error:?}");
}

#[test]
fn metadata_must_say_the_size() {
    let none = Metadata { image: None, ..metadata([1, 28, 28]) };
    assert_eq!(error(&none), "the metadata do not say the size of the images, which the graph's input needs");
    let empty = Metadata { image: Some([1, 0, 28]), ..metadata([1, 28, 28]) };
    assert_eq!(error(&empty), "images are [1, 0, 28] (channels, height, width), but each must be at least 1");
}

#[test]
fn metadata_must_say_how_images_are_normalised_inside() {
    let none = Metadata { mean: Vec::new(), ..metadata([1, 28, 28]) };
    assert_eq!(
        error(&none),
        "normalisation inside the graph needs a mean and a deviation for each of 1 channels; the metadata have 0 means and 1 \
         deviations"
    );
    let zero = Metadata { std: vec![0.0], ..metadata([1, 28, 28]) };
    assert_eq!(error(&zero), "channel 0 has the deviation 0, but it must be finite and greater than 0");
    let odd = Metadata { mean: vec![f32::NAN], ..metadata([1, 28, 28]) };
    assert_eq!(error(&odd), "channel 0 has the mean NaN, but it must be finite");

    let outside = OnnxOptions { normalise: Normalise::Outside, ..OnnxOptions::default() };
    assert!(export_encoder(&small(), &outside, &none).is_ok());
}
