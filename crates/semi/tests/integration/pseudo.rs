//! FixMatch and its kin: what the costs are about, who learns from what, and what is refused.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::activation::{log_softmax, softmax};
use burn::tensor::{Device, GradientCheckpointingStrategy, Tensor};
use slowburn_ema::{Buffers, Decay, EmaConfig};
use slowburn_semi::{
    Alignment, Consistency, FixMatch, FlexThresholds, FreeThresholds, InputRows, LabelForm, LabelSource,
    MeanTeacherConfig, Objective, Predict, PseudoLabelConfig, Selection, SemiBatch, SemiError, SemiWarning,
};

use crate::{
    CLASSES, INPUT, Network, assert_close, assert_elsewhere, batch, head_after, matrix, numbers, optimizer, read,
    scalar, set, step, tensors,
};

/// The rows without a label in `batch`.
const UNLABELED: [usize; 5] = [1, 3, 4, 6, 7];

fn config(threshold: f64) -> PseudoLabelConfig {
    PseudoLabelConfig { selection: Selection::Fixed { threshold }, ..PseudoLabelConfig::fix_match() }
}

fn every() -> [(&'static str, PseudoLabelConfig); 7] {
    let flex = FlexThresholds { threshold: 0.5, ..FlexThresholds::default() };
    [
        ("FixMatch", config(0.5)),
        ("FlexMatch", PseudoLabelConfig { selection: Selection::Flex(flex), ..PseudoLabelConfig::flex_match() }),
        ("FreeMatch", PseudoLabelConfig::free_match()),
        ("aligned", config(0.5).with_alignment(Alignment::default())),
        ("apart", PseudoLabelConfig { source: LabelSource::StudentApart, ..config(0.5) }),
        ("Mean Teacher, hard", PseudoLabelConfig::mean_teacher(LabelForm::Hard)),
        ("Mean Teacher, sharpened", PseudoLabelConfig::mean_teacher(LabelForm::UDA)),
    ]
}

fn method(config: &PseudoLabelConfig, device: &Device) -> FixMatch<Network> {
    config.init(Network::plain(1, device), 16, CLASSES, device).unwrap()
}

fn gradients(module: &Network, cost: &Tensor<1>) -> Vec<Option<Vec<f64>>> {
    let gradients = cost.backward();
    let two = [&module.first.weight, &module.head.weight].map(|weight| weight.grad(&gradients).map(read));
    let one = [&module.norm.gamma, &module.norm.beta].map(|weight| weight.grad(&gradients).map(read));
    two.into_iter().chain(one).collect()
}

/// `(1/μB)·Σ 1[max q ≥ τ]·(−ln p_argmax)` of rows, target logits and student logits, one number after the other.
fn by_hand(target: &Tensor<2>, student: &Tensor<2>, threshold: f64) -> f64 {
    let (q, ln) = (read(softmax(target.clone(), 1)), read(log_softmax(student.clone(), 1)));
    let rows = q.chunks(CLASSES).zip(ln.chunks(CLASSES));
    let n = q.len() / CLASSES;
    rows.map(|(q, ln)| {
        let class = (0..CLASSES).max_by(|&a, &b| q[a].total_cmp(&q[b])).unwrap();
        if q[class] >= threshold { -ln[class] } else { 0.0 }
    })
    .sum::<f64>()
        / n as f64
}

/// Alignment does something.
#[test]
fn aligned_targets_differ_and_follow_the_average() {
    let device = Device::flex().autodiff();
    let soft = PseudoLabelConfig { form: LabelForm::Soft, selection: Selection::All, ..config(0.5) };
    let aligned = soft.clone().with_alignment(Alignment { decay: 0.5, classes: None });
    let cost = |method: &FixMatch<Network>| scalar(&method.losses(batch(1, &device)).unwrap().total);
    let (plain, ours) = (method(&soft, &device), method(&aligned, &device));
    let first = cost(&ours);
    assert!((cost(&plain) - first).abs() > 1e-3, "{first} with and without");
    // The average has moved with the batch, and so do targets of the same batch.
    let second = cost(&ours);
    assert!((first - second).abs() > 1e-4, "{first} and {second}");
    let fresh = method(&aligned, &device);
    assert!((cost(&fresh) - first).abs() < 1e-6);
}

#[test]
fn the_defaults_are_the_papers() {
    let objective = PseudoLabelConfig::fix_match_objective();
    // Two means: weights of other libraries mean the same, whatever μ.
    assert_eq!(objective.effective_weight(64, 512), 1.0);
    assert_eq!((objective.weight_at(0), objective.weight_at(1 << 20)), (1.0, 1.0), "no ramp");
    let config = PseudoLabelConfig::default();
    assert_eq!(config.selection, Selection::Fixed { threshold: 0.95 });
    assert_eq!((config.source, config.form), (LabelSource::Student, LabelForm::Hard));
    assert_eq!(config.average.decay, Decay::Constant { decay: 0.999 });
    assert_eq!(config.average.buffers, Buffers::Copy);
}

#[test]
fn the_cost_is_that_of_one_pass_divided_by_all_unlabelled_samples() {
    let device = Device::flex().autodiff();
    let (ours, views) = (method(&config(0.5), &device), batch(1, &device));
    let all = ours.student.predict(views.student.clone().join(views.teacher.clone().pick(&UNLABELED))).class;
    let student = all.clone().narrow(0, 0, 8).pick(&UNLABELED);
    let target = all.narrow(0, 8, 5);
    let losses = ours.losses(views).unwrap();
    let kept = scalar(losses.kept.as_ref().unwrap());
    assert!(kept > 0.0 && kept < 1.0, "{kept}: some are kept and some are not");
    let expected = by_hand(&target, &student, 0.5);
    assert!((scalar(&losses.consistency) - expected).abs() < 1e-6, "{} instead of {expected}", losses.consistency);
    let total = scalar(&losses.class) + scalar(&losses.consistency);
    assert!((scalar(&losses.total) - total).abs() < 1e-6);
}

#[test]
fn the_source_of_targets_is_the_setting_s() {
    let device = Device::flex().autodiff();
    let [joint, apart, average] =
        [LabelSource::Student, LabelSource::StudentApart, LabelSource::Average].map(|source| {
            let config = PseudoLabelConfig { source, ..config(0.0) };
            let mut method = method(&config, &device);
            // A student that is not its average any more.
            method.student = set(method.student, |path, n| (path == "head.bias").then(|| numbers(5, n)));
            let views = batch(1, &device);
            let weak = views.teacher.clone().pick(&UNLABELED);
            let apart = method.student.predict(views.student.clone()).class.pick(&UNLABELED);
            let target = match source {
                LabelSource::Average => method.teacher.average().module().predict(weak).class,
                _ => method.student.predict(weak).class,
            };
            (scalar(&method.losses(views).unwrap().consistency), by_hand(&target, &apart, 0.0))
        });
    assert!((apart.0 - apart.1).abs() < 1e-6, "{apart:?}");
    assert!((average.0 - average.1).abs() < 1e-6, "{average:?}");
    assert!((joint.0 - joint.1).abs() > 1e-4, "statistics of one pass are not those of two: {joint:?}");
    assert!((apart.0 - average.0).abs() > 1e-4);
}

#[test]
fn weak_views_of_the_unlabelled_alone_are_enough() {
    let device = Device::flex().autodiff();
    for (name, config) in every().into_iter().take(4) {
        let full = method(&config, &device).losses(batch(1, &device)).unwrap();
        let views = batch(1, &device);
        let part = SemiBatch { teacher: views.teacher.clone().pick(&UNLABELED), ..views };
        let part = method(&config, &device).losses(part).unwrap();
        assert_eq!(scalar(&part.total).to_bits(), scalar(&full.total).to_bits(), "{name}");
    }
}

#[test]
fn every_weight_learns_and_no_target_does() {
    let device = Device::flex().autodiff();
    for (name, config) in every() {
        let method = method(&config, &device);
        let losses = method.losses(batch(1, &device)).unwrap();
        for gradient in gradients(&method.student, &losses.consistency) {
            assert!(gradient.unwrap().iter().any(|value| value.abs() > 1e-5), "{name}");
        }
        let losses = method.losses(batch(1, &device)).unwrap();
        let average = method.teacher.average().module();
        assert!(gradients(average, &losses.total).iter().all(Option::is_none), "{name}");
    }
}

#[test]
fn the_gradient_is_that_of_constant_targets() {
    let device = Device::flex().autodiff();
    let config = PseudoLabelConfig { source: LabelSource::StudentApart, form: LabelForm::Soft, ..config(0.0) };
    let ours = method(&config, &device);
    let ours = gradients(&ours.student, &ours.losses(batch(1, &device)).unwrap().consistency);
    let network = Network::plain(1, &device);
    let views = batch(1, &device);
    let student = network.predict(views.student).class.pick(&UNLABELED);
    let constant = read(softmax(network.predict(views.teacher.pick(&UNLABELED)).class, 1));
    let constant = matrix(constant.into_iter().map(|p| p as f32).collect(), CLASSES, &device);
    let expected = gradients(&network, &((constant * log_softmax(student, 1)).sum().neg() / 5.0));
    for (ours, expected) in ours.iter().zip(&expected) {
        assert_close(ours.as_ref().unwrap(), expected.as_ref().unwrap(), 1e-5, "soft targets");
    }
}

#[test]
fn without_the_consistency_training_ends_elsewhere() {
    let device = Device::flex().autodiff();
    for (name, config) in every() {
        let none = Objective { weight: 0.0, ..config.objective.clone() };
        let [with, without] = [config.clone(), PseudoLabelConfig { objective: none, ..config }]
            .map(|config| head_after(method(&config, &device), 0..3, &device));
        assert_elsewhere(&with, &without, name);
    }
}

#[test]
fn nothing_kept_is_a_cost_of_zero_and_no_gradient() {
    let device = Device::flex().autodiff();
    // No probability of f32 logits this small is 1.
    let method = method(&config(1.0), &device);
    let losses = method.losses(batch(1, &device)).unwrap();
    assert_eq!((scalar(&losses.consistency), scalar(losses.kept.as_ref().unwrap())), (0.0, 0.0));
    assert!(scalar(&losses.class) > 0.0);
    for gradient in gradients(&method.student, &losses.consistency).into_iter().flatten() {
        assert!(gradient.iter().all(|&value| value == 0.0));
    }
    let unlabeled = SemiBatch { labels: vec![None; 8], ..batch(1, &device) };
    assert_eq!(scalar(&method.losses(unlabeled).unwrap().total), 0.0);
}

#[test]
fn fairness_of_nothing_kept_is_zero_and_its_gradient_finite() {
    let device = Device::flex().autodiff();
    let free = FreeThresholds { clip: Some([1.0, 1.0]), fairness: 1.0, ..FreeThresholds::default() };
    let config = PseudoLabelConfig { selection: Selection::Free(free), ..PseudoLabelConfig::free_match() };
    let method = method(&config, &device);
    let losses = method.losses(batch(1, &device)).unwrap();
    assert_eq!(scalar(losses.kept.as_ref().unwrap()), 0.0);
    assert_eq!(scalar(losses.regularizer.as_ref().unwrap()), 0.0);
    for gradient in gradients(&method.student, losses.regularizer.as_ref().unwrap()) {
        assert!(gradient.unwrap().iter().all(|&value| value == 0.0));
    }
    for gradient in gradients(&method.student, &method.losses(batch(1, &device)).unwrap().total) {
        assert!(gradient.unwrap().iter().all(|value| value.is_finite()));
    }
}

#[test]
fn fairness_trains_the_student_and_a_weight_of_zero_leaves_it_out() {
    let device = Device::flex().autodiff();
    let with = |fairness| {
        let free = FreeThresholds { fairness, ..FreeThresholds::default() };
        method(&PseudoLabelConfig { selection: Selection::Free(free), ..PseudoLabelConfig::free_match() }, &device)
    };
    let method = with(0.5);
    let losses = method.losses(batch(1, &device)).unwrap();
    let term = losses.regularizer.clone().unwrap();
    assert!(scalar(&term) < 0.0, "a sum of logarithms of shares: {term}");
    let total = scalar(&losses.class) + scalar(&losses.consistency) + 0.5 * scalar(&term);
    assert!((scalar(&losses.total) - total).abs() < 1e-6);
    for gradient in gradients(&method.student, &term) {
        assert!(gradient.unwrap().iter().any(|value| value.abs() > 1e-6));
    }
    assert!(with(0.0).losses(batch(1, &device)).unwrap().regularizer.is_none());
}

#[test]
fn soft_targets_of_the_average_are_mean_teacher() {
    let device = Device::flex().autodiff();
    let network = || Network::new(1, INPUT, 0.0, true, &device);
    let mut ours = PseudoLabelConfig::mean_teacher(LabelForm::Soft).init(network(), 16, CLASSES, &device).unwrap();
    let mut theirs = MeanTeacherConfig::default().init(network(), &device).unwrap();
    let (mut first, mut second) = (optimizer(), optimizer());
    for seed in 0..4 {
        ours = step(ours, &mut first, 0.1, batch(seed, &device)).0;
        theirs = step(theirs, &mut second, 0.1, batch(seed, &device)).0;
        let averages = [tensors(ours.teacher.average().module()), tensors(theirs.teacher.module())];
        for [ours, theirs] in [[tensors(&ours.student), tensors(&theirs.student)], averages] {
            for ((name, ours), (_, theirs)) in ours.iter().zip(&theirs) {
                // Gradients of several terms are summed in the order in which threads are done with them.
                assert_close(ours, theirs, 1e-6, name);
            }
        }
    }
}

#[test]
fn sharpening_lies_between_soft_and_hard() {
    let device = Device::flex().autodiff();
    let cost = |form| {
        let objective = Objective { consistency: Consistency::CrossEntropy, ..Objective::default() };
        let config = PseudoLabelConfig { objective, ..PseudoLabelConfig::mean_teacher(form) };
        scalar(&method(&config, &device).losses(batch(1, &device)).unwrap().consistency)
    };
    let sharp = |temperature| cost(LabelForm::Sharpened { temperature });
    assert!((sharp(1.0) - cost(LabelForm::Soft)).abs() < 1e-6);
    assert!((sharp(1e-3) - cost(LabelForm::Hard)).abs() < 1e-4);
    assert!((sharp(0.5) - cost(LabelForm::Soft)).abs() > 1e-3);
}

#[test]
fn evaluation_uses_the_average_with_statistics_that_moved() {
    let device = Device::flex().autodiff();
    for (name, config) in every() {
        let mut method = method(&config, &device);
        let mut optimizer = optimizer();
        for seed in 0..2 {
            method = step(method, &mut optimizer, 0.1, batch(seed, &device)).0;
        }
        let valid = method.valid();
        let input = batch(3, &Device::flex()).student;
        let ours = read(valid.predict_with_teacher(input.clone()).class);
        assert_eq!(ours, read(valid.teacher.average().module().predict(input.clone()).class), "{name}");
        assert_ne!(ours, read(valid.student.predict(input).class), "{name}");
        let statistics = read(valid.teacher.average().module().norm.running_mean.value());
        assert!(statistics.iter().any(|&mean| mean != 0.0), "{name}");
    }
}

#[test]
fn a_cost_that_is_no_number_is_refused_before_anything_remembers_it() {
    let device = Device::flex().autodiff();
    for (name, config) in every() {
        let method = method(&config, &device);
        let memory = |method: &FixMatch<Network>| {
            let remembered = |path: &str| path.contains("selector") || path.contains("aligned");
            tensors(&method.teacher).into_iter().filter(|(path, _)| remembered(path)).collect::<Vec<_>>()
        };
        let before = memory(&method);
        let views = batch(1, &device);
        let bad = SemiBatch { student: views.student.slice_fill([0..1, 0..1], f32::NAN), ..views };
        assert!(matches!(method.losses(bad), Err(SemiError::Cost { .. })), "{name}");
        assert_eq!(memory(&method), before, "{name}");
        method.losses(batch(1, &device)).unwrap();
        let after = memory(&method);
        assert_ne!(after, before, "{name}");
        let mean = |memory: &[(String, Vec<f64>)]| memory.iter().find(|(path, _)| path.contains("aligned")).cloned();
        assert!(mean(&before).is_none() || mean(&after) != mean(&before), "{name}");
        assert_eq!(mean(&before).is_some(), name == "aligned");
    }
}

#[test]
fn batches_that_cannot_teach_are_refused() {
    let device = Device::flex().autodiff();
    let refused = |config: &PseudoLabelConfig, batch| method(config, &device).losses(batch).unwrap_err();
    let labeled = SemiBatch { labels: vec![Some(0); 8], ..batch(1, &device) };
    let error = refused(&config(0.5), labeled.clone());
    assert_eq!(error, SemiError::NoUnlabeled { rows: 8 });
    assert!(error.to_string().starts_with("all 8 samples of the batch have a label"), "{error}");
    // Where labelled samples have a consistency cost too, nothing is missing.
    let hard = PseudoLabelConfig::mean_teacher(LabelForm::Hard);
    assert!(method(&hard, &device).losses(labeled).is_ok());
    let views = |n: usize| matrix(numbers(1, n * INPUT), INPUT, &device);
    let error = refused(&config(0.5), SemiBatch { teacher: views(6), ..batch(1, &device) });
    assert_eq!(error, SemiError::Rows { what: "teacher views", found: 6, expected: 8 });
    let error = refused(&config(0.5), SemiBatch { student: views(6), ..batch(1, &device) });
    assert_eq!(error, SemiError::Rows { what: "student views", found: 6, expected: 8 });
    let classes = config(0.5).init(Network::plain(1, &device), 16, 5, &device).unwrap();
    let error = classes.losses(batch(1, &device)).unwrap_err();
    assert_eq!(error, SemiError::Classes { what: "predictions", found: 3, expected: 5 });
    let plain = method(&config(0.5), &Device::flex());
    assert_eq!(plain.losses(batch(1, &Device::flex())).unwrap_err(), SemiError::NoAutodiff);
}

#[test]
fn settings_that_defeat_the_method_are_refused() {
    let refused = |config: PseudoLabelConfig| config.validate().unwrap_err();
    let own = PseudoLabelConfig { average: EmaConfig::default(), ..PseudoLabelConfig::fix_match() };
    assert_eq!(refused(own), SemiError::OwnBuffers);
    let objective = Objective { threshold: Some(0.9), ..PseudoLabelConfig::fix_match_objective() };
    let error = refused(PseudoLabelConfig { objective, ..PseudoLabelConfig::fix_match() });
    assert_eq!(
        error.to_string(),
        "objective.threshold is 0.9: it must be absent: the threshold is part of the selection"
    );
    for temperature in [0.0, -1.0, 1.1, f64::NAN] {
        let form = LabelForm::Sharpened { temperature };
        let error = refused(PseudoLabelConfig { form, ..PseudoLabelConfig::fix_match() });
        assert!(matches!(error, SemiError::OutOfRange { field: "temperature", .. }), "{error}");
    }
    assert!(matches!(refused(config(2.0)), SemiError::OutOfRange { field: "threshold", .. }));
    for preset in [PseudoLabelConfig::flex_match(), PseudoLabelConfig::free_match()] {
        preset.validate().unwrap();
    }
}

#[test]
fn a_class_that_never_passes_is_named_once_there_were_steps() {
    let device = Device::flex().autodiff();
    let mut method = method(&config(1.0), &device);
    assert_eq!(method.diagnose(), []);
    method = step(method, &mut optimizer(), 0.1, batch(1, &device)).0;
    assert_eq!(method.diagnose(), [SemiWarning::NothingKept]);
    // A head that knows one class.
    let certain =
        |path: &str, n| (path == "head.bias").then(|| (0..n).map(|i| if i == 1 { 50.0 } else { 0.0 }).collect());
    let student = set(Network::plain(1, &device), certain);
    let mut method = config(0.95).init(student, 16, CLASSES, &device).unwrap();
    method = step(method, &mut optimizer(), 1e-3, batch(1, &device)).0;
    assert_eq!(method.diagnose(), [SemiWarning::NotKept { classes: vec![0, 2] }]);
}

/// Burn panics where tensors of two checkpointing strategies meet.
#[test]
fn gradient_checkpointing_and_two_heads_work_with_every_selection() {
    let device = Device::flex().autodiff().gradient_checkpointing();
    for (name, config) in every() {
        let student = Network::new(1, INPUT, 0.0, true, &device);
        let mut method = config.init(student, 16, CLASSES, &device).unwrap();
        let mut optimizer = optimizer();
        for seed in 0..2 {
            let losses = method.losses(batch(seed, &device)).unwrap();
            assert!(scalar(&losses.logit_distance) > 0.0, "{name}");
            let gradients = GradientsParams::from_grads(losses.total.backward(), &method.student);
            method = method.optimize(&mut optimizer, 0.1, gradients).unwrap();
        }
        let weight = method.student.head.weight.val();
        assert_eq!(weight.gradient_checkpointing_strategy(), Some(GradientCheckpointingStrategy::Balanced), "{name}");
    }
}
