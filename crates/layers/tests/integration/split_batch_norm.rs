//! Split batch normalisation: its groups, its modes, and its kinship with the plain layer.

use burn::{
    module::Module,
    nn::BatchNormConfig,
    tensor::{Device, Tensor},
};
use slowburn_layers::{LayerError, SplitBatchNorm, SplitBatchNormConfig};

use crate::support::{images, plain, training, values};

fn split(splits: usize, device: &Device) -> SplitBatchNorm {
    SplitBatchNormConfig::new(2).with_splits(splits).init(device).unwrap()
}

fn column(rows: &[f32], device: &Device) -> Tensor<2> {
    let both: Vec<[f32; 2]> = rows.iter().map(|&value| [value, -value]).collect();
    Tensor::cat(both.iter().map(|row| Tensor::<2>::from_data([*row], device)).collect(), 0)
}

/// Index modulo splits, not neighbours: with two splits, rows 0 and 2 are one group.
#[test]
fn groups_are_interleaved() {
    let device = training();
    let output = values(split(2, &device).forward(column(&[0.0, 100.0, 2.0, 300.0], &device)));
    // Each group of two numbers becomes −1 and 1, whatever their scale; ε leaves 1e-5/2 of it.
    let expected = [-1.0, 1.0, -1.0, 1.0, 1.0, -1.0, 1.0, -1.0];
    for (ours, expected) in output.iter().zip(expected) {
        assert!((ours - expected).abs() < 1e-5, "{output:?}");
    }
}

#[test]
fn one_split_is_plain_batch_normalisation_bit_for_bit() {
    let device = training();
    let (plain, one) = (slowburn_layers::BatchNormConfig::new(2).init(&device), split(1, &device));
    let batch = images([6, 2, 3, 3], &device);
    assert_eq!(values(one.forward(batch.clone())), values(plain.forward(batch)));
    assert_eq!(values(one.norm.running_var.value_sync()), values(plain.running_var.value_sync()));
}

#[test]
fn a_sample_does_not_see_those_of_other_splits() {
    let device = training();
    let norm = split(3, &device);
    let before = values(norm.forward(column(&[1.0, 2.0, 3.0, 4.0, 5.0, 7.0], &device)));
    let after = values(norm.forward(column(&[1.0, 2.0, 30.0, 4.0, 5.0, 70.0], &device)));
    assert_eq!(before[..4], after[..4], "rows 0 and 1");
    let before = values(split(1, &device).forward(column(&[1.0, 2.0, 3.0, 4.0, 5.0, 7.0], &device)));
    assert_ne!(before[..4], after[..4]);
}

#[test]
fn running_statistics_have_the_plain_shape_and_are_the_mean_of_the_splits() {
    let device = training();
    let norm = split(2, &device);
    norm.forward(column(&[0.0, 10.0, 2.0, 20.0], &device));
    // Split means 1 and 15, biased variances 1 and 25.
    let near = |ours: Vec<f32>, expected: [f32; 2]| {
        assert_eq!(ours.len(), 2);
        assert!(ours.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5), "{ours:?} instead of {expected:?}");
    };
    near(values(norm.norm.running_mean.value_sync()), [0.8, -0.8]);
    near(values(norm.norm.running_var.value_sync()), [0.9 + 1.3, 0.9 + 1.3]);
}

#[test]
fn evaluation_and_frozen_layers_are_plain_whatever_the_batch() {
    let norm = split(2, &training());
    norm.forward(column(&[0.0, 10.0, 2.0, 20.0], &training()));
    let valid = norm.valid();
    let one = valid.forward(column(&[5.0], &plain()));
    let three = valid.forward(column(&[5.0, 6.0, 7.0], &plain()));
    assert_eq!(values(one)[..], values(three)[..2]);
    let frozen = norm.freeze();
    let before = values(frozen.norm.running_mean.value_sync());
    frozen.forward(column(&[5.0, 6.0, 7.0], &training()));
    assert_eq!(values(frozen.norm.running_mean.value_sync()), before);
}

#[test]
#[should_panic(expected = "a batch of 3 cannot be split into 2 groups of one size")]
fn a_batch_that_does_not_divide_panics() {
    split(2, &training()).forward(column(&[1.0, 2.0, 3.0], &training()));
}

#[test]
#[should_panic(expected = "the input has 3 channels, but the layer 2")]
fn another_number_of_channels_panics() {
    split(2, &training()).forward(Tensor::<2>::zeros([4, 3], &training()));
}

#[test]
fn settings_out_of_range_are_refused_by_name() {
    let error = SplitBatchNormConfig::new(2).with_splits(0).validate();
    assert_eq!(error, Err(LayerError::OutOfRange { field: "splits", value: 0.0, allowed: "at least 1" }));
    assert!(SplitBatchNormConfig::new(2).with_epsilon(f64::NAN).validate().is_err());
}

/// The layer's record and that of a plain one are the same thing.
#[test]
fn records_load_from_and_into_plain_batch_normalisation() {
    let device = training();
    let norm = split(2, &device);
    norm.forward(column(&[0.0, 10.0, 2.0, 20.0], &device));
    let norm = norm.valid();
    let plain_norm = BatchNormConfig::new(2).init(&plain()).load_record(norm.clone().into_record());
    assert_eq!(values(plain_norm.running_var.value()), values(norm.norm.running_var.value()));
    let back = split(2, &plain()).load_record(plain_norm.into_record());
    assert_eq!(values(back.norm.running_mean.value()), values(norm.norm.running_mean.value()));
}
