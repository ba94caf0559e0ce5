//! The cost as a whole: which samples count, and what each sum is divided by.

use burn::tensor::activation::softmax;
use burn::tensor::{Device, FloatDType, Tensor};
use proptest::prelude::*;
use slowburn_ema::EmaError;
use slowburn_semi::{Consistency, CostReduction, Logits, Objective, Ramp, SemiError, Targets};

use crate::{CLASSES, assert_close, matrix, numbers, read, scalar};

const LABELS: [Option<usize>; 6] = [Some(1), None, None, Some(2), None, Some(0)];

/// Logits of six samples.
fn logits(seed: u32) -> Tensor<2> {
    matrix(numbers(seed, 6 * CLASSES), CLASSES, &Device::flex().autodiff()) * 3.0
}

fn ln_softmax(row: &[f64]) -> Vec<f64> {
    let sum: f64 = row.iter().map(|value| value.exp()).sum();
    row.iter().map(|value| value - sum.ln()).collect()
}

/// The three costs from the words of the documentation, one number after the other.
fn oracle(objective: &Objective, heads: [&[f64]; 2], target: &[f64], known: &[bool], kept: &[bool]) -> [f64; 4] {
    let row = |values: &[f64], index: usize| values[index * CLASSES..][..CLASSES].to_vec();
    let (mut class, mut consistency, mut distance) = (0.0, 0.0, 0.0);
    let (mut labeled, mut selected, mut passed) = (0.0, 0.0, 0.0);
    for (index, label) in LABELS.iter().enumerate() {
        let (first, second, p) = (row(heads[0], index), row(heads[1], index), row(target, index));
        for (a, b) in first.iter().zip(&second) {
            distance += (a - b).powi(2) / CLASSES as f64 / 6.0;
        }
        if let Some(label) = *label {
            labeled += 1.0;
            class -= ln_softmax(&first)[label];
        }
        if !known[index] || (label.is_some() && !objective.consistency_on_labeled) {
            continue;
        }
        selected += 1.0;
        let highest = p.iter().fold(0.0f64, |a, &b| a.max(b));
        if !kept[index] || objective.threshold.is_some_and(|threshold| highest < threshold) {
            continue;
        }
        passed += 1.0;
        for (p, ln) in p.iter().zip(ln_softmax(&second)) {
            consistency += match objective.consistency {
                Consistency::Mse => (ln.exp() - p).powi(2) / CLASSES as f64,
                Consistency::Kl => p * (p.ln() - ln),
                Consistency::CrossEntropy => -p * ln,
                other => panic!("no definition of {other:?}"),
            };
        }
    }
    let divisor =
        |reduction, selected: f64| if reduction == CostReduction::Minibatch { 6.0 } else { selected.max(1.0) };
    [
        class / divisor(objective.class_reduction, labeled),
        consistency / divisor(objective.consistency_reduction, selected),
        distance,
        passed / selected.max(1.0),
    ]
}

