//! Five steps of Mean Teacher beside PyTorch's: `fixtures/generate.py`.

use std::collections::HashMap;

use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamConfig, ModuleOptimizer, SgdConfig};
use burn::tensor::Device;
use serde::Deserialize;
use slowburn_ema::{Decay, EmaConfig};
use slowburn_semi::{MeanTeacherConfig, Objective, SemiBatch};

use crate::{INPUT, Network, assert_close, matrix, scalar, set, step, tensors};

/// Relative to the largest number of a tensor: f32 through two layers, five times.
const TOLERANCE: f64 = 1e-5;

#[derive(Deserialize)]
struct Fixture {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    heads: usize,
    optimizer: String,
    rate: f64,
    objective: Objective,
    labels: Vec<Option<usize>>,
    start: HashMap<String, Vec<f32>>,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Step {
    student_view: Vec<f32>,
    teacher_view: Vec<f32>,
    total: f64,
    class: f64,
    consistency: f64,
    logit_distance: f64,
    weight: f64,
    student: HashMap<String, Vec<f64>>,
    teacher: HashMap<String, Vec<f64>>,
}

fn optimizer(name: &str) -> ModuleOptimizer {
    match name {
        "sgd" => SgdConfig::new()
            .with_momentum(Some(MomentumConfig::new().with_momentum(0.875).with_dampening(0.0).with_nesterov(true)))
            .with_weight_decay(Some(WeightDecayConfig::new(0.0009765625)))
            .init(),
        "adam" => AdamConfig::new().with_beta_1(0.875).with_beta_2(0.99609375).with_epsilon(1e-8).init(),
        other => panic!("no optimizer is called {other}"),
    }
}

/// PyTorch's running variance, which it keeps unbiased, as Burn keeps it. Both start at 1 and forget a tenth a step.
fn biased(unbiased: f64, steps: i32, batch: f64) -> f64 {
    let start = 0.9f64.powi(steps);
    start + (unbiased - start) * (batch - 1.0) / batch
}

#[track_caller]
fn assert_network(ours: &Network, expected: &HashMap<String, Vec<f64>>, steps: i32, batch: usize, what: &str) {
    let ours = tensors(ours);
    assert_eq!(ours.len(), expected.len(), "{what}");
    for (path, values) in ours {
        let mut expected = expected[&path].clone();
        if path == "norm.running_var" {
            expected = expected.into_iter().map(|value| biased(value, steps, batch as f64)).collect();
        }
        assert_close(&values, &expected, TOLERANCE, &format!("{what}, {path}"));
    }
}

fn assert_case(case: &Case) {
    let device = Device::flex().autodiff();
    let name = format!("{} heads, {}, {:?}", case.heads, case.optimizer, case.objective.consistency);
    let network = Network::new(0, INPUT, 0.0, case.heads == 2, &device);
    let network = set(network, |path, _| Some(case.start[path].clone()));
    let config = MeanTeacherConfig {
        objective: case.objective.clone(),
        average: EmaConfig::new(Decay::WarmUp { decay: 0.999 }),
    };
    let mut method = config.init(network, &device).unwrap();
    let mut optimizer = optimizer(&case.optimizer);
    for (index, expected) in case.steps.iter().enumerate() {
        let batch = SemiBatch {
            student: matrix(expected.student_view.clone(), INPUT, &device),
            teacher: matrix(expected.teacher_view.clone(), INPUT, &device),
            labels: case.labels.clone(),
            samples: (0..case.labels.len()).collect(),
        };
        let (after, losses) = step(method, &mut optimizer, case.rate, batch);
        method = after;
        let what = format!("{name}, step {index}");
        assert!((losses.weight - expected.weight).abs() < 1e-12, "{what}");
        for (ours, expected, part) in [
            (&losses.total, expected.total, "total"),
            (&losses.class, expected.class, "class"),
            (&losses.consistency, expected.consistency, "consistency"),
            (&losses.logit_distance, expected.logit_distance, "logit distance"),
        ] {
            assert_close(&[scalar(ours)], &[expected], TOLERANCE, &format!("{what}, {part} cost"));
        }
        let steps = index as i32 + 1;
        assert_network(&method.student, &expected.student, steps, case.labels.len(), &format!("{what}, student"));
        let teacher = method.teacher.module();
        assert_network(teacher, &expected.teacher, steps, case.labels.len(), &format!("{what}, teacher"));
    }
    assert_eq!(method.steps(), 5);
}

#[test]
fn five_steps_equal_pytorchs() {
    let fixture: Fixture = serde_json::from_str(include_str!("../fixtures/training.json")).unwrap();
    assert_eq!(fixture.cases.len(), 8, "one or two heads, SGD or Adam, MSE or KL");
    fixture.cases.iter().for_each(assert_case);
}
