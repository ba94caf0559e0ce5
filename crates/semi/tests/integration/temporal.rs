//! The bank of averaged predictions.

use std::collections::HashMap;

use burn::module::Module;
use burn::store::ModuleRecord;
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor};
use proptest::prelude::*;
use slowburn_semi::{Objective, PredictionBank, SemiBatch, SemiError, TemporalConfig};

use crate::{
    Network, assert_close, assert_elsewhere, batch, head_after, matrix, numbers, optimizer, read, scalar, step, tensors,
};

fn probabilities(seed: u32, rows: usize, classes: usize) -> Tensor<2> {
    softmax(matrix(numbers(seed, rows * classes), classes, &Device::flex()) * 3.0, 1)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_constant_prediction_is_its_own_target(decay in 0.0f64..0.9999, times in 1usize..40, seed: u32) {
        let bank = PredictionBank::new(3, 4, decay, &Device::flex()).unwrap();
        let constant = probabilities(seed, 1, 4);
        for _ in 0..times {
            bank.update(constant.clone(), &[1]).unwrap();
        }
        let (target, known) = bank.targets(&[1]).unwrap();
        prop_assert_eq!(read(known), [1.0]);
        for (ours, expected) in read(target).iter().zip(read(constant)) {
            // Z and its correction round alike, three times a step.
            prop_assert!((ours - expected).abs() < 1e-5 * expected, "{ours} instead of {expected}");
        }
    }

    #[test]
    fn every_sequence_equals_a_map_of_numbers(
        decay in 0.0f64..0.99, steps in prop::collection::vec(prop::collection::vec(0usize..9, 1..7), 1..12), seed: u32,
    ) {
        let bank = PredictionBank::new(9, 3, decay, &Device::flex()).unwrap();
        // Z of the paper with the number of its updates.
        let mut oracle: HashMap<usize, (Vec<f64>, i32)> = HashMap::new();
        for (index, samples) in steps.iter().enumerate() {
            let new = probabilities(seed.wrapping_add(index as u32), samples.len(), 3);
            let values = read(new.clone());
            for (row, sample) in samples.iter().enumerate() {
                if samples[..row].contains(sample) {
                    continue; // the first of two counts
                }
                let (z, t) = oracle.entry(*sample).or_insert((vec![0.0; 3], 0));
                *t += 1;
                for (z, new) in z.iter_mut().zip(&values[row * 3..]) {
                    *z = decay * *z + (1.0 - decay) * new;
                }
            }
            bank.update(new, samples).unwrap();
        }
        let every: Vec<usize> = (0..9).collect();
        let (targets, known) = bank.targets(&every).unwrap();
        let (targets, known) = (read(targets), read(known));
        for sample in every {
            let ours = &targets[sample * 3..][..3];
            let Some((z, t)) = oracle.get(&sample) else {
                prop_assert_eq!((ours, known[sample]), (&[0.0; 3][..], 0.0));
                continue;
            };
            prop_assert_eq!(known[sample], 1.0);
            for (ours, z) in ours.iter().zip(z) {
                // A dozen updates in f32.
                prop_assert!((ours - z / (1.0 - decay.powi(*t))).abs() < 1e-5, "{ours}");
            }
        }
    }
}

#[test]
fn decay_zero_remembers_the_latest_prediction_alone() {
    let bank = PredictionBank::new(2, 3, 0.0, &Device::flex()).unwrap();
    bank.update(probabilities(1, 1, 3), &[0]).unwrap();
    bank.update(probabilities(2, 1, 3), &[0]).unwrap();
    let (targets, known) = bank.targets(&[0, 1]).unwrap();
    assert_close(&read(targets)[..3], &read(probabilities(2, 1, 3)), 1e-6, "the latest");
    assert_eq!(read(known), [1.0, 0.0]);
}

#[test]
fn a_samples_own_prediction_is_never_part_of_its_target() {
    let device = Device::flex().autodiff();
    let mut method = TemporalConfig::default().init(Network::plain(1, &device), 16, 3, &device).unwrap();
    let (mut optimizer, seen) = (optimizer(), batch(1, &device));
    let (logits, expected);
    {
        let (losses, class) = method.losses_and_logits(seen.clone()).unwrap();
        assert_eq!(scalar(&losses.consistency), 0.0, "nothing was seen before");
        assert!(losses.weight > 0.0);
        logits = class;
        expected = read(softmax(logits.clone(), 1));
    }
    let (targets, known) = method.teacher.targets(&seen.samples).unwrap();
    assert_eq!(read(known), [1.0; 8]);
    assert_close(&read(targets), &expected, 1e-6, "the first prediction, corrected");

    method = step(method, &mut optimizer, 0.1, seen.clone()).0;
    let (_, losses) = step(method, &mut optimizer, 0.1, seen);
    assert!(scalar(&losses.consistency) > 0.0, "a student that moved differs from its past");
}

#[test]
fn without_the_consistency_training_ends_elsewhere() {
    let device = Device::flex().autodiff();
    let [with, without] = [1.0, 0.0].map(|weight| {
        let config = TemporalConfig { objective: Objective { weight, ..Objective::default() }, decay: 0.6 };
        let method = config.init(Network::plain(1, &device), 16, 3, &device).unwrap();
        // The same samples each time: what was not seen before has no target.
        head_after(method, [1; 4], &device)
    });
    assert_elsewhere(&with, &without, "temporal ensembling");
}

