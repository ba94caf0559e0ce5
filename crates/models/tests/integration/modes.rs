//! Training and evaluation mode, and the way of gradients.

use burn::{
    module::Module,
    tensor::{Device, Tensor},
};
use slowburn_models::{
    ClassifierConfig, ConvNet13Config, Encoder, Normalization, ResNet9Config, ResNetConfig, SmallConvNetConfig, Stem,
    WideResNetConfig, load_state_dict, state_dict,
};

use crate::support::{images, plain, training, values};

fn conv_net_13() -> ConvNet13Config {
    ConvNet13Config::new().with_width(4)
}

#[test]
fn features_have_the_announced_shape() {
    let device = plain();
    let narrow = ResNetConfig::resnet18().with_width(4);
    let rgb = images([2, 3, 32, 32], &device);

    let cifar = narrow.clone().with_stem(Stem::Cifar).init(&device).unwrap();
    assert_eq!(cifar.features(rgb.clone()).dims(), [2, 32]);
    assert_eq!(cifar.feature_dim(), 32);
    let bottleneck = ResNetConfig::resnet50().with_width(2).init(&device).unwrap();
    assert_eq!(bottleneck.features(rgb.clone()).dims(), [2, 64]);
    assert_eq!(bottleneck.feature_dim(), 64);
    let wide = WideResNetConfig::new(10, 1).with_base_width(4).init(&device).unwrap();
    assert_eq!(wide.features(rgb.clone()).dims(), [2, 16]);
    assert_eq!(conv_net_13().init(&device).unwrap().features(rgb.clone()).dims(), [2, 4]);
    let short = ResNet9Config::new().with_width(2).init(&device).unwrap();
    assert_eq!((short.features(rgb.clone()).dims(), short.feature_dim()), ([2, 16], 16));
    assert_eq!(short.features(images([2, 3, 8, 8], &device)).dims(), [2, 16]);
    let small = SmallConvNetConfig::new().with_in_channels(3).init(&device).unwrap();
    assert_eq!(small.features(rgb).dims(), [2, 128]);

    let grey = images([2, 1, 28, 28], &device);
    let small = SmallConvNetConfig::new().init(&device).unwrap();
    assert_eq!(small.features(grey.clone()).dims(), [2, 128]);
    let conv = conv_net_13().with_in_channels(1).init(&device).unwrap();
    assert_eq!(conv.features(grey).dims(), [2, 4]);
    // The smallest images leave a single pixel.
    let smallest = images([2, 1, 12, 12], &device);
    assert_eq!(conv.features(smallest).dims(), [2, 4]);
    let smallest = images([2, 1, 9, 9], &device);
    assert_eq!(small.features(smallest).dims(), [2, 128]);
}

#[test]
fn dropout_and_noise_act_in_training_only() {
    for (noise, dropout) in [(0.15, 0.0), (0.0, 0.5)] {
        for normalization in [Normalization::Batch, Normalization::WeightNormMeanOnly] {
            let model = conv_net_13()
                .with_input_noise(noise)
                .with_dropout(dropout)
                .with_normalization(normalization)
                .init(&training())
                .unwrap();
            let batch = images([4, 3, 12, 12], &training());
            let first = values(model.features(batch.clone()));
            let second = values(model.features(batch.clone()));
            assert_ne!(first, second, "noise {noise}, dropout {dropout}");

            let valid = model.valid();
            let batch = batch.without_autodiff();
            let first = values(valid.features(batch.clone()));
            let second = values(valid.features(batch));
            assert_eq!(first, second, "noise {noise}, dropout {dropout}");
        }
    }
    let model = SmallConvNetConfig::new().with_dropout(0.5).init(&training()).unwrap();
    let batch = images([4, 1, 28, 28], &training());
    let first = values(model.features(batch.clone()));
    assert_ne!(first, values(model.features(batch)));
}

/// With batch statistics an image's features depend on the others of its batch; with running
/// statistics they do not.
#[test]
fn evaluation_does_not_mix_images() {
    for normalization in [Normalization::Batch, Normalization::WeightNormMeanOnly] {
        let config = conv_net_13().with_input_noise(0.0).with_dropout(0.0).with_normalization(normalization);
        let in_training = change_of_last(&config, &training());
        assert!(in_training > 1e-3, "{normalization:?}: {in_training}");
        let in_evaluation = change_of_last(&config, &plain());
        assert!(in_evaluation < 1e-5, "{normalization:?}: {in_evaluation}");
    }
}

