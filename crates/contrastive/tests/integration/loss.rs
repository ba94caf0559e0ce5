//! The loss: beside PyTorch's, beside a loop, and what must hold whatever the numbers.

use burn::tensor::{Device, FloatDType, Tensor};
use proptest::prelude::*;
use serde::Deserialize;
use slowburn_contrastive::{Contrast, ContrastiveError, InfoNce, chance_loss, normalize};

use crate::support::{assert_close, matrix, numbers, read, scalar};

/// f32 sums of some dozens of exponentials.
const TOLERANCE: f64 = 1e-5;

#[derive(Deserialize)]
struct Fixture {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    temperature: f64,
    decoupled: bool,
    largest: f64,
    queries: Vec<f32>,
    positives: Vec<f32>,
    negatives: Vec<f32>,
    info_nce: Expected,
    nt_xent: Expected,
}

#[derive(Deserialize)]
struct Expected {
    loss: f64,
    accuracy: f64,
    gradient: Vec<f64>,
    second: Option<Vec<f64>>,
}

#[track_caller]
fn assert_contrast(ours: &Contrast, expected: &Expected, what: &str) {
    assert_close(&[scalar(&ours.loss)], &[expected.loss], TOLERANCE, what);
    assert!((scalar(&ours.accuracy) - expected.accuracy).abs() < 1e-6, "{what}: {}", ours.accuracy);
}

#[test]
fn loss_accuracy_and_gradients_equal_pytorchs() {
    let fixture: Fixture = serde_json::from_str(include_str!("../fixtures/loss.json")).unwrap();
    assert_eq!(fixture.cases.len(), 6);
    assert!(fixture.cases.iter().any(|case| case.largest > 1e4), "logits of 10⁴ are among them");
    let device = Device::flex().autodiff();
    for case in &fixture.cases {
        let what = format!("τ {}, decoupled {}", case.temperature, case.decoupled);
        let loss = InfoNce::new(case.temperature).with_decoupled(case.decoupled);
        let rows = |values: &[f32]| matrix(values.to_vec(), 8, &device);
        let (q, k) = (rows(&case.queries).require_grad(), rows(&case.positives).require_grad());
        let ours = loss.info_nce(q.clone(), k.clone(), rows(&case.negatives)).unwrap();
        assert_eq!(ours.negatives, 20);
        assert_contrast(&ours, &case.info_nce, &what);
        let gradients = ours.loss.backward();
        assert_close(&read(q.grad(&gradients).unwrap()), &case.info_nce.gradient, TOLERANCE, &what);
        assert!(k.grad(&gradients).is_none(), "{what}: keys get no gradient");

        let ours = loss.nt_xent(q.clone(), k.clone()).unwrap();
        assert_eq!(ours.negatives, 12);
        assert_contrast(&ours, &case.nt_xent, &format!("{what}, in-batch"));
        let gradients = ours.loss.backward();
        assert_close(&read(q.grad(&gradients).unwrap()), &case.nt_xent.gradient, TOLERANCE, &what);
        let second = case.nt_xent.second.as_ref().unwrap();
        assert_close(&read(k.grad(&gradients).unwrap()), second, TOLERANCE, &what);
    }
}

#[test]
fn equal_features_give_ln_of_k_plus_one() {
    let device = Device::flex();
    let same = |rows: usize| normalize(Tensor::<2>::ones([rows, 16], &device));
    for count in [1, 15, 4096] {
        for temperature in [0.07, 0.1, 0.2] {
            let ours = InfoNce::new(temperature).info_nce(same(4), same(4), same(count)).unwrap();
            let (loss, chance) = (scalar(&ours.loss), ours.chance);
            assert_eq!(chance, ((count + 1) as f64).ln());
            assert!((loss - chance).abs() <= 4e-7 * chance, "K {count}, τ {temperature}: {loss} instead of {chance}");
            assert_eq!(scalar(&ours.accuracy), 0.0, "a tie is no hit");
        }
    }
    let ours = InfoNce::new(0.1).nt_xent(same(5), same(5)).unwrap();
    assert!((scalar(&ours.loss) - 9f64.ln()).abs() < 1e-6);
    for dim in [3, 50, 1000] {
        // One direction whose numbers are not exact: sums in different orders differ.
        let one = normalize(matrix(numbers(3, dim), dim, &device)).repeat_dim(0, 5);
        assert_eq!(
            scalar(&InfoNce::new(0.1).nt_xent(one.clone(), one).unwrap().accuracy),
            0.0,
            "a tie is no hit, dim {dim}"
        );
    }
    assert_eq!(ours.negatives, 8);
    let decoupled = InfoNce::new(0.1).with_decoupled(true).info_nce(same(4), same(4), same(9)).unwrap();
    assert!((scalar(&decoupled.loss) - 9f64.ln()).abs() < 1e-6);
    assert_eq!(decoupled.chance, 9f64.ln());
}

