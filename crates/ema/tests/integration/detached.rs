//! What a detached copy shares with its original: nothing but values.

use std::collections::HashSet;

use burn::module::{Flag, Module, ModuleVisitor, Param};
use burn::nn::{Dropout, DropoutConfig};
use burn::tensor::{Device, GradientCheckpointingStrategy, Int, Tensor};
use slowburn_ema::{Decay, EmaConfig, StepCount, detached_copy, sync_running_state};

use crate::{Network, batch, tensors};

#[derive(Default)]
struct Facts {
    ids: HashSet<u64>,
    flags: Vec<bool>,
    gradients: Vec<bool>,
    autodiff: Vec<bool>,
}

impl ModuleVisitor for Facts {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.ids.insert(param.id.val());
        self.gradients.push(param.is_require_grad());
        self.autodiff.push(param.val().is_autodiff());
    }
    fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<D, Int>>) {
        self.ids.insert(param.id.val());
    }
    fn visit_flag(&mut self, flag: &Param<Flag>) {
        self.flags.push(flag.is_enabled());
    }
}

fn facts<M: Module>(module: &M) -> Facts {
    let mut facts = Facts::default();
    module.visit(&mut facts);
    facts
}

#[test]
fn values_are_equal_and_ids_are_new_but_for_running_statistics() {
    for device in [Device::flex(), Device::flex().autodiff()] {
        let network = Network::new(1, &device);
        let copy = detached_copy(&network);
        assert_eq!(tensors(&copy), tensors(&network));
        let (ours, theirs) = (facts(&copy).ids, facts(&network).ids);
        assert_eq!(ours.len(), theirs.len());
        assert_eq!(ours.intersection(&theirs).count(), 2, "running mean and variance");
    }
}

#[test]
fn counters_get_an_id_of_their_own_too() {
    let mut count = StepCount::new(&Device::flex());
    count.increment();
    let copy = detached_copy(&count);
    assert_eq!(copy.get(), 1);
    assert!(facts(&copy).ids.is_disjoint(&facts(&count).ids));
}

#[test]
fn running_statistics_are_not_shared_in_either_direction() {
    let device = Device::flex().autodiff();
    let network = Network::new(1, &device);
    let copy = detached_copy(&network);
    let before = tensors(&network);
    copy.forward(batch(1, &device));
    sync_running_state(&copy);
    sync_running_state(&network);
    assert_eq!(tensors(&network), before);
    let copied = tensors(&copy);
    assert_ne!(copied, before, "the copy is in training mode");
    network.forward(batch(2, &device));
    sync_running_state(&network);
    sync_running_state(&copy);
    assert_eq!(tensors(&copy), copied);
}

#[test]
fn an_update_pending_in_the_original_is_in_the_copy() {
    let device = Device::flex().autodiff();
    let network = Network::new(1, &device);
    network.forward(batch(1, &device));
    let copy = detached_copy(&network);
    sync_running_state(&network);
    assert_eq!(tensors(&copy), tensors(&network));
}

#[test]
fn flags_and_autodiff_are_kept_and_gradients_are_not() {
    for (device, gradient) in [(Device::flex(), false), (Device::flex().autodiff(), true)] {
        let network = Network::new(1, &device);
        let (original, copy) = (facts(&network), facts(&detached_copy(&network)));
        assert!(original.gradients.iter().any(|&g| g) == gradient);
        assert!(copy.gradients.iter().all(|&g| !g));
        assert_eq!(copy.autodiff, original.autodiff);
        assert_eq!(original.flags, [true, true]);
        assert_eq!(copy.flags, original.flags);
    }
}

#[test]
fn a_copy_never_asks_for_gradients_even_after_train() {
    let device = Device::flex().autodiff();
    let copy = detached_copy(&Network::new(1, &device));
    assert!(facts(&copy.valid().train()).gradients.iter().all(|&g| !g));
}

#[test]
fn frozen_layers_stay_frozen() {
    for device in [Device::flex(), Device::flex().autodiff()] {
        let mut network = Network::new(1, &device);
        network.norm = network.norm.freeze();
        let copy = detached_copy(&network);
        assert_eq!(facts(&copy).flags, [false, true]);
        assert_eq!(facts(&copy.valid().train()).flags, [false, true], "for good");
    }
}

#[test]
fn a_copy_of_a_valid_module_evaluates_and_trains_again_on_request() {
    let device = Device::flex().autodiff();
    let copy = detached_copy(&Network::new(1, &device).valid());
    assert_eq!(facts(&copy).flags, [false, false]);
    assert!(facts(&copy).autodiff.iter().all(|&a| !a));
    assert_eq!(facts(&copy.train()).flags, [true, true]);
}

#[test]
fn a_module_without_tensors_keeps_its_flags() {
    let dropout: Dropout = DropoutConfig::new(0.5).init();
    assert!(detached_copy(&dropout).training.is_enabled());
    assert!(!detached_copy(&dropout.freeze()).training.is_enabled());
}

/// Burn panics where tensors of two checkpointing strategies meet, and `valid().train()` loses the strategy.
#[test]
fn gradient_checkpointing_is_kept_through_copy_and_update() {
    let device = Device::flex().autodiff().gradient_checkpointing();
    let network = Network::new(1, &device);
    let ema = EmaConfig::new(Decay::Constant { decay: 0.5 }).init(&network).unwrap().update(&network).unwrap();
    assert_eq!(
        ema.module().last.weight.val().gradient_checkpointing_strategy(),
        Some(GradientCheckpointingStrategy::Balanced)
    );
    let output = ema.module().forward(batch(1, &device)) + network.forward(batch(1, &device));
    let gradients = output.sum().backward();
    assert!(network.last.weight.grad(&gradients).is_some());
    assert!(ema.module().last.weight.grad(&gradients).is_none());
}

#[test]
fn the_average_has_no_gradient_where_the_student_has_one() {
    let device = Device::flex().autodiff();
    let student = Network::new(1, &device);
    let mut ema = EmaConfig::default().init(&student).unwrap();
    for _ in 0..2 {
        let gradients = (ema.module().forward(batch(1, &device)) - student.forward(batch(1, &device))).sum().backward();
        assert!(student.first.weight.grad(&gradients).is_some());
        assert!(ema.module().first.weight.grad(&gradients).is_none());
        ema = ema.update(&student).unwrap();
        assert!(facts(ema.module()).gradients.iter().all(|&g| !g));
        assert_eq!(facts(ema.module()).flags, [true, true]);
    }
}