/// How far the last image's features move when the first image changes, relative to the features.
fn change_of_last(config: &ConvNet13Config, device: &Device) -> f32 {
    let model = config.init(device).unwrap();
    let batch = images([3, 3, 12, 12], device);
    let rest = batch.clone().narrow(0, 1, 2);
    let other = Tensor::cat(vec![images([1, 3, 12, 12], device) * 3.0, rest], 0);
    let last = |batch| model.features(batch).narrow(0, 2, 1);
    let (before, after) = (last(batch), last(other));
    values((before.clone() - after).abs().max() / before.abs().max())[0]
}

#[test]
fn running_statistics_follow_training_and_rest_in_evaluation() {
    for normalization in [Normalization::Batch, Normalization::WeightNormMeanOnly] {
        let config = conv_net_13().with_normalization(normalization);
        let model = config.init(&training()).unwrap();
        let name = "block1.0.norm.running_mean";
        let before = state_dict(&model)[name].clone();
        model.features(images([4, 3, 12, 12], &training()));
        let after = state_dict(&model)[name].clone();
        assert_ne!(before, after);

        let valid = model.valid();
        valid.features(images([4, 3, 12, 12], &plain()));
        assert_eq!(state_dict(&valid)[name], after);

        // Frozen on the training device: as in evaluation.
        let frozen = model.freeze();
        let batch = images([4, 3, 12, 12], &training());
        let first = values(frozen.features(batch.clone()));
        assert_eq!(first, values(frozen.features(batch)));
        assert_eq!(state_dict(&frozen)[name], after);
    }
}

/// The running mean after n equal batches is (1 − (1 − momentum)ⁿ) times the batch's mean.
#[test]
fn momentum_is_the_weight_of_the_new_batch() {
    let config =
        conv_net_13().with_input_noise(0.0).with_dropout(0.0).with_normalization(Normalization::WeightNormMeanOnly);
    let once = config.clone().with_momentum(1.0).init(&training()).unwrap();
    let thrice =
        slowburn_models::load_state_dict(config.with_momentum(0.25).init(&training()).unwrap(), &state_dict(&once))
            .expect("the same network");
    let batch = images([4, 3, 12, 12], &training());
    once.features(batch.clone());
    for _ in 0..3 {
        thrice.features(batch.clone());
    }
    let name = "block1.0.norm.running_mean";
    let (once, thrice) = (state_dict(&once), state_dict(&thrice));
    for (mean, running) in once[name].iter::<f32>().zip(thrice[name].iter::<f32>()) {
        let expected = (1.0 - 0.75_f32.powi(3)) * mean;
        assert!((running - expected).abs() < 1e-6, "{running} {expected}");
    }
}

#[test]
fn each_head_sends_gradients_to_the_encoder_and_not_to_the_other() {
    let encoder = SmallConvNetConfig::new().with_widths([4, 4, 4]).init(&training()).unwrap();
    let model = ClassifierConfig::new(3).with_consistency_head(true).init(encoder, &training()).unwrap();
    let second = model.fc_consistency.as_ref().expect("two heads");

    let batch = images([4, 1, 12, 12], &training());
    let gradients = model.forward_heads(batch.clone()).0.powi_scalar(2).sum().backward();
    let norm = |gradient: Option<Tensor<4>>| values(gradient.expect("a gradient").abs().sum())[0];
    assert!(norm(model.encoder.conv1.weight.grad(&gradients)) > 0.0);
    assert!(model.fc.weight.grad(&gradients).is_some());
    assert!(second.weight.grad(&gradients).is_none());

    let consistency = model.forward_heads(batch).1.expect("two heads");
    let gradients = consistency.powi_scalar(2).sum().backward();
    assert!(norm(model.encoder.conv1.weight.grad(&gradients)) > 0.0);
    assert!(model.fc.weight.grad(&gradients).is_none());
    assert!(second.weight.grad(&gradients).is_some());
}

