//! Averages that are known without a loop.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use proptest::prelude::*;
use slowburn_ema::{Decay, EmaConfig};

use crate::numbers;

#[derive(Module, Debug)]
struct Vector {
    values: Param<Tensor<1>>,
}

fn vector(values: Vec<f32>) -> Vector {
    let length = values.len();
    Vector { values: Param::from_tensor(Tensor::from_data(TensorData::new(values, [length]), &Device::flex())) }
}

fn read(vector: &Vector) -> Vec<f32> {
    vector.values.val().into_data().try_into_vec().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_constant_student_leaves_a_power_of_the_decay(
        length in 1usize..40, decay in 0.0f64..=1.0, updates in 0i32..60, seed: u32,
    ) {
        let (start, student) = (numbers(seed, length), numbers(seed ^ 1, length));
        let mut ema = EmaConfig::new(Decay::Constant { decay }).init(&vector(start.clone())).unwrap();
        for _ in 0..updates {
            ema = ema.update(&vector(student.clone())).unwrap();
        }
        let left = decay.powi(updates);
        for ((ours, start), student) in read(ema.module()).into_iter().zip(start).zip(student) {
            let expected = left * f64::from(start) + (1.0 - left) * f64::from(student);
            // Each update rounds three times, by at most 2^-24 of numbers below 1.
            let tolerance = 3.0 * f64::from(updates) * 2f64.powi(-24) + 1e-9;
            prop_assert!((f64::from(ours) - expected).abs() <= tolerance, "{ours} {expected}");
        }
    }

    #[test]
    fn uniform_is_the_mean_of_the_start_and_of_every_student(length in 1usize..40, updates in 0u32..60, seed: u32) {
        let models: Vec<Vec<f32>> = (0..=updates).map(|n| numbers(seed.wrapping_add(n), length)).collect();
        let mut ema = EmaConfig::new(Decay::Uniform).init(&vector(models[0].clone())).unwrap();
        for model in &models[1..] {
            ema = ema.update(&vector(model.clone())).unwrap();
        }
        for (index, ours) in read(ema.module()).into_iter().enumerate() {
            let sum: f64 = models.iter().map(|model| f64::from(model[index])).sum();
            let expected = sum / f64::from(updates + 1);
            // As above; a mean forgets none of its roundings but shrinks them with each update.
            let tolerance = 3.0 * f64::from(updates) * 2f64.powi(-24) + 1e-9;
            prop_assert!((f64::from(ours) - expected).abs() <= tolerance, "{ours} {expected}");
        }
    }

    #[test]
    fn every_schedule_stays_between_its_ends(decay in 0.0f64..=1.0, end in 0.0f64..=1.0, t in 0u64..5000) {
        for (schedule, low, high) in [
            (Decay::Constant { decay }, decay, decay),
            (Decay::WarmUp { decay }, decay.min(0.5), decay),
            (Decay::Step { first: decay, then: end, until: 100 }, decay.min(end), decay.max(end)),
            (Decay::Cosine { base: decay, end, steps: 1000 }, decay.min(end), decay.max(end)),
            (Decay::Uniform, 0.5, 1.0),
        ] {
            prop_assert!(schedule.validate().is_ok());
            let value = schedule.at(t);
            // The cosine is good to a few units in the last place.
            prop_assert!((low - 1e-15..=high + 1e-15).contains(&value), "{schedule} at {t}: {value}");
        }
    }
}

#[test]
fn warm_up_begins_with_one_half() {
    let start = vector(vec![0.0, 2.0]);
    let ema = EmaConfig::new(Decay::WarmUp { decay: 0.999 }).init(&start).unwrap();
    let ema = ema.update(&vector(vec![1.0, 4.0])).unwrap();
    assert_eq!(read(ema.module()), [0.5, 3.0]);
    assert_eq!(ema.decay(), 0.5);
}

#[test]
fn decay_one_never_moves_and_decay_zero_follows_at_once() {
    let (start, student) = (numbers(1, 9), numbers(2, 9));
    for (decay, expected) in [(1.0, &start), (0.0, &student)] {
        let ema = EmaConfig::new(Decay::Constant { decay }).init(&vector(start.clone())).unwrap();
        let ema = ema.update(&vector(student.clone())).unwrap();
        assert_eq!(&read(ema.module()), expected);
    }
}

/// The mean of the relative errors after so many updates, with a student between 1 and 2 that is drawn anew each time.
fn error_after(updates: u32, decay: f64) -> f64 {
    const LENGTH: usize = 64;
    let drawn = |seed| numbers(seed, LENGTH).into_iter().map(|value| 1.5 + 0.5 * value).collect::<Vec<f32>>();
    let mut ema = EmaConfig::new(Decay::Constant { decay }).init(&vector(drawn(0))).unwrap();
    let mut expected: Vec<f64> = drawn(0).into_iter().map(f64::from).collect();
    for seed in 1..=updates {
        let student = drawn(seed);
        expected.iter_mut().zip(&student).for_each(|(old, new)| *old += (1.0 - decay) * (f64::from(*new) - *old));
        ema = ema.update(&vector(student)).unwrap();
    }
    let ours = read(ema.module());
    ours.iter().zip(&expected).map(|(ours, expected)| f64::from(*ours) / expected - 1.0).sum::<f64>() / LENGTH as f64
}

#[test]
fn a_hundred_thousand_updates_leave_no_bias() {
    for decay in [0.999, 0.9999, 0.99999] {
        let error = error_after(100_000, decay);
        // Factors of the average and of the student that are rounded apart are off by 10⁻⁵ to 10⁻³.
        assert!(error.abs() < 2e-7, "{decay}: {error:e}");
    }
}

#[test]
fn a_constant_student_is_reached_but_for_steps_below_half_a_unit() {
    let student: Vec<f32> = numbers(1, 1000).into_iter().map(|value| 3.0 * value).collect();
    for decay in [0.9, 0.99, 0.999] {
        let mut ema = EmaConfig::new(Decay::Constant { decay }).init(&vector(numbers(2, 1000))).unwrap();
        for _ in 0..(40.0 / (1.0 - decay)) as u32 {
            ema = ema.update(&vector(student.clone())).unwrap();
        }
        for (ours, student) in read(ema.module()).into_iter().zip(&student) {
            let bound = 2f64.powi(-24) / (1.0 - decay) * f64::from(ours.abs());
            assert!(f64::from((ours - student).abs()) <= bound * 1.001, "{decay}: {ours} instead of {student}");
        }
    }
}

#[test]
fn every_counts_calls_but_the_schedule_counts_updates() {
    let mut ema = EmaConfig::new(Decay::Uniform).with_every(3).init(&vector(vec![0.0])).unwrap();
    let mut seen = Vec::new();
    for call in 1..=9 {
        ema = ema.update(&vector(vec![call as f32])).unwrap();
        seen.push((ema.updates(), read(ema.module())[0]));
    }
    // The mean of 0, 3, 6, 9 as they come in.
    let expected = [0.0, 0.0, 1.5, 1.5, 1.5, 3.0, 3.0, 3.0, 4.5];
    for (call, ((updates, value), expected)) in seen.into_iter().zip(expected).enumerate() {
        assert_eq!(updates, (call as u64 + 1) / 3);
        assert!((value - expected).abs() < 1e-6, "after call {}: {value}", call + 1);
    }
}
