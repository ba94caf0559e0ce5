//! Which predictions count: thresholds of FlexMatch and FreeMatch beside loops over numbers, and their state.

use burn::module::Module;
use burn::store::ModuleRecord;
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor, TensorData};
use proptest::prelude::*;
use slowburn_ema::EmaError;
use slowburn_semi::{
    FlexThresholds, FreeThresholds, Selection, SelectionReport, Selector, SemiError, SemiWarning, ThresholdMapping,
};

use crate::{matrix, numbers, read, tensors};

const SAMPLES: usize = 40;
const CLASSES: usize = 6;
const BATCH: usize = 9;

/// A class that is not predicted before [`LATE`].
const RARE: usize = 4;

/// The step in which [`RARE`] first appears.
const LATE: u32 = 500;

/// A class that is never predicted.
const ABSENT: usize = 5;

/// Predictions of a step, of which some are confident; their samples, some of them twice.
fn predictions(step: u32) -> (Tensor<2>, Vec<usize>) {
    let mut logits = numbers(3 * step + 1, BATCH * CLASSES);
    logits.iter_mut().for_each(|logit| *logit *= 6.0);
    let mut never = |class| logits.iter_mut().skip(class).step_by(CLASSES).for_each(|logit| *logit = -12.0);
    never(ABSENT);
    if step < LATE {
        never(RARE);
    }
    let samples = numbers(3 * step + 2, BATCH).iter().map(|n| ((n + 1.0) / 2.0 * SAMPLES as f32) as usize).collect();
    (softmax(matrix(logits, CLASSES, &Device::flex()), 1), samples)
}

/// The highest number of a row and where it is.
fn highest(row: &[f64]) -> (f64, usize) {
    row.iter().copied().zip(0..).fold((f64::NEG_INFINITY, 0), |best, new| if new.0 > best.0 { new } else { best })
}

/// Chooses and remembers; the marks of the kept, and the thresholds afterwards.
fn advance(selector: &Selector, q: Tensor<2>, samples: &[usize]) -> (Vec<f64>, Vec<f64>) {
    let selected = selector.choose(&q, samples).unwrap();
    let kept = read(selected.kept.clone());
    selector.remember(selected, samples).unwrap();
    (kept, read(selector.thresholds()))
}

fn selector(selection: Selection) -> Selector {
    Selector::new(selection, SAMPLES, CLASSES, &Device::flex()).unwrap()
}

/// FlexMatch from its paper, eqs. 5, 6, 11 and 12.
struct FlexOracle {
    settings: FlexThresholds,
    slots: Vec<Option<usize>>,
}

impl FlexOracle {
    fn thresholds(&self) -> Vec<f64> {
        let sigma: Vec<usize> =
            (0..CLASSES).map(|c| self.slots.iter().filter(|slot| **slot == Some(c)).count()).collect();
        let most = *sigma.iter().max().unwrap();
        let unused = self.settings.unlabeled.unwrap_or(SAMPLES).saturating_sub(sigma.iter().sum());
        let divisor = if self.settings.warm_up { most.max(unused) } else { most };
        let map = |x: f64| if self.settings.mapping == ThresholdMapping::Convex { x / (2.0 - x) } else { x };
        sigma.iter().map(|&s| self.settings.threshold * map(s as f64 / divisor.max(1) as f64)).collect()
    }

    fn write(&mut self, q: &[f64], samples: &[usize]) {
        for (row, &sample) in samples.iter().enumerate() {
            let (confidence, class) = highest(&q[row * CLASSES..][..CLASSES]);
            if confidence >= self.settings.threshold && !samples[..row].contains(&sample) {
                self.slots[sample] = Some(class);
            }
        }
    }
}

fn assert_flex(settings: FlexThresholds, steps: u32) {
    let selector = selector(Selection::Flex(settings.clone()));
    let mut oracle = FlexOracle { settings, slots: vec![None; SAMPLES] };
    for step in 0..steps {
        let (q, samples) = predictions(step);
        let (values, thresholds) = (read(q.clone()), oracle.thresholds());
        assert!(step > LATE || thresholds[RARE] == 0.0, "it appears late");
        assert_eq!(thresholds[ABSENT], 0.0, "it never appears");
        let (kept, after) = advance(&selector, q, &samples);
        for (row, kept) in kept.iter().enumerate() {
            let (confidence, class) = highest(&values[row * CLASSES..][..CLASSES]);
            if (confidence - thresholds[class]).abs() > 1e-6 {
                assert_eq!(*kept == 1.0, confidence > thresholds[class], "step {step}, row {row}");
            }
        }
        oracle.write(&values, &samples);
        for (ours, expected) in after.iter().zip(oracle.thresholds()) {
            // Counts are exact; three f32 operations.
            assert!((ours - expected).abs() < 3e-7, "step {step}: {ours} instead of {expected}");
        }
    }
    // The counts beside the slots are those of the slots.
    let state = tensors(&selector);
    let of = |name: &str| &state.iter().find(|(path, _)| path.ends_with(name)).unwrap().1;
    let slots: Vec<Option<usize>> = of("slots").iter().map(|&slot| (slot >= 0.0).then_some(slot as usize)).collect();
    assert_eq!(slots, oracle.slots);
    let counts: Vec<f64> = (0..CLASSES).map(|c| slots.iter().filter(|slot| **slot == Some(c)).count() as f64).collect();
    assert_eq!(of("counts"), &counts);
    assert!(counts[RARE] > 0.0 && counts[ABSENT] == 0.0);
}

