//! Running statistics under each policy. `norm.running_mean` and `norm.running_var` are the only buffers here.

use burn::module::Module;
use burn::tensor::Device;
use slowburn_ema::{Buffers, Decay, EmaConfig, sync_running_state};

use crate::{Network, assert_close, batch, tensor};

const BUFFERS: [&str; 2] = ["norm.running_mean", "norm.running_var"];

fn statistics<M: Module>(module: &M) -> Vec<f64> {
    sync_running_state(module);
    BUFFERS.iter().flat_map(|path| tensor(module, path)).collect()
}

fn student(device: &Device) -> Network {
    Network::new(1, device)
}

#[test]
fn own_statistics_move_with_the_averages_forward_passes_only() {
    let device = Device::flex().autodiff();
    let student = student(&device);
    let mut ema = EmaConfig::new(Decay::Constant { decay: 0.5 }).init(&student).unwrap();
    let fresh = statistics(ema.module());
    for seed in 0..3 {
        student.forward(batch(seed, &device));
        ema = ema.update(&student).unwrap();
    }
    assert_ne!(statistics(&student), fresh, "the student's moved");
    assert_eq!(statistics(ema.module()), fresh, "the average's did not");

    let students = statistics(&student);
    ema.module().forward(batch(9, &device));
    assert_ne!(statistics(ema.module()), fresh, "its own pass moves them");
    assert_eq!(statistics(&student), students, "and not the student's");
}

#[test]
fn own_statistics_pending_in_the_average_survive_an_update() {
    let device = Device::flex().autodiff();
    let student = student(&device);
    let config = EmaConfig::new(Decay::Constant { decay: 0.5 });
    let with_update = config.init(&student).unwrap();
    with_update.module().forward(batch(3, &device));
    let with_update = with_update.update(&student).unwrap();
    let without = config.init(&student).unwrap();
    without.module().forward(batch(3, &device));
    assert_eq!(statistics(with_update.module()), statistics(without.module()));
}

#[test]
fn copied_statistics_are_the_students_with_its_pending_update() {
    let device = Device::flex().autodiff();
    let student = student(&device);
    let mut ema = EmaConfig::new(Decay::Constant { decay: 0.5 }).with_buffers(Buffers::Copy).init(&student).unwrap();
    // Pending in the average: must not come back over the copy.
    ema.module().forward(batch(7, &device));
    student.forward(batch(1, &device));
    student.forward(batch(2, &device));
    ema = ema.update(&student).unwrap();
    let copied: Vec<f64> = BUFFERS.iter().flat_map(|path| tensor(ema.module(), path)).collect();
    assert_eq!(copied, statistics(&student));
    assert_eq!(statistics(ema.module()), copied, "nothing was left pending");
    // Weights are still averaged: the average of a student with itself, to a rounding.
    assert_close(&tensor(ema.module(), "last.weight"), &tensor(&student, "last.weight"), 1.2e-7);

    student.forward(batch(3, &device));
    assert_eq!(statistics(ema.module()), copied, "a copy, not a share");
}

#[test]
fn averaged_statistics_follow_the_decay_like_weights() {
    let device = Device::flex().autodiff();
    let student = student(&device);
    let decay = 0.75;
    let mut ema = EmaConfig::new(Decay::Constant { decay }).with_buffers(Buffers::Average).init(&student).unwrap();
    let mut expected = statistics(&student);
    for seed in 0..4 {
        student.forward(batch(seed, &device));
        ema = ema.update(&student).unwrap();
        for (average, student) in expected.iter_mut().zip(statistics(&student)) {
            *average = decay * *average + (1.0 - decay) * student;
        }
        // Three roundings of 2^-24 for each of four updates.
        assert_close(&statistics(ema.module()), &expected, 7.2e-7);
    }
}

#[test]
fn the_policy_reaches_statistics_on_a_plain_device() {
    let device = Device::flex();
    let trained = student(&Device::flex().autodiff());
    trained.forward(batch(1, &Device::flex().autodiff()));
    let start = student(&device);
    for (buffers, moves) in [(Buffers::Own, false), (Buffers::Copy, true), (Buffers::Average, true)] {
        let ema = EmaConfig::new(Decay::Constant { decay: 0.5 }).with_buffers(buffers).init(&start).unwrap();
        let ema = ema.update(&trained.valid()).unwrap();
        assert_eq!(statistics(ema.module()) != statistics(&start), moves, "{buffers:?}");
    }
}