#[test]
fn unseen_samples_have_no_cost_next_to_seen_ones() {
    let device = Device::flex().autodiff();
    let config = TemporalConfig { objective: Objective { weight: 1.0, ..Objective::default() }, decay: 0.6 };
    let method = config.init(Network::plain(1, &device), 16, 3, &device).unwrap();
    let half = SemiBatch { labels: vec![None; 8], samples: (0..8).collect(), ..batch(1, &device) };
    // Targets of four of the eight.
    method.teacher.update(probabilities(5, 4, 3), &[0, 1, 2, 3]).unwrap();
    let (losses, logits) = method.losses_and_logits(half).unwrap();
    let (p, target) = (read(softmax(logits, 1)), read(probabilities(5, 4, 3)));
    let expected: f64 = target.iter().zip(&p).map(|(target, p)| (p - target).powi(2) / 3.0).sum::<f64>() / 8.0;
    assert!((scalar(&losses.consistency) - expected).abs() < 1e-6 * expected);
    let gradients = losses.total.backward();
    assert!(read(method.student.head.weight.grad(&gradients).unwrap()).iter().all(|value| value.is_finite()));
}

#[test]
fn a_bank_survives_its_record_with_what_was_pending() {
    let bank = PredictionBank::new(4, 3, 0.6, &Device::flex()).unwrap();
    bank.update(probabilities(1, 2, 3), &[0, 3]).unwrap();
    bank.update(probabilities(2, 2, 3), &[3, 1]).unwrap();
    let every = [0, 1, 2, 3];
    let (targets, known) = bank.targets(&every).unwrap();
    let bytes = bank.clone().into_record().into_bytes().unwrap();
    let record = ModuleRecord::from_bytes(bytes).unwrap();
    let loaded = PredictionBank::new(4, 3, 0.6, &Device::flex()).unwrap().load_record(record);
    let (ours, ours_known) = loaded.targets(&every).unwrap();
    assert_eq!((read(ours), read(ours_known)), (read(targets), read(known)));
    assert_eq!(tensors(&loaded), tensors(&bank));
}

#[test]
fn a_bank_works_after_valid_and_train() {
    let device = Device::flex().autodiff();
    let method = TemporalConfig::default().init(Network::plain(1, &device), 16, 3, &device).unwrap();
    let method = method.valid().train();
    let (method, _) = step(method, &mut optimizer(), 0.1, batch(1, &device));
    let (_, losses) = step(method, &mut optimizer(), 0.1, batch(1, &device));
    assert!(scalar(&losses.consistency) > 0.0);
}

#[test]
fn a_decay_of_one_or_nan_is_refused() {
    let device = Device::flex().autodiff();
    for decay in [1.0, -0.1, f64::NAN] {
        let config = TemporalConfig { decay, ..TemporalConfig::default() };
        let error = config.init(Network::plain(1, &device), 16, 3, &device).unwrap_err();
        assert!(matches!(error, SemiError::OutOfRange { field: "decay", .. }), "{error}");
    }
}

#[test]
fn a_bank_without_samples_classes_or_a_decay_below_one_is_refused() {
    for (samples, classes, decay, expected) in
        [(0, 3, 0.6, "samples"), (4, 0, 0.6, "classes"), (4, 3, 2.0, "decay"), (4, 3, f64::NAN, "decay")]
    {
        let error = PredictionBank::new(samples, classes, decay, &Device::flex()).unwrap_err();
        assert!(matches!(error, SemiError::OutOfRange { field, .. } if field == expected), "{error}");
    }
}

#[test]
fn what_does_not_fit_the_bank_is_refused_and_leaves_it_as_it_was() {
    let bank = PredictionBank::new(4, 3, 0.6, &Device::flex()).unwrap();
    bank.update(probabilities(1, 2, 3), &[0, 3]).unwrap();
    let state = || bank.targets(&[0, 1, 2, 3]).map(|(targets, known)| (read(targets), read(known))).unwrap();
    let before = state();
    let beyond = SemiError::Average(slowburn_ema::EmaError::UnknownSample { sample: 4, samples: 4 });
    assert_eq!(bank.targets(&[0, 4]).unwrap_err(), beyond);
    assert_eq!(bank.update(probabilities(1, 2, 3), &[0, 4]).unwrap_err(), beyond);
    let error = bank.update(probabilities(1, 2, 3), &[0]).unwrap_err();
    assert_eq!(error, SemiError::Rows { what: "predictions", found: 2, expected: 1 });
    let error = bank.update(probabilities(1, 1, 5), &[0]).unwrap_err();
    assert_eq!(error, SemiError::Classes { what: "predictions", found: 5, expected: 3 });
    assert_eq!(state(), before);
}

#[test]
fn a_bank_of_other_classes_than_the_network_is_refused_at_the_first_step() {
    let device = Device::flex().autodiff();
    let method = TemporalConfig::default().init(Network::plain(1, &device), 16, 5, &device).unwrap();
    let error = method.losses(batch(1, &device)).unwrap_err();
    assert_eq!(error, SemiError::Classes { what: "targets", found: 5, expected: 3 });
}
