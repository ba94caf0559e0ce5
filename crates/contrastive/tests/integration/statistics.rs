//! Running statistics made anew from whole images.

use burn::module::Module;
use burn::nn::{BatchNorm, BatchNormConfig};
use burn::tensor::{Device, Tensor};
use slowburn_contrastive::evaluation::{Fingerprint, renew_statistics};
use slowburn_contrastive::{ContrastiveError, Encode};
use slowburn_models::HeadVersion;

use crate::support::{INPUT, Network, assert_close, matrix, numbers, part, read, tensors, view};

/// f32 sums of a few numbers, divided by the weight of a new batch.
const TOLERANCE: f64 = 3e-6;

/// Normalisation twice, with weights of a new batch that differ.
#[derive(Module, Debug)]
struct Norms {
    first: BatchNorm,
    second: BatchNorm,
}

impl Norms {
    fn new(weights: [f64; 2], device: &Device) -> Self {
        let [first, second] = weights.map(|weight| BatchNormConfig::new(INPUT).with_momentum(weight).init(device));
        Self { first, second }
    }
}

impl Encode for Norms {
    type Input = Tensor<2>;

    fn embed(&self, input: Tensor<2>) -> Tensor<2> {
        self.second.forward(self.features(input))
    }

    fn features(&self, input: Tensor<2>) -> Tensor<2> {
        self.first.forward(input).powi_scalar(2)
    }
}

/// Rows of which those that come later are larger, as batches of one class would be.
fn samples(rows: usize, device: &Device) -> Tensor<2> {
    let values = numbers(5, rows * INPUT);
    let values = values.into_iter().enumerate().map(|(index, value)| 3.0 * value + (index / INPUT) as f32 * 0.5 - 2.0);
    matrix(values.collect(), INPUT, device)
}

/// Mean and biased variance of each column, by a loop.
fn moments(rows: &[f64]) -> [Vec<f64>; 2] {
    let n = (rows.len() / INPUT) as f64;
    let column = |column: usize| rows.iter().skip(column).step_by(INPUT);
    let means: Vec<f64> = (0..INPUT).map(|index| column(index).sum::<f64>() / n).collect();
    let variance = |index: usize| column(index).map(|value| (value - means[index]).powi(2)).sum::<f64>() / n;
    let variances = (0..INPUT).map(variance).collect();
    [means, variances]
}

#[track_caller]
fn assert_moments(norm: &BatchNorm, rows: &[f64], what: &str) {
    let [means, variances] = moments(rows);
    assert_close(&read(norm.running_mean.value()), &means, TOLERANCE, what);
    assert_close(&read(norm.running_var.value()), &variances, TOLERANCE, what);
}

#[test]
fn they_are_those_of_the_whole_set() {
    let device = Device::flex().autodiff();
    for weights in [[0.1, 0.25], [1.0, 0.001], [0.03, 0.9]] {
        let encoder = Norms::new(weights, &device);
        // What training left behind is no part of it.
        encoder.embed(view(1, &device));
        let before = Fingerprint::of(&encoder);
        let all = samples(24, &device);

        // One batch: both layers see the whole set at once.
        let whole = renew_statistics(&encoder, [all.clone()]).unwrap();
        assert_moments(&whole.first, &read(all.clone()), "the first layer");
        let hidden = read(Norms::new(weights, &device).features(all.clone()));
        assert_moments(&whole.second, &hidden, "the second layer");

        // Batches of several sizes: the first layer's are still those of the whole set.
        let parts = [(0, 6), (6, 10), (16, 8)].map(|(start, length)| all.clone().narrow(0, start, length));
        let divided = renew_statistics(&encoder, parts).unwrap();
        assert_moments(&divided.first, &read(all), "the first layer, in parts");
        before.unchanged(&encoder).unwrap();
    }
}

#[test]
fn the_copy_evaluates_as_training_on_the_whole_set_would() {
    let device = Device::flex().autodiff();
    let encoder = Network::plain(1, &device);
    let all = samples(12, &device);
    let trained = read(encoder.clone().embed(all.clone()));
    let copy = renew_statistics(&encoder, [all.clone()]).unwrap();
    let evaluated = read(copy.valid().embed(all.without_autodiff()));
    assert_close(&evaluated, &trained, 1e-5, "running statistics are those of the batch");
    assert_eq!(part(&copy, false), part(&encoder, false), "weights stay");
    assert!(!copy.first.weight.is_require_grad());
}

#[test]
fn dropout_splits_and_checkpointing_are_no_obstacle() {
    let device = Device::flex().autodiff().gradient_checkpointing();
    let encoder = Network::new(1, HeadVersion::V2, 2, 0.5, &device);
    let before = part(&encoder, true);
    let copy = renew_statistics(&encoder, [view(1, &device), view(2, &device)]).unwrap();
    assert_ne!(part(&copy, true), before);
    // It can be trained on.
    copy.unfreeze().embed(view(3, &device)).sum().backward();
    let error = renew_statistics(&encoder, [samples(5, &device)]).unwrap_err();
    assert_eq!(error, ContrastiveError::Splits { batch: 5, splits: 2 });
}

#[test]
fn statistics_of_a_frozen_layer_stay() {
    let device = Device::flex().autodiff();
    let mut encoder = Norms::new([0.1, 0.1], &device);
    encoder.embed(view(1, &device));
    encoder.first = encoder.first.freeze();
    let frozen = part(&encoder.first, true);
    let all = samples(24, &device);
    let copy = renew_statistics(&encoder, [all.clone()]).unwrap();
    assert_eq!(part(&copy.first, true), frozen);
    assert_moments(&copy.second, &read(encoder.valid().features(all.without_autodiff())), "the layer above it");
}

#[test]
fn what_cannot_move_is_an_error() {
    let device = Device::flex().autodiff();
    let encoder = Norms::new([0.1, 0.1], &device);
    let none: [Tensor<2>; 0] = [];
    assert_eq!(renew_statistics(&encoder, none).unwrap_err(), ContrastiveError::Empty { what: "the set of batches" });
    let empty = Tensor::zeros([0, INPUT], &device);
    assert_eq!(renew_statistics(&encoder, [empty]).unwrap_err(), ContrastiveError::Empty { what: "the batch" });
    let plain = samples(6, &Device::flex());
    let error = renew_statistics(&encoder.valid(), [plain]).unwrap_err();
    assert_eq!(error, ContrastiveError::StatisticsStay { layers: 4 });
    let broken = samples(6, &device).slice_fill([0..1, 0..1], f32::NAN);
    let error = renew_statistics(&encoder, [broken]).unwrap_err();
    assert_eq!(error, ContrastiveError::NotFinite { what: "the running statistics" });
    assert_eq!(tensors(&encoder), tensors(&Norms::new([0.1, 0.1], &device)));
}
