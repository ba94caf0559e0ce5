//! Interpolation consistency training: draws, mixtures, and who learns.

use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor};
use proptest::prelude::*;
use slowburn_ema::{Decay, EmaConfig};
use slowburn_semi::{Ict, IctConfig, InputRows, MixDraw, Mixing, Objective, Predict, SemiBatch, SemiError};

use crate::{CLASSES, INPUT, Network, assert_elsewhere, batch, head_after, matrix, numbers, read, scalar, set};

const UNLABELED: [usize; 5] = [1, 3, 4, 6, 7];

fn method(device: &Device) -> Ict<Network> {
    IctConfig::default().init(Network::plain(1, device), device).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn draws_are_a_function_of_seed_and_step(
        alpha in 0.01f64..20.0, row: bool, seed: u64, step in 0u64..100_000, rows in 1usize..60,
    ) {
        let draw = if row { MixDraw::Row } else { MixDraw::Batch };
        let mixing = Mixing { alpha, draw, seed };
        let draws = mixing.draws(rows, step);
        mixing.draws(rows, step + 1);
        prop_assert_eq!(&mixing.draws(rows, step), &draws);
        let mut partners = draws.partners.clone();
        partners.sort_unstable();
        prop_assert_eq!(partners, (0..rows).collect::<Vec<_>>(), "a permutation");
        prop_assert!(draws.weights.len() == rows && draws.weights.iter().all(|weight| (0.0..=1.0).contains(weight)));
        if !row {
            prop_assert!(draws.weights.iter().all(|weight| *weight == draws.weights[0]));
        }
        if rows >= 20 {
            prop_assert_ne!(&mixing.draws(rows, step + 1).partners, &draws.partners);
            prop_assert_ne!(&Mixing { seed: seed ^ 1, ..mixing }.draws(rows, step).partners, &draws.partners);
        }
    }

    #[test]
    fn rows_pick_join_and_blend_as_they_say(
        seed: u32, rows in prop::collection::vec(0usize..6, 1..9), weights in prop::array::uniform6(0.0f32..=1.0),
    ) {
        let device = Device::flex();
        let x: Tensor<3> = slowburn_testkit::tensor(seed, [6, 2, 3], &device);
        let row = |values: &[f64], index: usize| values[index * 6..][..6].to_vec();
        let values = read(x.clone());
        let picked: Vec<f64> = rows.iter().flat_map(|&index| row(&values, index)).collect();
        prop_assert_eq!(read(x.clone().pick(&rows)), picked.clone());
        prop_assert_eq!(read(x.clone().join(x.clone().pick(&rows))), [values.clone(), picked].concat());
        let partners = [3, 0, 5, 1, 4, 2];
        let blended = read(x.clone().blend(&partners, &weights));
        for (index, (partner, weight)) in partners.iter().zip(weights).enumerate() {
            let expected = row(&values, index).into_iter().zip(row(&values, *partner));
            for (ours, (own, other)) in row(&blended, index).iter().zip(expected) {
                let expected = f64::from(weight) * own + (1.0 - f64::from(weight)) * other;
                prop_assert!((ours - expected).abs() < 3e-7, "{ours} instead of {expected}");
            }
        }
        prop_assert_eq!(read(x.clone().blend(&partners, &[1.0; 6])), values, "a weight of 1 changes no bit");
    }
}

