//! Adam with decays that change from step to step, beside Burn's Adam and beside the paper's equations.

use burn::optim::{AdamConfig, Optimizer};
use burn::tensor::{Device, Tensor, TensorData};
use slowburn_optim::{OptimError, RampedAdamConfig};

use crate::numbers;

const N: usize = 12;
const RATE: f64 = 0.01;

fn of(seed: u32, device: &Device) -> Tensor<1> {
    Tensor::from_data(TensorData::new(numbers(seed, N), [N]), device)
}

fn values(tensor: &Tensor<1>) -> Vec<f64> {
    tensor.to_data().iter::<f64>().collect()
}

#[test]
fn with_steady_decays_it_is_burns() {
    let device = Device::flex();
    let config = RampedAdamConfig { weight_decay: 0.02, ..RampedAdamConfig::default() };
    let ours = config.build(&config.betas()).unwrap();
    let decay = burn::optim::decay::WeightDecayConfig::new(0.02);
    let burns = AdamConfig::new().with_epsilon(1e-8).with_weight_decay(Some(decay)).build();
    let (mut a, mut b, mut state_a, mut state_b) = (of(1, &device), of(1, &device), None, None);
    for step in 0..4 {
        (a, state_a) = ours.step(RATE, a, of(2 + step, &device), state_a);
        (b, state_b) = burns.step(RATE, b, of(2 + step, &device), state_b);
        assert_eq!(values(&a), values(&b), "step {step}");
    }
}

/// Algorithm 1 of arXiv 1412.6980 in f64, with β₁ and β₂ of each step.
#[test]
fn decays_of_each_step_are_those_that_were_set() {
    let device = Device::flex();
    let config = RampedAdamConfig::default();
    let betas = config.betas();
    let adam = config.build(&betas).unwrap();
    let (mut weight, mut state) = (of(7, &device), None);
    let mut expected = values(&weight);
    let (mut mean, mut square) = (vec![0.0; N], vec![0.0; N]);
    for (step, (beta_1, beta_2)) in [(0.9, 0.99), (0.8, 0.99), (0.5, 0.999)].into_iter().enumerate() {
        betas.set(beta_1, beta_2);
        assert_eq!(betas.get(), (beta_1, beta_2));
        let gradient = of(20 + step as u32, &device);
        let g = values(&gradient);
        (weight, state) = adam.step(RATE, weight, gradient, state);
        let (beta_1, beta_2, time) = (f64::from(beta_1), f64::from(beta_2), step as i32 + 1);
        for i in 0..N {
            mean[i] = beta_1 * mean[i] + (1.0 - beta_1) * g[i];
            square[i] = beta_2 * square[i] + (1.0 - beta_2) * g[i] * g[i];
            let (m, v) = (mean[i] / (1.0 - beta_1.powi(time)), square[i] / (1.0 - beta_2.powi(time)));
            expected[i] -= RATE * m / (v.sqrt() + 1e-8);
        }
        for (found, expected) in values(&weight).into_iter().zip(&expected) {
            assert!((found - expected).abs() < 2e-6, "step {step}: {found} for {expected}");
        }
    }
}

#[test]
fn settings_out_of_range_are_named() {
    let good = RampedAdamConfig::default;
    for beta in [1.0, -0.1, f32::NAN] {
        let error = RampedAdamConfig { beta_1: beta, ..good() }.validate().unwrap_err();
        assert!(matches!(error, OptimError::Beta { field: "beta_1", .. }), "{error}");
        assert!(RampedAdamConfig { beta_2: beta, ..good() }.init().is_err());
    }
    for epsilon in [0.0, -1.0, f32::INFINITY] {
        assert!(matches!(RampedAdamConfig { epsilon, ..good() }.validate(), Err(OptimError::Epsilon { .. })));
    }
    assert!(matches!(
        RampedAdamConfig { weight_decay: -1.0, ..good() }.validate(),
        Err(OptimError::WeightDecay { .. })
    ));
}
