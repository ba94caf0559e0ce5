//! A record holds all that the next update depends on.

use burn::module::{Module, ModuleMapper, Param};
use burn::store::ModuleRecord;
use burn::tensor::{Device, Int, Tensor};
use proptest::prelude::*;
use slowburn_ema::{Buffers, Decay, Ema, EmaConfig, StepCount, sync_running_state};

use crate::{Network, batch, tensors};

/// A step of a student that changes: its forward pass, the average's and the update.
fn step(ema: Ema<Network>, student: &Network, seed: u32, device: &Device) -> Ema<Network> {
    student.forward(batch(seed, device));
    ema.module().forward(batch(seed + 100, device));
    let ema = ema.update(student).unwrap();
    sync_running_state(student);
    sync_running_state(&ema);
    ema
}

/// Saves after `before` steps, loads into an average of another model, and continues with both: all must be equal, bit
/// for bit.
fn assert_resumes(config: &EmaConfig, before: u32, after: u32) {
    let device = Device::flex().autodiff();
    let student = |seed| Network::new(seed, &device);
    let mut ema = config.init(&student(0)).unwrap();
    for seed in 1..=before {
        ema = step(ema, &student(seed), seed, &device);
    }
    let bytes = ema.clone().into_record().into_bytes().unwrap();
    let record = ModuleRecord::from_bytes(bytes).unwrap();
    let mut resumed = config.init(&student(77)).unwrap().load_record(record);
    assert_eq!(resumed.updates(), ema.updates());
    assert_eq!(resumed.decay(), ema.decay());
    assert_eq!(tensors(&resumed), tensors(&ema));
    for seed in before + 1..=before + after {
        ema = step(ema, &student(seed), seed, &device);
        resumed = step(resumed, &student(seed), seed, &device);
        assert_eq!(tensors(&resumed), tensors(&ema), "after step {seed}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn every_schedule_and_policy_resumes(
        decay in 0.0f64..=1.0, end in 0.0f64..=1.0, length in 1u64..8, which in 0usize..5, buffers in 0usize..3,
        every in 1u64..4, before in 0u32..7, after in 1u32..4,
    ) {
        let schedule = [
            Decay::Constant { decay },
            Decay::WarmUp { decay },
            Decay::Step { first: decay, then: end, until: length },
            Decay::Cosine { base: decay, end, steps: length },
            Decay::Uniform,
        ][which];
        let buffers = [Buffers::Own, Buffers::Copy, Buffers::Average][buffers];
        assert_resumes(&EmaConfig::new(schedule).with_buffers(buffers).with_every(every), before, after);
    }
}

#[test]
fn a_decay_that_follows_the_training_starts_over_and_a_mean_goes_on() {
    let device = Device::flex();
    let half = |updates| 0.75 - 0.25 * (std::f64::consts::PI * f64::from(updates) / 4.0).cos();
    for (decay, restarted) in [
        (Decay::Cosine { base: 0.5, end: 1.0, steps: 4 }, half(1)),
        (Decay::Step { first: 0.5, then: 0.9, until: 2 }, 0.5),
        (Decay::WarmUp { decay: 0.9 }, 0.8),
        (Decay::Uniform, 0.8),
        (Decay::Constant { decay: 0.7 }, 0.7),
    ] {
        let mut ema = EmaConfig::new(decay).init(&Network::new(0, &device)).unwrap();
        for seed in 1..4 {
            ema = step(ema, &Network::new(seed, &device), seed, &device);
        }
        let before = tensors(ema.module());
        let mut ema = ema.restart();
        assert_eq!(tensors(ema.module()), before, "{decay}: the average stays");
        ema = step(ema, &Network::new(9, &device), 9, &device);
        assert!((ema.decay() - restarted).abs() < 1e-12, "{decay}: {} in the place of {restarted}", ema.decay());
    }
}

#[test]
fn a_record_of_another_network_is_refused() {
    let device = Device::flex();
    let record = EmaConfig::default().init(&Network::new(1, &device)).unwrap().into_record();
    let other = EmaConfig::default().init(&Network::new(1, &device).last).unwrap();
    assert!(other.try_load_record(record).is_err());
}

#[test]
fn a_counter_survives_records_devices_and_modes() {
    for device in [Device::flex(), Device::flex().autodiff()] {
        let mut count = StepCount::new(&device);
        for expected in 1..=300 {
            assert_eq!(count.increment(), expected);
        }
        let record = ModuleRecord::from_bytes(count.clone().into_record().into_bytes().unwrap()).unwrap();
        assert_eq!(StepCount::new(&device).load_record(record).get(), 300);
        assert_eq!(count.valid().train().fork(&Device::flex()).no_grad().get(), 300);
    }
}

/// A counter after a mapper that puts other numbers into integer tensors, as loading a record does.
fn counter_with(value: i32) -> StepCount {
    struct Put(i32);
    impl ModuleMapper for Put {
        fn map_int<const D: usize>(&mut self, param: Param<Tensor<D, Int>>) -> Param<Tensor<D, Int>> {
            param.map(|own| own.full_like(self.0))
        }
    }
    StepCount::new(&Device::flex()).map(&mut Put(value))
}

#[test]
fn a_counter_counts_to_the_largest_integer_of_every_backend() {
    let mut count = counter_with(i32::MAX - 1);
    assert_eq!(count.increment(), i32::MAX as u64);
    assert_eq!(counter_with(i32::MAX).map(&mut Nothing).get(), i32::MAX as u64);
}

struct Nothing;
impl ModuleMapper for Nothing {}

#[test]
#[should_panic(expected = "a step count of 2147483648 does not fit into a record")]
fn a_counter_does_not_wrap() {
    counter_with(i32::MAX).increment();
}

#[test]
#[should_panic(expected = "the record of a step count holds -3")]
fn a_negative_record_of_a_counter_is_no_zero() {
    counter_with(-3);
}

#[test]
fn settings_survive_serde() {
    let config = EmaConfig::new(Decay::Step { first: 0.99, then: 0.999, until: 40 }).with_buffers(Buffers::Average);
    let text = serde_json::to_string(&config).unwrap();
    assert!(text.contains(r#"{"step":{"first":0.99,"then":0.999,"until":40}}"#), "{text}");
    assert_eq!(serde_json::from_str::<EmaConfig>(&text).unwrap(), config);
}