#[test]
fn the_cost_is_that_of_mixed_images_and_mixed_predictions() {
    let device = Device::flex().autodiff();
    let (method, views) = (method(&device), batch(1, &device));
    let draws = method.teacher.mixing().draws(5, 0);
    let rows = |input: &Tensor<2>| input.clone().pick(&UNLABELED);
    // The labelled rows as they are, then mixtures: the order of rows does not matter to batch norm.
    let mixed = rows(&views.student).blend(&draws.partners, &draws.weights);
    let logits = method.student.predict(views.student.clone().pick(&[0, 2, 5]).join(mixed)).class.narrow(0, 3, 5);
    let clean = softmax(method.teacher.average().module().predict(rows(&views.teacher)).class, 1);
    let target = clean.blend(&draws.partners, &draws.weights);
    let expected = (softmax(logits, 1) - target).powi_scalar(2).mean();
    let losses = method.losses(views).unwrap();
    assert!((scalar(&losses.consistency) - scalar(&expected)).abs() < 1e-6, "{} not {expected}", losses.consistency);
    assert!(losses.kept.is_none() && losses.regularizer.is_none());
}

#[test]
fn the_student_learns_from_mixtures_and_the_teacher_from_nothing() {
    let device = Device::flex().autodiff();
    let method = method(&device);
    let losses = method.losses(SemiBatch { labels: vec![None; 8], ..batch(1, &device) }).unwrap();
    assert_eq!(scalar(&losses.class), 0.0);
    let gradients = losses.total.backward();
    let student = read(method.student.first.weight.grad(&gradients).unwrap());
    assert!(student.iter().any(|value| value.abs() > 1e-5));
    assert!(method.teacher.average().module().first.weight.grad(&gradients).is_none());
}

#[test]
fn without_the_consistency_training_ends_elsewhere() {
    let device = Device::flex().autodiff();
    let [without, with] = [0.0, 10.0].map(|weight| {
        let base = IctConfig::default();
        let config = IctConfig { objective: Objective { weight, ..base.objective.clone() }, ..base };
        head_after(config.init(Network::plain(1, &device), &device).unwrap(), 0..3, &device)
    });
    assert_elsewhere(&with, &without, "ICT");
}

#[test]
fn a_student_that_differs_from_its_teacher_has_a_larger_cost() {
    let device = Device::flex().autodiff();
    let cost = |shift: f32| {
        let average = EmaConfig::new(Decay::Constant { decay: 0.9 });
        let config = IctConfig { average, ..IctConfig::default() };
        let mut method = config.init(Network::plain(1, &device), &device).unwrap();
        let moved = |path: &str, n: usize| (path == "head.bias").then(|| (0..n).map(|i| shift * i as f32).collect());
        method.student = set(method.student, moved);
        scalar(&method.losses(SemiBatch { labels: vec![None; 8], ..batch(1, &device) }).unwrap().consistency)
    };
    assert!(cost(3.0) > 2.0 * cost(0.0), "{} and {}", cost(3.0), cost(0.0));
}

#[test]
fn what_cannot_be_mixed_is_refused() {
    let device = Device::flex().autodiff();
    for alpha in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let config = IctConfig { mixing: Mixing { alpha, ..Mixing::default() }, ..IctConfig::default() };
        let error = config.init(Network::plain(1, &device), &device).unwrap_err();
        assert!(matches!(error, SemiError::OutOfRange { field: "alpha", .. }), "{error}");
    }
    let labeled_too = IctConfig { objective: Objective::default(), ..IctConfig::default() };
    let error = labeled_too.init(Network::plain(1, &device), &device).unwrap_err();
    assert_eq!(error, SemiError::MixedLabels);
    let refused = |batch| method(&device).losses(batch).unwrap_err();
    let labeled = SemiBatch { labels: vec![Some(CLASSES - 1); 8], ..batch(1, &device) };
    assert_eq!(refused(labeled), SemiError::NoUnlabeled { rows: 8 });
    let views = |n: usize| matrix(numbers(1, n * INPUT), INPUT, &device);
    let other = SemiBatch { teacher: views(6), ..batch(1, &device) };
    assert_eq!(refused(other), SemiError::Rows { what: "teacher views", found: 6, expected: 8 });
    let other = SemiBatch { student: views(6), ..batch(1, &device) };
    assert_eq!(refused(other), SemiError::Rows { what: "student views", found: 6, expected: 8 });
}