#[test]
fn a_single_head_is_all_there_is() {
    let encoder = SmallConvNetConfig::new().with_widths([4, 4, 4]).init(&plain()).unwrap();
    let model = ClassifierConfig::new(3).init(encoder, &plain()).unwrap();
    let batch = images([2, 1, 12, 12], &plain());
    let (class, consistency) = model.forward_heads(batch.clone());
    assert!(consistency.is_none());
    assert_eq!(values(class), values(model.forward(batch)));
}

/// In one pass what passes one after another give: features, gradients and running statistics.
#[test]
fn networks_take_all_groups_at_once() {
    let device = training();
    at_once("resnet9", || ResNet9Config::new().with_width(4).init(&device).unwrap(), 3);
    at_once("resnet", || ResNetConfig::resnet18().with_width(4).with_stem(Stem::Cifar).init(&device).unwrap(), 3);
    at_once("wide resnet", || WideResNetConfig::new(10, 1).with_base_width(4).init(&device).unwrap(), 3);
    at_once("small", || SmallConvNetConfig::new().with_widths([4, 4, 4]).init(&device).unwrap(), 1);
    for normalization in [Normalization::Batch, Normalization::WeightNormMeanOnly] {
        let config = conv_net_13().with_normalization(normalization).with_dropout(0.0).with_input_noise(0.0);
        at_once("13 layers", || config.init(&device).unwrap(), 3);
    }
}

fn at_once<E: Encoder>(name: &str, network: impl Fn() -> E, channels: usize) {
    let one = network();
    let all = load_state_dict(network(), &state_dict(&one)).expect("the same network");
    let batch = images([6, channels, 16, 16], &training()).require_grad();
    let passes = (0..3).map(|part| one.features(batch.clone().slice(2 * part..2 * part + 2)));
    let outcome = |features: Tensor<2>| {
        let gradients = features.clone().powi_scalar(2).sum().backward();
        [values(features), values(batch.grad(&gradients).expect("a gradient"))]
    };
    let expected = outcome(Tensor::cat(passes.collect(), 0));
    let found = outcome(all.features_in_groups(batch.clone(), 2));
    let near = |ours: &[f32], theirs: &[f32]| {
        let largest = theirs.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
        ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(a, b)| (a - b).abs() <= 1e-4 * largest)
    };
    for (found, expected) in found.iter().zip(&expected) {
        assert!(near(found, expected), "{name}");
    }
    let (found, expected) = (state_dict(&all.valid()), state_dict(&one.valid()));
    for (key, expected) in expected {
        let [found, expected] =
            [&found[&key], &expected].map(|data| data.clone().convert::<f32>().try_to_vec::<f32>().expect("numbers"));
        assert!(near(&found, &expected), "{name}: {key}");
    }
}

/// Each group as if it were the batch, in training; nothing of the kind in evaluation.
#[test]
fn groups_have_statistics_of_their_own() {
    let encoder = SmallConvNetConfig::new().with_widths([4, 4, 4]).init(&training()).unwrap();
    let whole = ClassifierConfig::new(3).with_consistency_head(true).init(encoder, &training()).unwrap();
    let mut grouped = load_state_dict(whole.clone(), &state_dict(&whole)).expect("the same network");
    grouped.group = Some(2);
    let batch = images([5, 1, 12, 12], &training());
    let (class, consistency) = grouped.forward_heads(batch.clone());
    let parts = [0..2, 2..4, 4..5].map(|rows| whole.forward_heads(batch.clone().slice([rows])));
    let [class_parts, consistency_parts] = [
        parts.clone().map(|(class, _)| values(class)).concat(),
        parts.map(|(_, consistency)| values(consistency.expect("two heads"))).concat(),
    ];
    let near = |ours: Vec<f32>, theirs: Vec<f32>| {
        assert_eq!(ours.len(), theirs.len());
        assert!(ours.iter().zip(&theirs).all(|(a, b)| (a - b).abs() < 1e-5), "{ours:?} instead of {theirs:?}");
    };
    near(values(class), class_parts);
    near(values(consistency.expect("two heads")), consistency_parts);
    let plain_batch = images([5, 1, 12, 12], &plain());
    assert_eq!(values(grouped.valid().forward(plain_batch.clone())), values(whole.valid().forward(plain_batch)));
}
