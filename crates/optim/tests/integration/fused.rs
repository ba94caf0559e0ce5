//! The kernel gives the bits of the plain operations, whatever the layout, and both those of Burn's SGD.

use burn::backend::Flex;
use burn::optim::Optimizer;
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::tensor::{DType, FloatDType, Tensor};
use proptest::prelude::*;
use slowburn_optim::{FusedSgd, FusedSgdConfig};

use crate::{Stepped, bits, numbers, rules, step, tensor, values};

/// The step in plain operations: the kernel is not for tensors of the autodiff backend.
fn plain_step<const D: usize>(
    sgd: &FusedSgd,
    rate: f64,
    weight: Tensor<D>,
    gradient: Tensor<D>,
    velocity: Option<Tensor<D>>,
) -> Stepped<D> {
    let lifted = |tensor: Tensor<D>| {
        let tensor = Tensor::from_inner(tensor);
        assert!(tensor.clone().try_into_primitive::<Flex>().is_err());
        tensor
    };
    let (weight, velocity) = step(sgd, rate, lifted(weight), lifted(gradient), velocity.map(lifted));
    (weight.inner(), velocity.map(Tensor::inner))
}

/// Three steps both ways.
fn assert_equal(rule: FusedSgdConfig, weight: &Tensor<2>, gradients: &[Tensor<2>]) -> Result<(), TestCaseError> {
    let sgd = rule.build().unwrap();
    let (mut fused, mut plain) = ((weight.clone(), None), (weight.clone(), None));
    for (gradient, rate) in gradients.iter().zip([0.1, 0.03, 0.7]) {
        fused = step(&sgd, rate, fused.0, gradient.clone(), fused.1);
        plain = plain_step(&sgd, rate, plain.0, gradient.clone(), plain.1);
        prop_assert_eq!(bits(&fused.0), bits(&plain.0), "{:?}", rule);
        prop_assert_eq!(fused.1.as_ref().map(bits), plain.1.as_ref().map(bits), "{:?}", rule);
        prop_assert_eq!(fused.1.is_some(), rule.momentum > 0.0);
    }
    Ok(())
}

