//! What configurations refuse, and how they are stored.

use burn::config::Config;
use slowburn_models::{
    ClassifierConfig, ConvNet13Config, Encoder, ModelError, Normalization, ResNetConfig, SmallConvNetConfig,
    WideResNetConfig,
    layers::{ConvUnitConfig, MeanOnlyBatchNormConfig, WeightNormConv2dConfig},
};

use crate::support::{images, plain};

#[track_caller]
fn refused(result: Result<(), ModelError>, message: &str) {
    assert_eq!(result.expect_err("it is refused").to_string(), message);
}

#[test]
fn errors_name_the_field_the_value_and_the_range() {
    let conv = ConvNet13Config::new;
    refused(conv().with_dropout(1.0).validate(), "dropout is 1, but must be in [0, 1)");
    refused(conv().with_dropout(f64::NAN).validate(), "dropout is NaN, but must be in [0, 1)");
    refused(conv().with_input_noise(-0.15).validate(), "input_noise is -0.15, but must be finite and at least 0");
    refused(conv().with_input_noise(f64::INFINITY).validate(), "input_noise is inf, but must be finite and at least 0");
    refused(conv().with_momentum(1.5).validate(), "momentum is 1.5, but must be in [0, 1]");
    refused(conv().with_width(0).validate(), "width is 0, but must be at least 1");
    refused(conv().with_negative_slope(f64::NAN).validate(), "negative_slope is NaN, but must be in [0, 1]");
    let resnet = ResNetConfig::resnet18;
    refused(resnet().with_in_channels(0).validate(), "in_channels is 0, but must be at least 1");
    let mut no_blocks = resnet();
    no_blocks.layers[2] = 0;
    refused(no_blocks.validate(), "layers is 0, but must be at least 1");
    refused(WideResNetConfig::new(27, 2).validate(), "depth is 27, but must be 6·n + 4 with n ≥ 1, as 16, 22 or 28");
    assert!(WideResNetConfig::new(4, 2).validate().is_err());
    refused(
        WideResNetConfig::wrn_28_2().with_epsilon(0.0).validate(),
        "epsilon is 0, but must be finite and greater than 0",
    );
    refused(SmallConvNetConfig::new().with_widths([32, 0, 128]).validate(), "widths is 0, but must be at least 1");
    refused(ClassifierConfig::new(0).validate(), "num_classes is 0, but must be at least 1");
    assert!(ConvUnitConfig::new([3, 0], 3).validate().is_err());
    assert!(WeightNormConv2dConfig::new([3, 4], 0).validate().is_err());
    assert!(MeanOnlyBatchNormConfig::new(4).with_momentum(f64::NAN).validate().is_err());
}

#[test]
fn init_returns_what_validate_found() {
    let device = plain();
    assert!(ConvNet13Config::new().with_width(0).init(&device).is_err());
    assert!(ResNetConfig::resnet50().with_width(0).init(&device).is_err());
    assert!(WideResNetConfig::new(11, 1).init(&device).is_err());
    assert!(SmallConvNetConfig::new().with_dropout(-0.1).init(&device).is_err());
    let encoder = SmallConvNetConfig::new().init(&device).unwrap();
    assert!(ClassifierConfig::new(0).init(encoder, &device).is_err());
}

#[test]
#[should_panic(expected = "axis 1 expected 3, got 1")]
fn images_with_other_channels_are_refused() {
    let model = ResNetConfig::resnet18().with_width(2).init(&plain()).unwrap();
    model.features(images([1, 1, 32, 32], &plain()));
}

#[test]
#[should_panic(expected = "images are 11×28 pixels, but must be at least 12×12")]
fn images_that_are_too_small_are_refused() {
    let model = ConvNet13Config::new().with_width(2).init(&plain()).unwrap();
    model.features(images([1, 3, 11, 28], &plain()));
}

#[test]
fn defaults_are_the_papers() {
    let config = ConvNet13Config::new();
    assert_eq!((config.width, config.in_channels), (128, 3));
    assert_eq!((config.input_noise, config.dropout), (0.15, 0.5));
    assert_eq!(config.negative_slope, 0.1);
    assert_eq!(config.normalization, Normalization::Batch);
    let usb = WideResNetConfig::wrn_28_2_usb();
    assert_eq!((usb.depth, usb.widen_factor), (28, 2));
    assert_eq!((usb.momentum, usb.epsilon), (0.001, 0.001));
}

#[test]
fn configurations_survive_serialisation() {
    let config = ResNetConfig::resnet50().with_in_channels(1).with_momentum(0.01);
    let text = serde_json::to_string(&config).expect("a configuration serialises");
    let again = ResNetConfig::load_binary(text.as_bytes()).expect("and back");
    assert_eq!(again, config);
    let config = ConvNet13Config::new().with_normalization(Normalization::WeightNormMeanOnly);
    let text = serde_json::to_string(&config).expect("a configuration serialises");
    let again = ConvNet13Config::load_binary(text.as_bytes()).expect("and back");
    assert_eq!(again, config);
}
