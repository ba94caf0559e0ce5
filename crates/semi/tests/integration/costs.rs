//! Costs, their gradients and ramps beside PyTorch's (`fixtures/generate.py`) and beside loops over numbers.

use std::collections::HashMap;

use burn::tensor::activation::softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};
use proptest::prelude::*;
use serde::Deserialize;
use slowburn_semi::Ramp;
use slowburn_semi::costs::{logit_distance, masked_cross_entropy, softmax_cross_entropy, softmax_kl, softmax_mse};

use crate::{assert_close, matrix, numbers, read};

#[derive(Deserialize)]
struct Fixture {
    student: Vec<f32>,
    other: Vec<f32>,
    target: Vec<f32>,
    labels: Vec<Option<usize>>,
    costs: HashMap<String, Expected>,
    ramps: Vec<Values>,
}

#[derive(Deserialize)]
struct Expected {
    cost: Vec<f64>,
    gradient: Vec<f64>,
}

#[derive(Deserialize)]
struct Values {
    ramp: Ramp,
    values: Vec<f64>,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("../fixtures/costs.json")).unwrap()
}

/// Indices and marks of labels.
fn marked(labels: &[Option<usize>], device: &Device) -> (Tensor<1, Int>, Tensor<1>) {
    let indices: Vec<i32> = labels.iter().map(|label| label.unwrap_or(0) as i32).collect();
    let marks: Vec<f32> = labels.iter().map(|label| f32::from(u8::from(label.is_some()))).collect();
    let shape = [labels.len()];
    (
        Tensor::from_data(TensorData::new(indices, shape), device),
        Tensor::from_data(TensorData::new(marks, shape), device),
    )
}

