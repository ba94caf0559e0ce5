//! LARS: a loop over numbers in f64, what is spared, and what a record holds.

use burn::nn::LinearConfig;
use burn::optim::Optimizer;
use burn::tensor::Device;
use proptest::prelude::*;
use slowburn_optim::{FusedSgdConfig, LarsConfig, OptimError};

use crate::record::{all_bits, resumed, train};
use crate::{bits, numbers, tensor, values};

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>().sqrt()
}

/// The weights after each gradient, from the equation.
fn descend(config: &LarsConfig, rates: &[f64], start: &[f32], gradients: &[Vec<f32>]) -> Vec<Vec<f64>> {
    let mut weight: Vec<f64> = start.iter().map(|&value| value.into()).collect();
    let mut velocity: Option<Vec<f64>> = None;
    let mut passed = Vec::new();
    for (gradient, &rate) in gradients.iter().zip(rates) {
        let gradient: Vec<f64> = gradient.iter().map(|&value| value.into()).collect();
        let (long, steep) = (norm(&weight), norm(&gradient));
        let own = match long > 0.0 && steep > 0.0 {
            true => config.trust * long / (steep + config.weight_decay * long),
            false => 1.0,
        };
        let own = match config.clip && long > 0.0 && steep > 0.0 {
            true => (own / rate).min(1.0),
            false => own,
        };
        let scaled = gradient.iter().zip(&weight).map(|(g, w)| own * (g + config.weight_decay * w));
        let next: Vec<f64> = match &velocity {
            Some(velocity) => scaled.zip(velocity).map(|(new, old)| config.momentum * old + new).collect(),
            None => scaled.collect(),
        };
        for (weight, velocity) in weight.iter_mut().zip(&next) {
            *weight -= rate * velocity;
        }
        velocity = Some(next);
        passed.push(weight.clone());
    }
    passed
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn every_setting_follows_the_equation(
        momentum in 0.0f64..0.95, weight_decay in 0.0f64..0.5, trust in 0.001f64..0.1, clip: bool,
        rates in prop::collection::vec(0.01f64..2.0, 1..9), rows in 1usize..5, columns in 1usize..7, seed in 0u32..1000,
    ) {
        let config = LarsConfig { momentum, weight_decay, trust, clip };
        let lars = config.build().unwrap();
        let start = numbers(seed, rows * columns);
        let gradients: Vec<_> = (1..).map(|at| numbers(seed + at * 1000, rows * columns)).take(rates.len()).collect();
        let expected = descend(&config, &rates, &start, &gradients);
        let (mut weight, mut state) = (tensor(&start, [rows, columns]), None);
        for ((gradient, &rate), expected) in gradients.iter().zip(&rates).zip(&expected) {
            (weight, state) = lars.step(rate, weight, tensor(gradient, [rows, columns]), state);
            for (ours, expected) in values(&weight).into_iter().zip(expected) {
                // At most 8 steps of some ten roundings of 2^-24, of numbers that stay below 16.
                prop_assert!((f64::from(ours) - expected).abs() <= 3e-5, "{config:?}: {ours} instead of {expected}");
            }
        }
    }
}

#[test]
fn a_step_is_as_long_as_trust_and_rate_say_whatever_the_gradient() {
    let lars = LarsConfig::default().with_trust(0.01).build().unwrap();
    let start = numbers(0, 12);
    for scale in [1e-6, 1.0, 1e6] {
        let gradient = tensor(&numbers(1, 12), [3, 4]).mul_scalar(scale);
        let (stepped, _) = lars.step(0.5, tensor(&start, [3, 4]), gradient, None);
        let moved: Vec<f64> = values(&stepped).iter().zip(&start).map(|(new, old)| f64::from(new - old)).collect();
        let long = norm(&start.iter().map(|&value| value.into()).collect::<Vec<_>>());
        // Differences of f32 numbers below 4.
        assert!((norm(&moved) - 0.5 * 0.01 * long).abs() < 1e-5, "{scale}: {}", norm(&moved));
    }
}

#[test]
fn weights_of_one_axis_descend_as_with_sgd_and_without_penalty() {
    let lars = LarsConfig::default().with_weight_decay(0.3).build().unwrap();
    let sgd = FusedSgdConfig::new().with_momentum(0.9).build().unwrap();
    let (start, first, second) = (numbers(0, 5), numbers(1, 5), numbers(2, 5));
    let (mut ours, mut theirs) = ((tensor(&start, [5]), None), (tensor(&start, [5]), None));
    for gradient in [first, second] {
        ours = lars.step(0.1, ours.0, tensor(&gradient, [5]), ours.1);
        theirs = sgd.step(0.1, theirs.0, tensor(&gradient, [5]), theirs.1);
    }
    assert_eq!(bits(&ours.0), bits(&theirs.0));
}

#[test]
fn a_weight_or_gradient_of_zeros_has_no_rate_of_its_own() {
    for clip in [false, true] {
        let lars = LarsConfig::default().with_clip(clip).build().unwrap();
        let (zeros, some) = (tensor(&[0.0; 4], [2, 2]), tensor(&[1.0, -2.0, 3.0, 0.5], [2, 2]));
        let (stepped, _) = lars.step(0.5, zeros.clone(), some.clone(), None);
        assert_eq!(values(&stepped), [-0.5, 1.0, -1.5, -0.25]);
        let (stepped, _) = lars.step(0.5, some.clone(), zeros, None);
        assert_eq!(bits(&stepped), bits(&some));
    }
}

/// Burn's sum over all of a tensor adds in an order that depends on threads from 4 million numbers on.
#[test]
fn a_large_weight_has_the_same_rate_with_any_number_of_threads() {
    let lars = LarsConfig::default().build().unwrap();
    let shape = [2100, 2100];
    let (start, gradient) = (numbers(0, 2100 * 2100), numbers(1, 2100 * 2100));
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| bits(&lars.step(10.0, tensor(&start, shape), tensor(&gradient, shape), None).0))
    };
    let one = on(1);
    for threads in [2, 3] {
        assert!(on(threads) == one, "{threads} threads");
    }
}

#[test]
fn a_resumed_training_ends_with_the_same_bits() {
    let start = LinearConfig::new(5, 6).init(&Device::flex().autodiff());
    let fresh = || LarsConfig::default().with_trust(0.02).with_weight_decay(1e-3).init().unwrap();
    let whole = all_bits(&train(&mut fresh(), start.clone(), 0..8));
    assert_eq!(resumed(fresh(), fresh(), start.clone()), whole);
    // The test would notice a velocity that is lost.
    let forgotten = train(&mut fresh(), train(&mut fresh(), start, 0..3), 3..8);
    assert_ne!(all_bits(&forgotten), whole);
}

#[test]
fn settings_out_of_range_are_refused_by_name() {
    for value in [0.0, -0.1, f64::NAN, f64::INFINITY] {
        let error = LarsConfig::default().with_trust(value).validate().unwrap_err();
        assert!(matches!(error, OptimError::Trust { .. }), "{error}");
    }
    let error = LarsConfig::default().with_momentum(1.0).validate().unwrap_err();
    assert_eq!(error.to_string(), "momentum is 1: it must lie in [0, 1)");
    let error = LarsConfig::default().with_weight_decay(-1.0).init().err().unwrap();
    assert!(matches!(error, OptimError::WeightDecay { .. }), "{error}");
    let text = serde_json::to_string(&LarsConfig::default()).unwrap();
    assert_eq!(text, r#"{"momentum":0.9,"weight_decay":0.0,"trust":0.001,"clip":false}"#);
}