#[test]
fn chance_has_the_published_values() {
    assert!((chance_loss(4096) - 8.318).abs() < 1e-3);
    assert!((chance_loss(65_536) - 11.090).abs() < 1e-3);
    assert_eq!(chance_loss(0), 0.0);
}

#[test]
fn huge_logits_keep_their_difference() {
    let device = Device::flex().autodiff();
    let one = |value: f32| Tensor::<2>::from_data([[value]], &device);
    for sign in [1.0, -1.0] {
        // Logits ±10⁴ and ±10⁴ − 1, exactly representable: softplus(∓1).
        let q = one(1.0).require_grad();
        let ours = InfoNce::new(1.0).info_nce(q.clone(), one(sign * 1e4), one(sign * 1e4 - 1.0)).unwrap();
        let expected = (-1f64).exp().ln_1p();
        assert!((scalar(&ours.loss) - expected).abs() < 1e-6, "{}", ours.loss);
        let gradient = read(q.grad(&ours.loss.backward()).unwrap())[0];
        // −(1 − p)(l₊ − l₋): the difference of two numbers of 10⁴, so with their error.
        assert!((gradient + 0.268_941_4).abs() < 2e-3, "{gradient}");
    }
    let far = InfoNce::new(1.0).info_nce(one(1.0), one(-1e4), one(1e4)).unwrap();
    assert_eq!(scalar(&far.loss), 2e4);
    let near = InfoNce::new(1.0).info_nce(one(1.0), one(1e4), one(-1e4)).unwrap();
    assert_eq!(scalar(&near.loss), 0.0);
    let decoupled = InfoNce::new(1.0).with_decoupled(true).info_nce(one(1.0), one(1e4), one(-1e4)).unwrap();
    assert_eq!(scalar(&decoupled.loss), -2e4);
}

#[test]
fn without_negatives_loss_and_gradient_are_zero() {
    let device = Device::flex().autodiff();
    for decoupled in [false, true] {
        let loss = InfoNce::new(0.1).with_decoupled(decoupled);
        let q = matrix(numbers(1, 8), 4, &device).require_grad();
        let none = Tensor::<2>::zeros([0, 4], &device);
        let ours = loss.info_nce(q.clone(), q.clone(), none).unwrap();
        assert_eq!((scalar(&ours.loss), ours.negatives, ours.chance), (0.0, 0, 0.0));
        assert_eq!(read(q.grad(&ours.loss.backward()).unwrap()), [0.0; 8]);
        let single = q.clone().narrow(0, 0, 1);
        assert_eq!(scalar(&loss.nt_xent(single.clone(), single).unwrap().loss), 0.0);
    }
}

#[test]
fn half_precision_is_widened() {
    let device = Device::flex();
    let rows = |seed, count: usize| normalize(matrix(numbers(seed, 4 * count), 4, &device));
    let half = |rows: Tensor<2>| rows.cast(FloatDType::F16);
    let wide = InfoNce::new(0.07).info_nce(rows(1, 3), rows(2, 3), rows(3, 50)).unwrap();
    let ours = InfoNce::new(0.07).info_nce(half(rows(1, 3)), half(rows(2, 3)), half(rows(3, 50))).unwrap();
    // An f16 has eleven bits: logits of up to 14 are off by a hundredth.
    assert!((scalar(&ours.loss) - scalar(&wide.loss)).abs() < 0.02, "{} {}", ours.loss, wide.loss);
}

#[test]
fn unit_length_is_exact_and_zero_stays_zero_with_a_finite_gradient() {
    let device = Device::flex().autodiff();
    let rows = Tensor::<2>::from_data([[3.0, 4.0], [0.0, 0.0], [-1e-3, 0.0]], &device).require_grad();
    let unit = normalize(rows.clone());
    assert_close(&read(unit.clone()), &[0.6, 0.8, 0.0, 0.0, -1.0, 0.0], 1e-7, "unit rows");
    let gradient = read(rows.grad(&unit.sum().backward()).unwrap());
    assert!(gradient.iter().all(|value| value.is_finite()), "{gradient:?}");
}

