//! What this crate relies on in Burn 0.22: where one of these fails after an upgrade, steps are slow or not as said.

use std::sync::{Arc, Mutex};

use burn::nn::conv::Conv2dConfig;
use burn::nn::{Linear, LinearConfig};
use burn::optim::{GradientsParams, LearningRate, ModuleOptimizer, Optimizer};
use burn::tensor::{Device, Tensor};
use slowburn_optim::{FusedSgd, FusedSgdConfig, FusedSgdState};

use crate::{address, bits, numbers, tensor};

/// Where weight and velocity lay before a step and after it.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Places {
    weight: [usize; 2],
    velocity: [Option<usize>; 2],
}

/// Notes places.
#[derive(Clone)]
struct Watched {
    sgd: FusedSgd,
    seen: Arc<Mutex<Vec<Places>>>,
}

impl Watched {
    fn new() -> Self {
        let sgd = FusedSgdConfig::new().with_momentum(0.9).with_weight_decay(0.01).build().unwrap();
        Self { sgd, seen: Arc::default() }
    }

    fn seen(&self) -> Vec<Places> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }

    /// Fails unless weight and bias lie where they did before the step, and their velocities from the second one on.
    #[track_caller]
    fn assert_one_owner(&self, step: u32) {
        let seen = self.seen();
        assert_eq!(seen.len(), 2, "a weight and a bias");
        for Places { weight, velocity } in seen {
            assert_eq!(weight[0], weight[1], "step {step}");
            assert!(step == 0 || velocity[0] == velocity[1], "step {step}");
        }
    }
}

impl Optimizer for Watched {
    type State<const D: usize> = FusedSgdState<D>;

    fn step<const D: usize>(
        &self,
        rate: LearningRate,
        weight: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<FusedSgdState<D>>,
    ) -> (Tensor<D>, Option<FusedSgdState<D>>) {
        let velocity = |state: &Option<FusedSgdState<D>>| Some(address(&state.as_ref()?.momentum.as_ref()?.velocity));
        let before = (address(&weight), velocity(&state));
        let (weight, state) = self.sgd.step(rate, weight, gradient, state);
        let after = (address(&weight), velocity(&state));
        let places = Places { weight: [before.0, after.0], velocity: [before.1, after.1] };
        self.seen.lock().unwrap().push(places);
        (weight, state)
    }

    fn to_device<const D: usize>(state: FusedSgdState<D>, device: &Device) -> FusedSgdState<D> {
        FusedSgd::to_device(state, device)
    }
}

fn linear() -> Linear {
    LinearConfig::new(20, 30).init(&Device::flex().autodiff())
}

/// Gradients of a pass through the network, as in training.
fn gradients(linear: &Linear, seed: u32) -> GradientsParams {
    let input = Tensor::from_inner(tensor(&numbers(seed, 80), [4, 20]));
    GradientsParams::from_grads(linear.forward(input).square().mean().backward(), linear)
}

#[test]
fn a_step_gets_weight_and_velocity_of_a_convolution_with_one_owner() {
    let device = Device::flex().autodiff();
    let mut conv = Conv2dConfig::new([64, 128], [3, 3]).init(&device);
    let watched = Watched::new();
    let mut optimizer = ModuleOptimizer::from(watched.clone());
    for step in 0..4 {
        let images = Tensor::<4>::ones([8, 64, 8, 8], &device);
        let gradients = conv.forward(images).square().mean().backward();
        let gradients = GradientsParams::from_grads(gradients, &conv);
        conv = optimizer.step(0.1, conv, gradients);
        watched.assert_one_owner(step);
    }
}

#[test]
fn a_step_gets_weight_and_velocity_with_one_owner() {
    let watched = Watched::new();
    let (mut network, mut optimizer) = (linear(), ModuleOptimizer::from(watched.clone()));
    for seed in 0..4 {
        let gradients = gradients(&network, seed);
        network = optimizer.step(0.1, network, gradients);
        watched.assert_one_owner(seed);
    }
}

#[test]
fn a_clone_of_the_module_is_a_second_owner_and_keeps_its_weights() {
    let watched = Watched::new();
    let (network, mut optimizer) = (linear(), ModuleOptimizer::from(watched.clone()));
    let gradients = gradients(&network, 0);
    let before = bits(&network.weight.val());
    let stepped = optimizer.step(0.1, network.clone(), gradients);
    assert_eq!(bits(&network.weight.val()), before);
    assert_ne!(bits(&stepped.weight.val()), before);
    assert!(watched.seen().iter().all(|places| places.weight[0] != places.weight[1]));
}

#[test]
fn a_clone_of_the_optimizer_shares_velocities_and_neither_disturbs_the_other() {
    let watched = Watched::new();
    let (network, mut optimizer) = (linear(), ModuleOptimizer::from(watched.clone()));
    let first = gradients(&network, 0);
    let network = optimizer.step(0.1, network, first);
    watched.seen();
    let mut other = optimizer.clone();
    let again = |optimizer: &mut ModuleOptimizer| {
        let stepped = optimizer.step(0.1, network.clone(), gradients(&network, 1));
        bits(&stepped.weight.val())
    };
    let ours = again(&mut optimizer);
    assert!(watched.seen().iter().all(|places| places.velocity[0] != places.velocity[1]), "copied");
    assert_eq!(again(&mut other), ours);
    assert!(watched.seen().iter().all(|places| places.velocity[0] == places.velocity[1]), "the only owner by now");
}

#[test]
fn a_record_that_is_kept_keeps_its_numbers() {
    let (network, mut optimizer) = (linear(), FusedSgdConfig::new().with_momentum(0.9).init().unwrap());
    let first = gradients(&network, 0);
    let network = optimizer.step(0.1, network, first);
    // The record is taken before the step and written out after it.
    let (bytes, record) = (optimizer.into_bytes().unwrap(), optimizer.to_record());
    let second = gradients(&network, 1);
    drop(optimizer.step(0.1, network.clone(), second));
    let resume = |optimizer: ModuleOptimizer| {
        let mut optimizer = optimizer;
        bits(&optimizer.step(0.1, network.clone(), gradients(&network, 2)).weight.val())
    };
    let fresh = || FusedSgdConfig::new().with_momentum(0.9).init().unwrap();
    assert_eq!(resume(fresh().load_record(record)), resume(fresh().from_bytes(bytes).unwrap()));
}