#[test]
fn a_thousand_steps_of_flex_match_equal_a_loop() {
    let base = FlexThresholds { threshold: 0.9, ..FlexThresholds::default() };
    assert_flex(base.clone(), 1000);
    assert_flex(FlexThresholds { warm_up: false, ..base.clone() }, 1000);
    assert_flex(FlexThresholds { mapping: ThresholdMapping::Linear, unlabeled: Some(100), ..base }, 1000);
}

/// The three averages of FreeMatch's paper.
struct FreeOracle {
    settings: FreeThresholds,
    tau: f64,
    p: Vec<f64>,
    h: Vec<f64>,
}

impl FreeOracle {
    fn thresholds(&self) -> Vec<f64> {
        let (most, [low, high]) = (highest(&self.p).0, self.settings.clip.unwrap_or([0.0, 1.0]));
        self.p.iter().map(|p| (self.tau * p / most).clamp(low, high)).collect()
    }

    fn update(&mut self, q: &[f64]) {
        let rows: Vec<(f64, usize)> = q.chunks(CLASSES).map(highest).collect();
        let (lambda, n) = (self.settings.decay, rows.len() as f64);
        self.tau = lambda * self.tau + (1.0 - lambda) * rows.iter().map(|row| row.0).sum::<f64>() / n;
        for class in 0..CLASSES {
            let mean = q.iter().skip(class).step_by(CLASSES).sum::<f64>() / n;
            let share = rows.iter().filter(|row| row.1 == class).count() as f64 / n;
            self.p[class] = lambda * self.p[class] + (1.0 - lambda) * mean;
            self.h[class] = lambda * self.h[class] + (1.0 - lambda) * share;
        }
    }
}

fn assert_free(settings: FreeThresholds, steps: u32) {
    let selector = selector(Selection::Free(settings.clone()));
    let even = 1.0 / CLASSES as f64;
    let mut oracle = FreeOracle { settings, tau: even, p: vec![even; CLASSES], h: vec![even; CLASSES] };
    for step in 0..steps {
        let (q, samples) = predictions(step);
        let values = read(q.clone());
        oracle.update(&values);
        let thresholds = oracle.thresholds();
        let (kept, after) = advance(&selector, q, &samples);
        for (ours, expected) in after.iter().zip(&thresholds) {
            // An f32 average forgets its roundings, each of 6e-8, in 1/(1−λ) steps; they partly cancel.
            assert!((ours - expected).abs() < 5e-6, "step {step}: {ours} instead of {expected}");
        }
        for (row, kept) in kept.iter().enumerate() {
            let (confidence, class) = highest(&values[row * CLASSES..][..CLASSES]);
            if (confidence - thresholds[class]).abs() > 1e-5 {
                assert_eq!(*kept == 1.0, confidence > thresholds[class], "step {step}, row {row}");
            }
        }
    }
    let state = tensors(&selector);
    for (name, expected) in [("probabilities", &oracle.p), ("histogram", &oracle.h)] {
        let (_, ours) = state.iter().find(|(path, _)| path.ends_with(name)).unwrap();
        for (ours, expected) in ours.iter().zip(expected) {
            assert!((ours - expected).abs() < 5e-6, "{name}: {ours} instead of {expected}");
        }
    }
}

#[test]
fn a_thousand_steps_of_free_match_equal_a_loop() {
    assert_free(FreeThresholds::default(), 1000);
    assert_free(FreeThresholds { decay: 0.9, clip: Some([0.3, 0.7]), ..FreeThresholds::default() }, 1000);
    assert_free(FreeThresholds { decay: 0.0, ..FreeThresholds::default() }, 50);
}