/// Scalar loops, written from the equations.
fn oracle(q: &[Vec<f64>], k: &[Vec<f64>], negatives: &[Vec<f64>], temperature: f64, decoupled: bool) -> (f64, f64) {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>() / temperature;
    let (mut loss, mut hits) = (0.0, 0.0);
    for (q, k) in q.iter().zip(k) {
        let positive = dot(q, k);
        let logits: Vec<f64> = negatives.iter().map(|negative| dot(q, negative)).collect();
        let mut sum: f64 = logits.iter().map(|logit| logit.exp()).sum();
        if !decoupled {
            sum += positive.exp();
        }
        loss -= positive - sum.ln();
        hits += f64::from(u8::from(logits.iter().all(|&logit| positive > logit)));
    }
    (loss / q.len() as f64, hits / q.len() as f64)
}

#[test]
fn batches_that_do_not_fit_are_refused() {
    let loss = InfoNce::default();
    let zeros = |shape: [usize; 2]| Tensor::<2>::zeros(shape, &Device::flex());
    let empty = ContrastiveError::Empty { what: "the batch" };
    assert_eq!(loss.info_nce(zeros([0, 3]), zeros([0, 3]), zeros([5, 3])).unwrap_err(), empty);
    assert_eq!(loss.nt_xent(zeros([0, 3]), zeros([0, 3])).unwrap_err(), empty);
    let views = ContrastiveError::Views { query: 2, key: 4 };
    assert_eq!(loss.info_nce(zeros([2, 3]), zeros([4, 3]), zeros([5, 3])).unwrap_err(), views);
    assert_eq!(loss.nt_xent(zeros([2, 3]), zeros([4, 3])).unwrap_err(), views);
    let dim = ContrastiveError::Dim { found: 4, expected: 3 };
    assert_eq!(loss.info_nce(zeros([2, 3]), zeros([2, 4]), zeros([5, 3])).unwrap_err(), dim);
    assert_eq!(loss.info_nce(zeros([2, 3]), zeros([2, 3]), zeros([5, 4])).unwrap_err(), dim);
    assert_eq!(loss.nt_xent(zeros([2, 3]), zeros([2, 4])).unwrap_err(), dim);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn equals_a_scalar_loop_and_does_not_mind_the_order_of_negatives(
        seed in 0u32..1000, batch in 1usize..6, count in 1usize..20, dim in 2usize..6,
        temperature in 0.05f64..1.0, decoupled: bool,
    ) {
        let device = Device::flex();
        let rows = |seed, n: usize| normalize(matrix(numbers(seed, n * dim), dim, &device));
        let (q, k, negatives) = (rows(seed, batch), rows(seed + 1, batch), rows(seed + 2, count));
        let host = |rows: &Tensor<2>| read(rows.clone()).chunks(dim).map(<[f64]>::to_vec).collect::<Vec<_>>();
        let loss = InfoNce::new(temperature).with_decoupled(decoupled);
        let ours = loss.info_nce(q.clone(), k.clone(), negatives.clone()).unwrap();
        let (expected, accuracy) = oracle(&host(&q), &host(&k), &host(&negatives), temperature, decoupled);
        // Logits of up to 20, in f32.
        prop_assert!((scalar(&ours.loss) - expected).abs() < 2e-5, "{} instead of {expected}", ours.loss);
        prop_assert!((scalar(&ours.accuracy) - accuracy).abs() < 1e-6);
        let turned = loss.info_nce(q, k, negatives.flip([0])).unwrap();
        prop_assert!((scalar(&turned.loss) - expected).abs() < 2e-5);
        prop_assert_eq!(scalar(&turned.accuracy), scalar(&ours.accuracy));
    }

    #[test]
    fn in_batch_loss_is_symmetric_in_its_views(seed in 0u32..1000, batch in 2usize..6) {
        let device = Device::flex();
        let rows = |seed| normalize(matrix(numbers(seed, batch * 3), 3, &device));
        let loss = InfoNce::new(0.3);
        let (one, two) = (loss.nt_xent(rows(seed), rows(seed + 7)).unwrap(), loss.nt_xent(rows(seed + 7), rows(seed)).unwrap());
        prop_assert!((scalar(&one.loss) - scalar(&two.loss)).abs() < 1e-5);
    }
}
