//! A loop over numbers, written from the equation, beside every schedule.

use burn::tensor::Device;
use proptest::prelude::*;
use slowburn_ema::{Decay, EmaConfig};

use crate::{Network, assert_close, tensor};

fn schedules() -> impl Strategy<Value = Decay> {
    let weight = || 0.0f64..=1.0;
    prop_oneof![
        weight().prop_map(|decay| Decay::Constant { decay }),
        weight().prop_map(|decay| Decay::WarmUp { decay }),
        (weight(), weight(), 0u64..8).prop_map(|(first, then, until)| Decay::Step { first, then, until }),
        (weight(), weight(), 1u64..12).prop_map(|(base, end, steps)| Decay::Cosine { base, end, steps }),
        Just(Decay::Uniform),
    ]
}

/// `d(t)` as the table of [`Decay`] has it, in other words than its code.
fn decay_at(schedule: Decay, t: f64) -> f64 {
    match schedule {
        Decay::Constant { decay } => decay,
        Decay::WarmUp { decay } => (t / (t + 1.0)).min(decay),
        Decay::Step { first, then, until } => [then, first][usize::from(t <= until as f64)],
        Decay::Cosine { base, end, steps } => {
            let phase = std::f64::consts::PI * t.min(steps as f64) / steps as f64;
            // From base to end in half a period of sin².
            base + (end - base) * (phase / 2.0).sin().powi(2)
        }
        Decay::Uniform => t / (t + 1.0),
        other => panic!("no definition of {other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_changing_student_is_followed_number_by_number(schedule in schedules(), every in 1u64..4, calls in 1u32..12) {
        let device = Device::flex().autodiff();
        let paths = ["first.weight", "first.bias", "norm.gamma", "norm.beta", "last.weight", "last.bias"];
        let student = Network::new(0, &device);
        let mut expected: Vec<Vec<f64>> = paths.iter().map(|path| tensor(&student, path)).collect();
        let mut ema = EmaConfig::new(schedule).with_every(every).init(&student).unwrap();
        let mut updates = 0.0;
        for call in 1..=calls {
            let student = Network::new(call, &device);
            ema = ema.update(&student).unwrap();
            if u64::from(call) % every != 0 {
                continue;
            }
            updates += 1.0;
            let decay = decay_at(schedule, updates);
            for (average, path) in expected.iter_mut().zip(paths) {
                for (average, student) in average.iter_mut().zip(tensor(&student, path)) {
                    *average = decay * *average + (1.0 - decay) * student;
                }
            }
        }
        prop_assert_eq!(ema.updates() as f64, updates);
        for (expected, path) in expected.iter().zip(paths) {
            // Twelve updates of numbers below 1, three roundings of 2^-24 each.
            assert_close(&tensor(ema.module(), path), expected, 2.2e-6);
        }
    }
}
