//! The same steps made by PyTorch: `fixtures/generate.py`.

use serde::Deserialize;
use slowburn_optim::FusedSgdConfig;

use crate::{step, tensor, values};

#[derive(Deserialize)]
struct Fixture {
    shape: [usize; 2],
    rates: Vec<f64>,
    start: Vec<f32>,
    gradients: Vec<Vec<f32>>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    settings: FusedSgdConfig,
    weights: Vec<Vec<f64>>,
    velocities: Vec<Option<Vec<f64>>>,
}

#[track_caller]
fn assert_close(ours: &[f32], expected: &[f64], case: &str) {
    assert_eq!(ours.len(), expected.len());
    for (&ours, &expected) in ours.iter().zip(expected) {
        // PyTorch computes in f32 too, where it fuses a product with a sum: a last bit or so in each of twenty steps.
        let bound = 1e-6 * expected.abs().max(1.0);
        assert!((f64::from(ours) - expected).abs() <= bound, "{case}: {ours} instead of {expected}");
    }
}

#[test]
fn weights_and_velocities_equal_pytorchs_after_every_step() {
    let fixture: Fixture = serde_json::from_str(include_str!("../fixtures/pytorch.json")).unwrap();
    assert_eq!((fixture.cases.len(), fixture.rates.len(), fixture.gradients.len()), (10, 20, 20));
    for Case { settings, weights, velocities } in &fixture.cases {
        let sgd = settings.build().unwrap();
        let (mut weight, mut velocity) = (tensor(&fixture.start, fixture.shape), None);
        for (at, (gradient, &rate)) in fixture.gradients.iter().zip(&fixture.rates).enumerate() {
            (weight, velocity) = step(&sgd, rate, weight, tensor(gradient, fixture.shape), velocity);
            let case = format!("{settings:?}, step {}", at + 1);
            assert_close(&values(&weight), &weights[at], &case);
            match (&velocity, &velocities[at]) {
                (Some(ours), Some(expected)) => assert_close(&values(ours), expected, &case),
                (None, None) => assert_eq!(settings.momentum, 0.0),
                (ours, expected) => panic!("{case}: {ours:?} instead of {expected:?}"),
            }
        }
    }
}