fn selections() -> impl Strategy<Value = Selection> {
    let flex = (0.0f64..=1.0, any::<bool>()).prop_map(|(threshold, warm_up)| {
        Selection::Flex(FlexThresholds { threshold, warm_up, ..FlexThresholds::default() })
    });
    let free =
        (0.0f64..0.9999).prop_map(|decay| Selection::Free(FreeThresholds { decay, ..FreeThresholds::default() }));
    prop_oneof![Just(Selection::All), (0.0f64..=1.0).prop_map(|threshold| Selection::Fixed { threshold }), flex, free]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn thresholds_lie_between_zero_and_the_highest_allowed(
        selection in selections(), first in 0u32..1000, steps in 1u32..12,
    ) {
        let selector = selector(selection.clone());
        let most = match &selection {
            Selection::Flex(flex) => flex.threshold,
            Selection::Fixed { threshold } => *threshold,
            _ => 1.0,
        };
        for step in first..first + steps {
            let (q, samples) = predictions(step);
            let (_, thresholds) = advance(&selector, q, &samples);
            prop_assert!(thresholds.iter().all(|t| (0.0..=most + 1e-6).contains(t)), "{:?}", thresholds);
        }
    }

    #[test]
    fn the_order_of_classes_does_not_matter(selection in selections(), first in 0u32..1000, turn in 1usize..CLASSES) {
        let (ours, other) = (selector(selection.clone()), selector(selection));
        for step in first..first + 6 {
            let (q, samples) = predictions(step);
            let rows: Vec<f32> = read(q.clone()).chunks(CLASSES).flat_map(|row| {
                let mut row: Vec<f32> = row.iter().map(|&q| q as f32).collect();
                row.rotate_right(turn);
                row
            }).collect();
            let (kept, mut thresholds) = advance(&ours, q, &samples);
            let (also, turned) = advance(&other, matrix(rows, CLASSES, &Device::flex()), &samples);
            thresholds.rotate_right(turn);
            prop_assert_eq!(kept, also);
            prop_assert!(thresholds.iter().zip(&turned).all(|(a, b)| (a - b).abs() < 1e-6));
        }
    }

    #[test]
    fn a_record_goes_on_where_it_was_saved(selection in selections(), first in 0u32..1000) {
        let saved = selector(selection.clone());
        for step in first..first + 5 {
            let (q, samples) = predictions(step);
            advance(&saved, q, &samples);
        }
        let bytes = saved.clone().into_record().into_bytes().unwrap();
        let loaded = selector(selection).load_record(ModuleRecord::from_bytes(bytes).unwrap());
        for step in first + 5..first + 9 {
            let (q, samples) = predictions(step);
            prop_assert_eq!(advance(&saved, q.clone(), &samples), advance(&loaded, q, &samples));
            prop_assert_eq!(tensors(&saved), tensors(&loaded));
        }
    }
}

/// Rows of one class each with this probability.
fn certain(rows: &[(usize, f32)]) -> Tensor<2> {
    let values: Vec<f32> = rows
        .iter()
        .flat_map(|&(class, p)| {
            (0..CLASSES).map(move |c| if c == class { p } else { (1.0 - p) / (CLASSES - 1) as f32 })
        })
        .collect();
    Tensor::from_data(TensorData::new(values, [rows.len(), CLASSES]), &Device::flex())
}

#[test]
fn a_slot_is_written_by_the_fixed_threshold_and_kept_by_the_unsure() {
    let settings = FlexThresholds { warm_up: false, ..FlexThresholds::default() };
    let selector = selector(Selection::Flex(settings));
    // Everything passes at first, but only one prediction is confident.
    let (kept, thresholds) = advance(&selector, certain(&[(0, 0.96), (1, 0.94), (2, 0.3)]), &[7, 8, 9]);
    assert_eq!(kept, [1.0; 3]);
    assert!((thresholds[0] - 0.95).abs() < 1e-6 && thresholds[1..].iter().all(|&t| t == 0.0), "{thresholds:?}");
    // Unsure of another class: the slot stays. Sure: it changes hands, and so does the count.
    let (_, same) = advance(&selector, certain(&[(3, 0.9)]), &[7]);
    assert_eq!(same, thresholds);
    let (_, moved) = advance(&selector, certain(&[(3, 0.99)]), &[7]);
    assert!(moved[0] == 0.0 && (moved[3] - 0.95).abs() < 1e-6, "{moved:?}");
    // Of a sample that comes twice the first row counts.
    let (_, twice) = advance(&selector, certain(&[(4, 0.99), (0, 0.99)]), &[7, 7]);
    assert!(twice[0] == 0.0 && twice[3] == 0.0 && twice[4] > 0.9, "{twice:?}");
}

#[test]
fn choosing_changes_nothing() {
    for selection in [Selection::Flex(FlexThresholds::default()), Selection::Free(FreeThresholds::default())] {
        let selector = selector(selection);
        let before = tensors(&selector);
        let (q, samples) = predictions(1);
        selector.choose(&q, &samples).unwrap();
        assert_eq!(tensors(&selector), before);
        advance(&selector, q, &samples);
        assert_ne!(tensors(&selector), before);
    }
}