#[test]
fn costs_and_gradients_equal_pytorchs() {
    let device = Device::flex().autodiff();
    let fixture = fixture();
    let weights = Tensor::<1>::from_data([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &device);
    let (labels, marks) = marked(&fixture.labels, &device);
    let constant = |values: &[f32]| matrix(values.to_vec(), 5, &device);
    for (name, expected) in &fixture.costs {
        let student = constant(&fixture.student).require_grad();
        let cost = match name.as_str() {
            "softmax_mse" => softmax_mse(student.clone(), constant(&fixture.target)),
            "softmax_kl" => softmax_kl(student.clone(), constant(&fixture.target)),
            "softmax_cross_entropy" => softmax_cross_entropy(student.clone(), constant(&fixture.target)),
            "logit_distance" => logit_distance(student.clone(), constant(&fixture.other)),
            "masked_cross_entropy" => masked_cross_entropy(student.clone(), labels.clone(), marks.clone()),
            other => panic!("no cost is called {other}"),
        };
        // A dozen f32 roundings of 6e-8 of numbers up to 10.
        assert_close(&read(cost.clone()), &expected.cost, 1e-5, name);
        let gradients = (cost * weights.clone()).sum().backward();
        assert_close(&read(student.grad(&gradients).unwrap()), &expected.gradient, 1e-5, name);
    }
    assert_eq!(fixture.costs.len(), 5);
}

#[test]
fn ramps_equal_the_scripts() {
    let fixture = fixture();
    assert_eq!(fixture.ramps.len(), 5);
    for Values { ramp, values } in fixture.ramps {
        for (index, expected) in values.into_iter().enumerate() {
            let ours = ramp.at(3 * index as u64);
            // Both are f64 and apart by the order of a few operations.
            assert!((ours - expected).abs() < 1e-12, "{ramp} at {}: {ours} instead of {expected}", 3 * index);
        }
    }
}

#[test]
fn both_heads_receive_the_gradient_of_their_distance() {
    let device = Device::flex().autodiff();
    let (a, b) = (matrix(numbers(1, 6), 3, &device).require_grad(), matrix(numbers(2, 6), 3, &device).require_grad());
    let gradients = logit_distance(a.clone(), b.clone()).sum().backward();
    let (of_a, of_b) = (read(a.grad(&gradients).unwrap()), read(b.grad(&gradients).unwrap()));
    let expected: Vec<f64> = read(a).iter().zip(read(b)).map(|(a, b)| 2.0 / 3.0 * (a - b)).collect();
    // Three f32 roundings.
    assert_close(&of_a, &expected, 3e-7, "first head");
    assert_close(&of_b, &expected.iter().map(|value| -value).collect::<Vec<_>>(), 3e-7, "second head");
}

#[test]
fn kl_with_probabilities_of_zero_is_finite_in_both_directions() {
    let device = Device::flex().autodiff();
    let student = Tensor::<2>::from_data([[100.0, -100.0, 0.0], [-100.0, 100.0, 0.0]], &device).require_grad();
    // Logits so far apart that softmax underflows to exact zeros, as in the Π-model with gradients to both branches.
    let teacher = Tensor::<2>::from_data([[200.0, 0.0, 0.0], [200.0, 0.0, 0.0]], &device).require_grad();
    let probabilities = softmax(teacher.clone(), 1);
    assert_eq!(read(probabilities.clone()), [1.0, 0.0, 0.0, 1.0, 0.0, 0.0]);
    let cost = softmax_kl(student.clone(), probabilities);
    // ln 1 − ln softmax: 0 where they agree, 200 where they do not; f32 has seven digits.
    assert_close(&read(cost.clone()), &[0.0, 200.0], 1e-6, "cost");
    let gradients = cost.sum().backward();
    assert_close(&read(student.grad(&gradients).unwrap()), &[0.0, 0.0, 0.0, -1.0, 1.0, 0.0], 1e-6, "student");
    assert!(read(teacher.grad(&gradients).unwrap()).iter().all(|value| value.is_finite()));
}

fn log_softmax(row: &[f64]) -> Vec<f64> {
    let largest = row.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
    let sum: f64 = row.iter().map(|value| (value - largest).exp()).sum();
    row.iter().map(|value| value - largest - sum.ln()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn costs_equal_loops(rows in 1usize..7, classes in 1usize..9, scale in 0.1f32..8.0, seed: u32) {
        let device = Device::flex();
        let scaled = |seed, n| numbers(seed, n).iter().map(|value| value * scale).collect::<Vec<_>>();
        let (student, other) = (scaled(seed, rows * classes), scaled(seed ^ 5, rows * classes));
        let labels: Vec<Option<usize>> = (0..rows).map(|row| (row % 3 != 1).then_some((row + 1) % classes)).collect();
        let s = matrix(student.clone(), classes, &device);
        let target = softmax(matrix(other.clone(), classes, &device), 1);
        let (indices, marks) = marked(&labels, &device);
        let p = read(target.clone());
        let mut expected = [vec![], vec![], vec![], vec![]];
        for (row, label) in labels.iter().enumerate() {
            let at = row * classes..(row + 1) * classes;
            let logits: Vec<f64> = student[at.clone()].iter().map(|&value| f64::from(value)).collect();
            let ln = log_softmax(&logits);
            let (mut mse, mut kl, mut distance) = (0.0, 0.0, 0.0);
            for class in 0..classes {
                let p = p[at.start + class];
                mse += (ln[class].exp() - p).powi(2) / classes as f64;
                kl += if p > 0.0 { p * (p.ln() - ln[class]) } else { 0.0 };
                distance += (logits[class] - f64::from(other[at.start + class])).powi(2) / classes as f64;
            }
            let entropy = label.map_or(0.0, |label| -ln[label]);
            for (all, one) in expected.iter_mut().zip([mse, kl, distance, entropy]) {
                all.push(one);
            }
        }
        let ours = [
            softmax_mse(s.clone(), target.clone()),
            softmax_kl(s.clone(), target),
            logit_distance(s.clone(), matrix(other, classes, &device)),
            masked_cross_entropy(s, indices, marks),
        ];
        for (ours, expected) in ours.into_iter().zip(&expected) {
            for (a, b) in read(ours).iter().zip(expected) {
                // Where terms cancel (a KL near 0), what stays is the rounding of terms of up to 16.
                prop_assert!((a - b).abs() <= 1e-5 * b.abs() + 4e-6, "{a} instead of {b}");
            }
        }
    }
}
