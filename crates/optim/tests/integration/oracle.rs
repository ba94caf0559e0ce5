//! A loop over numbers, written from the equation in f64.

use proptest::prelude::*;
use slowburn_optim::FusedSgdConfig;

use crate::{numbers, rules, step, tensor, values};

/// θ and v after each gradient.
fn descend(rule: &FusedSgdConfig, rates: &[f64], start: f64, gradients: &[f64]) -> Vec<(f64, f64)> {
    let (mut weight, mut velocity, mut first) = (start, 0.0, true);
    let one = |(&rate, &gradient): (&f64, &f64)| {
        let penalised = gradient + rule.weight_decay * weight;
        let fresh = if first { 1.0 } else { 1.0 - rule.dampening };
        velocity = rule.momentum * velocity + fresh * penalised;
        first = false;
        weight -= rate * if rule.nesterov { penalised + rule.momentum * velocity } else { velocity };
        (weight, velocity)
    };
    match rule.momentum == 0.0 {
        // Dampening is of the velocity, and there is none.
        true => descend_plainly(rule, rates, start, gradients),
        false => rates.iter().zip(gradients).map(one).collect(),
    }
}

fn descend_plainly(rule: &FusedSgdConfig, rates: &[f64], start: f64, gradients: &[f64]) -> Vec<(f64, f64)> {
    let mut weight = start;
    let one = |(&rate, &gradient): (&f64, &f64)| {
        weight -= rate * (gradient + rule.weight_decay * weight);
        (weight, 0.0)
    };
    rates.iter().zip(gradients).map(one).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn every_rule_follows_the_equation(
        momentum in 0.01f64..0.99, dampening in 0.01f64..=1.0, weight_decay in 0.001f64..0.5,
        rates in prop::collection::vec(0.0f64..0.5, 1..9), width in 1usize..20, seed in 0u32..1000,
    ) {
        let start = numbers(seed, width);
        let gradients: Vec<_> = (1..).map(|at| numbers(seed + at * 1000, width)).take(rates.len()).collect();
        for rule in rules(momentum, dampening, weight_decay) {
            let sgd = rule.build().unwrap();
            let expected: Vec<_> = (0..width)
                .map(|at| {
                    let gradients: Vec<f64> = gradients.iter().map(|gradient| gradient[at].into()).collect();
                    descend(&rule, &rates, start[at].into(), &gradients)
                })
                .collect();
            let (mut weight, mut velocity) = (tensor(&start, [width]), None);
            for (at, (gradient, &rate)) in gradients.iter().zip(&rates).enumerate() {
                (weight, velocity) = step(&sgd, rate, weight, tensor(gradient, [width]), velocity);
                let velocities = velocity.as_ref().map_or_else(|| vec![0.0; width], values);
                for ((ours, velocity), expected) in values(&weight).into_iter().zip(velocities).zip(&expected) {
                    // At most 8 steps of 7 roundings of 2^-24 each, of numbers that stay below 16.
                    let close = |ours: f32, expected: f64| (f64::from(ours) - expected).abs() <= 3e-5;
                    let (weight, expected) = expected[at];
                    prop_assert!(close(ours, weight), "{rule:?}: {ours} instead of {weight}");
                    prop_assert!(close(velocity, expected), "{rule:?}: v {velocity} instead of {expected}");
                }
            }
        }
    }
}
