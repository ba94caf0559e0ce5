//! Names, shapes and numbers of parameters.

use std::collections::BTreeMap;

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use slowburn_models::{
    ClassifierConfig, ConvNet13Config, Encoder, Normalization, ParameterInfo, ResNet9Config, ResNetConfig,
    SmallConvNetConfig, Stem, WideResNetConfig, num_learnable_params, parameters,
};

use crate::support::{fixture_path, plain};

/// Every name and shape of torchvision's state dict, and no other, and its number of parameters.
#[test]
fn resnets_have_torchvisions_names_and_shapes() {
    let text = std::fs::read_to_string(fixture_path("torchvision_names.json")).expect("fixture");
    let fixture: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    for (name, config, learnable) in [
        ("resnet18", ResNetConfig::resnet18(), 11_689_512),
        ("resnet34", ResNetConfig::resnet34(), 21_797_672),
        ("resnet50", ResNetConfig::resnet50(), 25_557_032),
    ] {
        let expected: BTreeMap<String, Vec<usize>> =
            serde_json::from_value(fixture[name]["shapes"].clone()).expect("names and shapes");
        let model = ClassifierConfig::new(1000).init(config.init(&plain()).unwrap(), &plain()).unwrap();
        let list = parameters(&model);
        let found: BTreeMap<String, Vec<usize>> =
            list.iter().map(|parameter| (parameter.name.clone(), parameter.shape.clone())).collect();
        assert_eq!(found, expected, "{name}");
        assert_eq!(found.len(), list.len(), "{name}: a name occurs twice");
        assert_eq!(fixture[name]["learnable"], learnable, "{name}");
        assert_eq!(num_learnable_params(&model), learnable, "{name}");
    }
}

#[test]
fn resnet9_has_as_many_parameters_as_its_table_says() {
    let learnable = |width| num_learnable_params(&ResNet9Config::new().with_width(width).init(&plain()).unwrap());
    let of = |w: usize| {
        let convolutions = 3 * w + 2 * w * w + 2 * (2 * w) * (2 * w) + 8 * w * w + 32 * w * w + 2 * 64 * w * w;
        9 * convolutions + 2 * (w + 3 * 2 * w + 4 * w + 3 * 8 * w)
    };
    assert_eq!((learnable(64), learnable(32)), (of(64), of(32)));
    assert_eq!(learnable(64), 6_568_000);
}

#[test]
fn the_cifar_stem_changes_the_first_kernel_only() {
    let shapes = |stem| {
        let config = ResNetConfig::resnet18().with_stem(stem);
        parameters(&config.init(&plain()).unwrap())
    };
    let (large, small) = (shapes(Stem::ImageNet), shapes(Stem::Cifar));
    assert_eq!(large[0].shape, [64, 3, 7, 7]);
    assert_eq!(small[0].shape, [64, 3, 3, 3]);
    assert_eq!(large[1..], small[1..]);
}

#[test]
fn names_are_the_same_inside_and_outside_a_classifier() {
    let encoder = ResNetConfig::resnet18().init(&plain()).unwrap();
    let outside = parameters(&encoder);
    let inside = parameters(&ClassifierConfig::new(10).init(encoder, &plain()).unwrap());
    for (outside, inside) in outside.iter().zip(&inside) {
        assert_eq!(outside.name, inside.name);
        assert_eq!(outside.path, inside.path);
    }
}

/// A struct of the user's own that is called as one of ours keeps the names of its fields.
#[test]
fn names_of_a_users_structs_are_his_fields() {
    #[derive(Module, Debug)]
    struct Mlp {
        hidden: Linear,
        output: Linear,
    }
    #[derive(Module, Debug)]
    struct Classifier {
        encoder: Mlp,
    }
    let linear = || LinearConfig::new(2, 2).with_bias(false).init(&plain());
    let names = |list: Vec<ParameterInfo>| list.into_iter().map(|parameter| parameter.name).collect::<Vec<_>>();
    let mlp = Mlp { hidden: linear(), output: linear() };
    assert_eq!(names(parameters(&mlp)), ["hidden.weight", "output.weight"]);
    let classifier = Classifier { encoder: mlp };
    assert_eq!(names(parameters(&classifier)), ["encoder.hidden.weight", "encoder.output.weight"]);
}

#[test]
fn wide_resnet_28_2_has_the_papers_number_of_parameters() {
    let encoder = WideResNetConfig::wrn_28_2().init(&plain()).unwrap();
    assert_eq!(encoder.feature_dim(), 128);
    let model = ClassifierConfig::new(10).init(encoder, &plain()).unwrap();
    assert_eq!(num_learnable_params(&model), 1_467_610);
}

/// Counted from the table of the paper: nine convolutions, a scale and a shift (or a length and a
/// bias) for each of their channels, and the head.
#[test]
fn conv_net_13_has_the_papers_layers() {
    let layers = [
        (3, 128, 9),
        (128, 128, 9),
        (128, 128, 9),
        (128, 256, 9),
        (256, 256, 9),
        (256, 256, 9),
        (256, 512, 9),
        (512, 256, 1),
        (256, 128, 1),
    ];
    let convolutions: usize = layers.map(|(cin, cout, area)| cin * cout * area + 2 * cout).iter().sum();
    for normalization in [Normalization::Batch, Normalization::WeightNormMeanOnly] {
        let config = ConvNet13Config::new().with_normalization(normalization);
        let model = ClassifierConfig::new(10).init(config.init(&plain()).unwrap(), &plain()).unwrap();
        assert_eq!(num_learnable_params(&model), convolutions + 1290);
    }
    assert_eq!(convolutions + 1290, 3_121_802);
}

#[test]
fn a_second_head_adds_its_own_weights() {
    let config = SmallConvNetConfig::new();
    let one = ClassifierConfig::new(10).init(config.init(&plain()).unwrap(), &plain()).unwrap();
    let two =
        ClassifierConfig::new(10).with_consistency_head(true).init(config.init(&plain()).unwrap(), &plain()).unwrap();
    assert_eq!(num_learnable_params(&one), 92_896 + 1290);
    assert_eq!(num_learnable_params(&two), 92_896 + 2 * 1290);
    assert_eq!(two.num_classes(), 10);
    // Burn counts the running statistics: a mean and a variance for 32 + 64 + 128 channels.
    assert_eq!(one.num_params(), num_learnable_params(&one) + 2 * 224);
}
