//! Five steps of FixMatch and its kin, and of ICT, beside PyTorch's: `fixtures/generate_pseudo.py`.

use std::collections::HashMap;

use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{ModuleOptimizer, SgdConfig};
use burn::tensor::{Device, Tensor};
use serde::Deserialize;
use slowburn_semi::{IctConfig, Losses, PseudoLabelConfig, SemiBatch, SemiSupervised, Teacher};

use crate::{INPUT, Network, assert_close, matrix, read, scalar, set, step, tensors};

/// Relative to the largest number of a tensor: f32 through two layers, five times.
const TOLERANCE: f64 = 2e-5;

#[derive(Deserialize)]
struct Fixture {
    cases: Vec<Case<PseudoLabelConfig>>,
    mixed: Vec<Case<IctConfig>>,
}

#[derive(Deserialize)]
struct Case<C> {
    name: String,
    labels: Vec<Option<usize>>,
    rate: f64,
    config: C,
    start: HashMap<String, Vec<f32>>,
    steps: Vec<Step>,
    partners: Option<Vec<Vec<usize>>>,
    weights: Option<Vec<Vec<f32>>>,
}

#[derive(Deserialize)]
struct Step {
    student_view: Vec<f32>,
    teacher_view: Vec<f32>,
    samples: Vec<usize>,
    total: f64,
    class: f64,
    consistency: f64,
    weight: f64,
    kept: f64,
    fairness: Option<f64>,
    thresholds: Vec<f64>,
    student: HashMap<String, Vec<f64>>,
    average: HashMap<String, Vec<f64>>,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("../fixtures/pseudo.json")).unwrap()
}

fn optimizer() -> ModuleOptimizer {
    SgdConfig::new()
        .with_momentum(Some(MomentumConfig::new().with_momentum(0.875).with_dampening(0.0).with_nesterov(true)))
        .with_weight_decay(Some(WeightDecayConfig::new(0.0009765625)))
        .init()
}

impl<C> Case<C> {
    fn network(&self, device: &Device) -> Network {
        set(Network::new(0, INPUT, 0.0, false, device), |path, _| Some(self.start[path].clone()))
    }

    fn batch(&self, step: &Step, device: &Device) -> SemiBatch<Tensor<2>> {
        SemiBatch {
            student: matrix(step.student_view.clone(), INPUT, device),
            teacher: matrix(step.teacher_view.clone(), INPUT, device),
            labels: self.labels.clone(),
            samples: step.samples.clone(),
        }
    }

    /// Takes the steps and holds costs and weights against the script's after each.
    fn assert_steps<T: Teacher<Network>>(
        &self,
        mut method: SemiSupervised<Network, T>,
        check: impl Fn(&SemiSupervised<Network, T>, &Losses, &Step, &str),
    ) {
        let (device, mut optimizer) = (Device::flex().autodiff(), optimizer());
        for (index, expected) in self.steps.iter().enumerate() {
            let (after, losses) = step(method, &mut optimizer, self.rate, self.batch(expected, &device));
            method = after;
            let what = format!("{}, step {index}", self.name);
            assert!((losses.weight - expected.weight).abs() < 1e-12, "{what}");
            for (ours, expected, part) in [
                (&losses.total, expected.total, "total"),
                (&losses.class, expected.class, "class"),
                (&losses.consistency, expected.consistency, "consistency"),
            ] {
                // The total of FreeMatch is a difference.
                let error = (scalar(ours) - expected).abs();
                assert!(error <= TOLERANCE * expected.abs().max(0.5), "{what}, {part} cost: {ours} not {expected}");
            }
            assert_network(&method.student, &expected.student, &format!("{what}, student"));
            let average = method.teacher.network().unwrap();
            assert_network(average, &expected.average, &format!("{what}, average"));
            check(&method, &losses, expected, &what);
        }
        assert_eq!(method.steps(), 5);
    }
}

#[track_caller]
fn assert_network(ours: &Network, expected: &HashMap<String, Vec<f64>>, what: &str) {
    let ours = tensors(ours);
    assert_eq!(ours.len(), expected.len(), "{what}");
    for (path, values) in ours {
        assert_close(&values, &expected[&path], TOLERANCE, &format!("{what}, {path}"));
    }
}

#[test]
fn five_steps_of_fix_match_and_its_kin_equal_pytorchs() {
    let (device, fixture) = (Device::flex().autodiff(), fixture());
    for case in &fixture.cases {
        let method = case.config.init(case.network(&device), 12, 3, &device).unwrap();
        case.assert_steps(method, |method, losses, expected, what| {
            let kept = losses.kept.as_ref().map_or(1.0, scalar);
            assert!((kept - expected.kept).abs() < 1e-6, "{what}: {kept} kept, not {}", expected.kept);
            assert_eq!(losses.regularizer.is_some(), expected.fairness.is_some(), "{what}");
            if let (Some(ours), Some(expected)) = (&losses.regularizer, expected.fairness) {
                assert!((scalar(ours) - expected).abs() < TOLERANCE * 10.0, "{what}: {ours} instead of {expected}");
            }
            let thresholds = read(method.teacher.selector().thresholds());
            assert_close(&thresholds, &expected.thresholds, 1e-6, &format!("{what}, thresholds"));
        });
    }
    assert_eq!(fixture.cases.len(), 9);
}

#[test]
fn five_steps_of_ict_equal_pytorchs() {
    let (device, fixture) = (Device::flex().autodiff(), fixture());
    for case in &fixture.mixed {
        for (index, (partners, weights)) in
            case.partners.iter().flatten().zip(case.weights.iter().flatten()).enumerate()
        {
            let ours = case.config.mixing.draws(5, index as u64);
            assert_eq!((&ours.partners, &ours.weights), (partners, weights), "{}, step {index}", case.name);
        }
        let method = case.config.init(case.network(&device), &device).unwrap();
        case.assert_steps(method, |_, _, _, _| {});
    }
    assert_eq!(fixture.mixed.len(), 2);
}