/// A tensor of that shape in one of the ways in which it may lie in memory.
fn laid_out(layout: usize, seed: u32, [rows, columns]: [usize; 2]) -> Tensor<2> {
    let of = |shape: [usize; 2]| tensor(&numbers(seed, shape[0] * shape[1]), shape);
    match layout {
        0 => of([rows, columns]),
        1 => of([columns, rows]).transpose(),
        // Part of a larger one, with and without gaps.
        2 => of([rows, columns + 2]).narrow(1, 1, columns),
        3 => of([rows + 2, columns]).narrow(0, 1, rows),
        4 => of([rows, columns]).flip([0, 1]),
        // One number for all.
        _ => of([1, 1]).expand([rows, columns]),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn any_layout_gives_the_same_bits(
        shape in [1usize..40, 1usize..40], layouts in [0usize..6, 0usize..6, 0usize..6, 0usize..6], seed in 0u32..1000,
        momentum in 0.01f64..1.0, dampening in 0.01f64..=1.0, weight_decay in 0.001f64..0.5,
    ) {
        let weight = laid_out(layouts[0], seed, shape);
        let gradients = [1, 2, 3].map(|at| laid_out(layouts[at], seed + 1000 * at as u32, shape));
        for rule in rules(momentum, dampening, weight_decay) {
            assert_equal(rule, &weight, &gradients)?;
        }
    }
}

#[test]
fn a_tensor_of_many_pieces_gives_the_same_bits() {
    // More than one core is woken for, and not a multiple of any piece.
    for shape in [[311, 331], [256, 256], [1, 65_535]] {
        let all = [0, 1, 2, 3].map(|seed| laid_out(seed as usize % 2, seed, shape));
        for rule in rules(0.9, 0.1, 0.05) {
            assert_equal(rule, &all[0], &all[1..]).unwrap();
        }
    }
}

#[test]
fn a_tensor_of_no_numbers_or_of_one_gives_the_same_bits() {
    for shape in [[0, 3], [3, 0], [0, 0], [1, 1]] {
        let all = [0, 1, 2, 3].map(|seed| laid_out(0, seed, shape));
        for rule in rules(0.9, 0.1, 0.05) {
            assert_equal(rule, &all[0], &all[1..]).unwrap();
        }
    }
}

#[test]
fn the_swapped_gradients_of_convolutions_give_the_same_bits() {
    // A few pieces, one, and rows longer than a piece.
    for [rows, columns, side] in [[70, 130, 3], [5, 7, 3], [3, 70_000, 1]] {
        let shape = [rows, columns, side, side];
        let count = shape.iter().product();
        let gradient = |seed| tensor(&numbers(seed, count), [columns, rows, side, side]).swap_dims(0, 1);
        for rule in rules(0.9, 0.1, 0.05) {
            let sgd = rule.build().unwrap();
            let start = tensor(&numbers(0, count), shape);
            let (mut fused, mut plain) = ((start.clone(), None), (start, None));
            for seed in 1..4 {
                fused = step(&sgd, 0.1, fused.0, gradient(seed), fused.1);
                plain = plain_step(&sgd, 0.1, plain.0, gradient(seed), plain.1);
                assert_eq!(bits(&fused.0), bits(&plain.0), "{rule:?}");
                assert_eq!(fused.1.as_ref().map(bits), plain.1.as_ref().map(bits), "{rule:?}");
            }
        }
    }
}

#[test]
fn a_step_in_f32_has_the_bits_of_burns() {
    for rule in rules(0.9, 0.1, 0.05) {
        let momentum = MomentumConfig::new().with_momentum(rule.momentum).with_dampening(rule.dampening);
        let burns = burn::optim::SgdConfig::new()
            .with_momentum((rule.momentum > 0.0).then(|| momentum.with_nesterov(rule.nesterov)))
            .with_weight_decay((rule.weight_decay > 0.0).then(|| WeightDecayConfig::new(rule.weight_decay as f32)))
            .build();
        let sgd = rule.build().unwrap();
        let start = tensor(&numbers(0, 100), [10, 10]);
        let (mut ours, mut other, mut state) = ((start.clone(), None), start, None);
        for seed in 1..=10 {
            let (gradient, rate) = (tensor(&numbers(seed, 100), [10, 10]), 0.1 / f64::from(seed));
            ours = step(&sgd, rate, ours.0, gradient.clone(), ours.1);
            (other, state) = burns.step(rate, other, gradient, state);
            assert_eq!(bits(&ours.0), bits(&other), "{rule:?}");
        }
    }
}

#[test]
fn a_gradient_that_is_no_number_stays_where_it_is_and_is_not_hidden() {
    for rule in rules(0.9, 0.1, 0.05) {
        let sgd = rule.build().unwrap();
        let (weight, gradient) = (tensor(&[1.0, 1.0, 1.0], [3]), tensor(&[f32::NAN, 1.0, f32::INFINITY], [3]));
        let (weight, velocity) = step(&sgd, 0.1, weight, gradient, None);
        let (weight, velocity) = step(&sgd, 0.1, weight, tensor(&[1.0; 3], [3]), velocity);
        for found in [Some(weight), velocity].iter().flatten().map(values) {
            assert!(found[0].is_nan() && found[1].is_finite() && !found[2].is_finite(), "{rule:?}: {found:?}");
        }
    }
}

#[test]
fn no_penalty_is_none_even_of_an_infinite_weight() {
    for rule in rules(0.9, 0.1, 0.0) {
        let sgd = rule.build().unwrap();
        for (weight, velocity) in [
            step(&sgd, 0.1, tensor(&[f32::INFINITY], [1]), tensor(&[1.0], [1]), None),
            plain_step(&sgd, 0.1, tensor(&[f32::INFINITY], [1]), tensor(&[1.0], [1]), None),
        ] {
            assert_eq!(values(&weight), [f32::INFINITY]);
            assert!(velocity.is_none_or(|velocity| values(&velocity) == [1.0]));
        }
    }
}

#[test]
fn other_types_are_stepped_in_the_weights() {
    let (start, gradient) = (tensor(&numbers(0, 12), [12]), tensor(&numbers(1, 12), [12]));
    for rule in rules(0.9, 0.1, 0.05) {
        let sgd = rule.build().unwrap();
        for (weights, gradients, bound) in [
            (FloatDType::F32, FloatDType::BF16, 0.0),
            (FloatDType::F32, FloatDType::F16, 0.0),
            // Four roundings of numbers below 2 in each step.
            (FloatDType::F16, FloatDType::F16, 8.0 / 1024.0),
            (FloatDType::BF16, FloatDType::F32, 8.0 / 128.0),
            (FloatDType::F64, FloatDType::F64, 1e-6),
        ] {
            let gradient = gradient.clone().cast(gradients);
            let mut wide = (start.clone().cast(weights).cast(FloatDType::F32), None);
            let mut narrow = (start.clone().cast(weights), None);
            for _ in 0..2 {
                wide = step(&sgd, 0.1, wide.0, gradient.clone().cast(FloatDType::F32), wide.1);
                narrow = step(&sgd, 0.1, narrow.0, gradient.clone(), narrow.1);
            }
            assert_eq!(narrow.0.dtype(), DType::from(weights));
            assert!(narrow.1.is_none_or(|velocity| velocity.dtype() == DType::from(weights)));
            for (ours, expected) in values(&narrow.0.cast(FloatDType::F32)).iter().zip(values(&wide.0)) {
                assert!((ours - expected).abs() <= bound, "{weights:?}, {gradients:?}: {ours} instead of {expected}");
            }
        }
    }
}