#[test]
fn samples_without_a_slot_are_refused_and_nothing_changes() {
    let selector = selector(Selection::Flex(FlexThresholds::default()));
    let before = tensors(&selector);
    let q = certain(&[(0, 0.99), (1, 0.99)]);
    let unknown = SemiError::Average(EmaError::UnknownSample { sample: SAMPLES, samples: SAMPLES });
    assert_eq!(selector.choose(&q, &[1, SAMPLES]).unwrap_err(), unknown);
    let selected = selector.choose(&q, &[0, 1]).unwrap();
    assert_eq!(selector.remember(selected.clone(), &[SAMPLES, 1]).unwrap_err(), unknown);
    let rows = SemiError::Rows { what: "sample numbers", found: 1, expected: 2 };
    assert_eq!(selector.remember(selected, &[1]).unwrap_err(), rows);
    assert_eq!(tensors(&selector), before);
    let rows = SemiError::Rows { what: "predictions", found: 2, expected: 3 };
    assert_eq!(selector.choose(&q, &[0, 1, 2]).unwrap_err(), rows);
    let classes = SemiError::Classes { what: "predictions", found: CLASSES - 1, expected: CLASSES };
    assert_eq!(selector.choose(&q.narrow(1, 0, CLASSES - 1), &[0, 1]).unwrap_err(), classes);
}

#[test]
fn classes_that_give_no_targets_are_named() {
    let selector = selector(Selection::Fixed { threshold: 0.95 });
    assert_eq!(selector.report().warnings(), [SemiWarning::NothingKept]);
    advance(&selector, certain(&[(0, 0.96), (1, 0.94), (3, 0.99)]), &[0, 1, 2]);
    let report = selector.report();
    assert_eq!(report, SelectionReport { thresholds: vec![f64::from(0.95f32); CLASSES], not_kept: vec![1, 2, 4, 5] });
    let warnings = report.warnings();
    assert_eq!(warnings, [SemiWarning::NotKept { classes: vec![1, 2, 4, 5] }]);
    assert!(warnings[0].to_string().contains("as class 1, 2, 4, 5: the student learns them"), "{}", warnings[0]);
    advance(&selector, certain(&[(1, 0.96), (2, 0.99), (4, 0.99), (5, 0.99)]), &[0, 1, 2, 3]);
    assert_eq!(selector.report().warnings(), []);
}

/// Both begin by keeping nearly everything: that is no sign of health later.
#[test]
fn a_class_that_is_left_out_later_is_named() {
    for selection in [Selection::Flex(FlexThresholds::default()), Selection::Free(FreeThresholds::default())] {
        let selector = selector(selection);
        let every: Vec<(usize, f32)> = (0..CLASSES).map(|class| (class, 0.99)).collect();
        advance(&selector, certain(&every), &[0, 1, 2, 3, 4, 5]);
        assert_eq!(selector.report().warnings(), []);
        for _ in 0..SAMPLES / 2 - 1 {
            advance(&selector, certain(&[(0, 0.99), (3, 0.99)]), &[6, 7]);
        }
        assert_eq!(selector.report().warnings(), [], "38 predictions of 40 samples");
        advance(&selector, certain(&[(0, 0.99), (3, 0.99)]), &[6, 7]);
        assert_eq!(selector.report().warnings(), [SemiWarning::NotKept { classes: vec![1, 2, 4, 5] }]);
    }
}

#[test]
fn settings_out_of_range_are_refused_by_name() {
    let field = |selection: Selection| match Selector::new(selection, 4, 2, &Device::flex()) {
        Err(SemiError::OutOfRange { field, .. }) => field,
        other => panic!("{other:?}"),
    };
    for threshold in [-0.1, 1.1, f64::NAN] {
        assert_eq!(field(Selection::Fixed { threshold }), "threshold");
        assert_eq!(field(Selection::Flex(FlexThresholds { threshold, ..Default::default() })), "threshold");
    }
    assert_eq!(field(Selection::Flex(FlexThresholds { unlabeled: Some(0), ..Default::default() })), "unlabeled");
    for decay in [-0.1, 1.0, f64::NAN] {
        assert_eq!(field(Selection::Free(FreeThresholds { decay, ..Default::default() })), "decay");
    }
    for fairness in [-1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(field(Selection::Free(FreeThresholds { fairness, ..Default::default() })), "fairness");
    }
    for clip in [[0.9, 0.8], [-0.1, 0.5], [0.5, 1.1], [f64::NAN, 0.5], [0.5, f64::NAN]] {
        assert_eq!(field(Selection::Free(FreeThresholds { clip: Some(clip), ..Default::default() })), "clip");
    }
    for (samples, classes, name) in [(0, 2, "samples"), (4, 0, "classes")] {
        let refused = Selector::new(Selection::All, samples, classes, &Device::flex());
        assert!(matches!(refused, Err(SemiError::OutOfRange { field, .. }) if field == name));
    }
}