fn objectives() -> impl Strategy<Value = Objective> {
    let reduction = || prop_oneof![Just(CostReduction::Minibatch), Just(CostReduction::Selected)];
    let kinds = vec![Consistency::Mse, Consistency::Kl, Consistency::CrossEntropy];
    let settings = (prop::sample::select(kinds), any::<bool>(), prop::option::of(0.4f64..0.9), 0.0f64..20.0);
    (settings, reduction(), reduction()).prop_map(|((kind, on_labeled, threshold, weight), class, consistency)| {
        Objective {
            consistency: kind,
            weight,
            ramp_up: Ramp::LinearUp { length: 10 },
            threshold,
            consistency_on_labeled: on_labeled,
            class_reduction: class,
            consistency_reduction: consistency,
            ..Objective::default()
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_setting_equals_a_loop(
        objective in objectives(), two: bool, seed: u32, step in 0u64..15, known in prop::array::uniform6(any::<bool>()),
        kept in prop::option::of(prop::array::uniform6(any::<bool>())),
    ) {
        let (first, second) = (logits(seed), logits(seed ^ 3));
        let probabilities = softmax(logits(seed ^ 9), 1);
        let marks = |marks: [bool; 6]| {
            let marks = marks.map(|mark| f32::from(u8::from(mark)));
            Tensor::<1>::from_data(marks, &Device::flex().autodiff())
        };
        let student = Logits { class: first.clone(), consistency: two.then(|| second.clone()) };
        let targets =
            Targets { probabilities: probabilities.clone(), known: Some(marks(known)), kept: kept.map(marks) };
        let losses = objective.losses(student, Some(targets), &LABELS, step).unwrap();
        let (first, second) = (read(first), read(second));
        let heads = if two { [&first[..], &second[..]] } else { [&first[..], &first[..]] };
        let every = kept.unwrap_or([true; 6]);
        let [class, consistency, distance, share] = oracle(&objective, heads, &read(probabilities), &known, &every);
        match kept.is_some() || objective.threshold.is_some() {
            true => prop_assert!((scalar(losses.kept.as_ref().unwrap()) - share).abs() < 1e-6),
            false => prop_assert!(losses.kept.is_none()),
        }
        let weight = objective.weight * (step as f64 / 10.0).min(1.0);
        prop_assert!((losses.weight - weight).abs() < 1e-12);
        let total = class + weight * consistency + 0.01 * distance;
        for (ours, expected) in [
            (&losses.class, class), (&losses.consistency, consistency),
            (&losses.logit_distance, distance), (&losses.total, total),
        ] {
            // f32 sums of some dozen terms of up to 10, times a weight of up to 20.
            prop_assert!((scalar(ours) - expected).abs() <= 1e-5 * expected + 1e-5, "{ours} instead of {expected}");
        }
    }

    #[test]
    fn the_effective_weight_compares_means(objective in objectives(), seed: u32) {
        let objective = Objective { threshold: None, ramp_up: Ramp::Constant, ..objective };
        let losses = |class_reduction, consistency_reduction| {
            let objective = Objective { class_reduction, consistency_reduction, ..objective.clone() };
            objective.losses(logits(seed).into(), Some(Targets::from_logits(logits(seed ^ 9))), &LABELS, 0).unwrap()
        };
        let means = losses(CostReduction::Selected, CostReduction::Selected);
        let ours = losses(objective.class_reduction, objective.consistency_reduction);
        // The total is the class mean plus the effective weight times the consistency mean, but for a factor.
        let factor = scalar(&ours.class) / scalar(&means.class);
        let effective = objective.effective_weight(3, 6);
        let expected = factor * (scalar(&means.class) + effective * scalar(&means.consistency));
        prop_assert!((scalar(&ours.total) - expected).abs() < 1e-5 * expected);
    }
}

#[test]
fn effective_weights_of_the_originals() {
    let of = |weight, labeled, batch| Objective { weight, ..Objective::default() }.effective_weight(labeled, batch);
    // The authors' TensorFlow run on CIFAR-10 with 4,000 labels, and their PyTorch run.
    assert!((of(8.0, 8, 100) - 100.0).abs() < 1e-9);
    assert!((of(100.0, 31, 128) - 412.9).abs() < 0.1);
    let means = Objective { weight: 50.0, class_reduction: CostReduction::Selected, ..Objective::default() };
    assert_eq!(means.effective_weight(64, 512), 50.0);
}

#[test]
fn a_batch_without_labels_has_a_class_cost_of_zero_and_finite_gradients() {
    for class_reduction in [CostReduction::Minibatch, CostReduction::Selected] {
        for consistency_on_labeled in [true, false] {
            let objective = Objective {
                class_reduction,
                consistency_on_labeled,
                consistency_reduction: CostReduction::Selected,
                ..Objective::default()
            };
            let student = logits(1).detach().require_grad();
            let targets = Targets::from_logits(logits(2));
            let losses = objective.losses(student.clone().into(), Some(targets), &[None; 6], 0).unwrap();
            assert_eq!(scalar(&losses.class), 0.0);
            assert!(scalar(&losses.consistency) > 0.0);
            let gradient = read(student.grad(&losses.total.backward()).unwrap());
            assert!(gradient.iter().all(|value| value.is_finite()) && gradient.iter().any(|&value| value != 0.0));
        }
    }
}

#[test]
fn a_batch_without_consistency_samples_has_a_cost_of_zero() {
    let objective = Objective {
        consistency_on_labeled: false,
        consistency_reduction: CostReduction::Selected,
        ..Objective::default()
    };
    let losses = objective.losses(logits(1).into(), Some(Targets::from_logits(logits(2))), &[Some(0); 6], 0).unwrap();
    assert_eq!(scalar(&losses.consistency), 0.0);
    assert!(scalar(&losses.class) > 0.0);
}

#[test]
fn supervised_training_has_no_consistency_cost_and_no_weight() {
    let losses = Objective::default().losses(logits(1).into(), None, &LABELS, 0).unwrap();
    assert_eq!((scalar(&losses.consistency), losses.weight), (0.0, 0.0));
    assert_eq!(scalar(&losses.total), scalar(&losses.class));
}

#[test]
fn gradients_reach_each_head_from_its_own_cost() {
    let device = Device::flex().autodiff();
    let heads = || {
        let head = |seed| matrix(numbers(seed, 6 * CLASSES), CLASSES, &device).require_grad();
        (head(1), head(2))
    };
    let objective = Objective { logit_distance: 0.0, ..Objective::default() };
    let run = |(first, second): &(Tensor<2>, Tensor<2>)| {
        let student = Logits { class: first.clone(), consistency: Some(second.clone()) };
        objective.losses(student, Some(Targets::from_logits(logits(3))), &LABELS, 0).unwrap()
    };
    let pair = heads();
    let gradients = run(&pair).class.backward();
    assert!(pair.0.grad(&gradients).is_some() && pair.1.grad(&gradients).is_none());
    let pair = heads();
    let gradients = run(&pair).consistency.backward();
    assert!(pair.0.grad(&gradients).is_none() && pair.1.grad(&gradients).is_some());
}

#[test]
fn half_precision_logits_are_costed_in_f32() {
    let device = Device::flex().autodiff();
    for dtype in [FloatDType::F16, FloatDType::BF16] {
        for consistency in [Consistency::Mse, Consistency::Kl] {
            let objective = Objective { consistency, ..Objective::default() };
            // A target of exactly 0: its logarithm is not finite in f16.
            let target = Tensor::<2>::from_data([[40.0, 0.0, -40.0]; 6], &device).cast(dtype);
            let student = logits(1).detach().cast(dtype).detach().require_grad();
            let losses = objective
                .losses(student.clone().into(), Some(Targets::from_logits(target.clone())), &LABELS, 0)
                .unwrap();
            let wide = objective
                .losses(
                    student.clone().cast(FloatDType::F32).into(),
                    Some(Targets::from_logits(target.cast(FloatDType::F32))),
                    &LABELS,
                    0,
                )
                .unwrap();
            // The target's softmax is that of the narrow type: exact here, but for 4e-18.
            assert_close(&[scalar(&losses.total)], &[scalar(&wide.total)], 1e-6, "total");
            let gradient = read(student.grad(&losses.total.backward()).unwrap());
            assert!(gradient.iter().all(|value| value.is_finite()), "{gradient:?}");
        }
    }
}

#[test]
fn settings_out_of_range_are_refused_by_name() {
    let field = |objective: Objective| match objective.validate() {
        Err(SemiError::OutOfRange { field, .. } | SemiError::Average(EmaError::Zero { field })) => field,
        other => panic!("{other:?}"),
    };
    let base = Objective::default;
    for value in [-1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(field(Objective { weight: value, ..base() }), "weight");
        assert_eq!(field(Objective { logit_distance: value, ..base() }), "logit_distance");
    }
    assert_eq!(field(Objective { threshold: Some(1.1), ..base() }), "threshold");
    assert_eq!(field(Objective { threshold: Some(f64::NAN), ..base() }), "threshold");
    assert_eq!(field(Objective { ramp_down: Ramp::CosineDown { length: 0 }, ..base() }), "length");
    let message = Objective { weight: -1.0, ..base() }.validate().unwrap_err().to_string();
    assert_eq!(message, "weight is -1: it must be finite and at least 0");
}

#[test]
fn batches_that_do_not_fit_are_refused() {
    let losses = |student: Logits, targets, labels: &[Option<usize>]| {
        Objective::default().losses(student, targets, labels, 0).unwrap_err()
    };
    let empty = || Tensor::<2>::zeros([0, CLASSES], &Device::flex());
    assert_eq!(losses(empty().into(), None, &[]), SemiError::EmptyBatch);
    assert_eq!(losses(logits(1).into(), None, &[None; 5]), SemiError::Rows { what: "labels", found: 5, expected: 6 });
    for label in [CLASSES, usize::MAX] {
        let mut labels = [Some(0); 6];
        labels[2] = Some(label);
        let expected = SemiError::LabelOutOfRange { sample: 2, label, classes: CLASSES };
        assert_eq!(losses(logits(1).into(), None, &labels), expected);
    }
    let narrow = || logits(2).narrow(1, 0, CLASSES - 1);
    let classes = |what| SemiError::Classes { what, found: CLASSES - 1, expected: CLASSES };
    let targets = Targets::from_logits(narrow());
    assert_eq!(losses(logits(1).into(), Some(targets), &LABELS), classes("targets"));
    let heads = Logits { class: logits(1), consistency: Some(narrow()) };
    assert_eq!(losses(heads, None, &LABELS), classes("logits of the second head"));
}
