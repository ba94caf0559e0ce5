//! First values of weights, and the initialisation from a batch.

use burn::{
    module::Param,
    tensor::{Tensor, activation::leaky_relu},
};
use slowburn_models::{
    ClassifierConfig, ConvNet13Config, Encoder, Normalization, ResNetConfig, layers::ConvUnit, state_dict,
};

use crate::support::{images, plain, training, values};

fn mean_and_std(numbers: &[f32]) -> (f32, f32) {
    let count = numbers.len() as f32;
    let mean = numbers.iter().sum::<f32>() / count;
    let variance = numbers.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / count;
    (mean, variance.sqrt())
}

fn of<const D: usize>(param: &Param<Tensor<D>>) -> (f32, f32) {
    mean_and_std(&values(param.val()))
}

/// 1 % is five standard errors or more for these numbers of weights.
#[test]
fn resnet_starts_as_torchvisions() {
    plain().seed(7);
    let encoder = ResNetConfig::resnet18().init(&plain()).unwrap();
    let model = ClassifierConfig::new(1000).init(encoder, &plain()).unwrap();
    let block = &model.encoder.layer3[0];
    for (conv, fan_out) in [(&block.conv1, 256 * 9), (&block.conv2, 256 * 9)] {
        let (mean, std) = of(&conv.weight);
        let expected = (2.0 / fan_out as f32).sqrt();
        assert!(mean.abs() < 0.01 * expected, "{mean}");
        assert!((std / expected - 1.0).abs() < 0.01, "{std} {expected}");
    }
    assert_eq!(of(&block.bn1.norm.gamma), (1.0, 0.0));
    assert_eq!(of(&block.bn2.norm.beta), (0.0, 0.0));

    let bound = (512_f32).sqrt().recip();
    let head = values(model.fc.weight.val());
    assert!(head.iter().all(|weight| weight.abs() <= bound));
    let (_, std) = mean_and_std(&head);
    assert!((std / (bound / 3_f32.sqrt()) - 1.0).abs() < 0.01, "{std}");
}

fn weight_normed() -> ConvNet13Config {
    ConvNet13Config::new().with_width(8).with_normalization(Normalization::WeightNormMeanOnly)
}

#[test]
fn directions_start_with_the_papers_deviation_and_weights_have_length_one() {
    plain().seed(7);
    let model = weight_normed().with_width(32).init(&plain()).unwrap();
    let ConvUnit::WeightNorm(unit) = &model.block2[1] else {
        panic!("the unit is weight-normalised");
    };
    let (mean, std) = of(&unit.conv.v);
    assert!(mean.abs() < 1e-3 && (std / 0.05 - 1.0).abs() < 0.02, "{mean} {std}");
    let squares = unit.conv.weight().powi_scalar(2).sum_dims(&[1, 2, 3]);
    for length in values(squares.sqrt()) {
        assert!((length - 1.0).abs() < 1e-6, "{length}");
    }
}

/// Mean and deviation per channel of each layer's pre-activations on `batch`.
fn assert_standardised(model: &slowburn_models::ConvNet13, batch: Tensor<4>) {
    let mut x = batch;
    for (index, block) in [&model.block1, &model.block2, &model.block3].iter().enumerate() {
        if index > 0 {
            x = model.pool.forward(x);
        }
        for unit in block.iter() {
            let ConvUnit::WeightNorm(unit) = unit else {
                panic!("the unit is weight-normalised");
            };
            let pre = unit.norm.forward(unit.conv.forward(x));
            let [_, channels, _, _] = pre.dims();
            let per_channel: Tensor<2> = pre.clone().swap_dims(0, 1).flatten(1, 3);
            for channel in 0..channels {
                let row = values(per_channel.clone().narrow(0, channel, 1));
                let (mean, std) = mean_and_std(&row);
                assert!(mean.abs() < 1e-4, "mean {mean}");
                assert!((std - 1.0).abs() < 1e-3, "deviation {std}");
            }
            x = leaky_relu(pre, unit.negative_slope);
        }
    }
}

#[test]
fn initialisation_standardises_the_batch_in_both_modes() {
    // Pixels far from standard: the network itself must remove the offset and the scale.
    let batch = images([16, 3, 16, 16], &plain()) * 4.0 + 10.0;
    let model = weight_normed().init(&plain()).unwrap().init_from_batch(batch.clone());
    assert_standardised(&model, batch.clone());

    let config = weight_normed().with_input_noise(0.0).with_dropout(0.0);
    let batch = Tensor::from_inner(batch);
    let model = config.init(&training()).unwrap().init_from_batch(batch.clone());
    assert_standardised(&model, batch);
}

#[test]
fn initialisation_keeps_identities_and_gradients() {
    let batch = images([4, 3, 12, 12], &training());
    let model = weight_normed().init(&training()).unwrap();
    let before = unit_ids(&model);
    let other = model.clone();
    let untouched = state_dict(&other);
    let model = model.init_from_batch(batch.clone());
    assert_eq!(unit_ids(&model), before);
    assert_eq!(state_dict(&other), untouched, "a clone has changed");

    let gradients = model.features(batch).powi_scalar(2).sum().backward();
    let ConvUnit::WeightNorm(unit) = &model.block1[0] else {
        panic!("the unit is weight-normalised");
    };
    assert!(unit.conv.g.grad(&gradients).is_some());
    assert!(unit.conv.v.grad(&gradients).is_some());
    assert!(unit.norm.bias.grad(&gradients).is_some());
}

fn unit_ids(model: &slowburn_models::ConvNet13) -> Vec<burn::module::ParamId> {
    burn::module::list_param_ids(model)
}

#[test]
fn batch_normalisation_needs_no_initialisation() {
    let model = ConvNet13Config::new().with_width(4).init(&plain()).unwrap();
    let before = state_dict(&model);
    let model = model.init_from_batch(images([4, 3, 12, 12], &plain()));
    assert_eq!(state_dict(&model), before);
}
