//! Who learns from what: gradients, running statistics and training modes of student and teacher.

use burn::module::{Flag, Module, ModuleVisitor, Param};
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, GradientCheckpointingStrategy, Tensor};
use slowburn_ema::{Decay, EmaConfig, EmaError, sync_running_state};
use slowburn_semi::{
    Losses, MeanTeacher, MeanTeacherConfig, Objective, Predict, SemiBatch, SemiError, SupervisedConfig, TemporalConfig,
};

use crate::{
    CLASSES, INPUT, Network, assert_elsewhere, batch, head_after, matrix, numbers, optimizer, read, scalar, seeded,
    set, step, tensors,
};

fn mean_teacher(network: Network, decay: f64, device: &Device) -> MeanTeacher<Network> {
    let config =
        MeanTeacherConfig { objective: Objective::default(), average: EmaConfig::new(Decay::Constant { decay }) };
    config.init(network, device).unwrap()
}

/// The module's tensors but running statistics, or these alone.
fn part(module: &Network, statistics: bool) -> Vec<(String, Vec<f64>)> {
    sync_running_state(module);
    tensors(module).into_iter().filter(|(path, _)| path.contains("running") == statistics).collect()
}

fn gradients(module: &Network, losses: &Tensor<1>) -> Vec<Option<Vec<f64>>> {
    let gradients = losses.backward();
    let two = [&module.first.weight, &module.head.weight].map(|weight| weight.grad(&gradients).map(read));
    let one = [&module.norm.gamma, &module.norm.beta].map(|weight| weight.grad(&gradients).map(read));
    two.into_iter().chain(one).collect()
}

#[test]
fn a_cost_that_is_no_number_is_refused_before_anything_remembers_it() {
    let device = Device::flex().autodiff();
    let bad = || {
        let batch = batch(1, &device);
        SemiBatch { student: batch.student.slice_fill([0..1, 0..1], f32::NAN), ..batch }
    };
    let method = MeanTeacherConfig::default().init(Network::plain(1, &device), &device).unwrap();
    let error = method.losses(bad()).unwrap_err();
    assert!(matches!(error, SemiError::Cost { value } if value.is_nan()), "{error}");

    let method = TemporalConfig::default().init(Network::plain(1, &device), 16, CLASSES, &device).unwrap();
    let before = tensors(&method.teacher);
    assert!(matches!(method.losses(bad()), Err(SemiError::Cost { .. })));
    assert_eq!(tensors(&method.teacher), before);
}

#[test]
fn a_method_whose_student_was_replaced_comes_back_as_it_was() {
    let device = Device::flex().autodiff();
    let mut method = MeanTeacherConfig::default().init(Network::plain(1, &device), &device).unwrap();
    let (teacher, other) = (tensors(&method.teacher), Network::new(2, INPUT, 0.0, true, &device));
    let losses = method.losses(batch(1, &device)).unwrap();
    let gradients = GradientsParams::from_grads(losses.total.backward(), &method.student);
    method.student = other;
    let (method, error) = method.optimize(&mut optimizer(), 0.1, gradients).unwrap_err().into_parts();
    assert!(matches!(error, SemiError::Average(EmaError::Unknown { .. })), "{error}");
    assert_eq!((tensors(&method.teacher), method.steps()), (teacher, 0));
    assert_eq!(tensors(&method.student), tensors(&Network::new(2, INPUT, 0.0, true, &device)));
}

#[test]
fn the_student_gets_a_gradient_from_every_cost_and_the_teacher_none() {
    let device = Device::flex().autodiff();
    let method = mean_teacher(Network::plain(1, &device), 0.9, &device);
    for name in ["class", "consistency"] {
        let Losses { class, consistency, .. } = method.losses(batch(1, &device)).unwrap();
        let cost = if name == "class" { class } else { consistency };
        for gradient in gradients(&method.student, &cost) {
            assert!(gradient.unwrap().iter().any(|value| value.abs() > 1e-6), "{name}");
        }
    }
    let losses = method.losses(batch(1, &device)).unwrap();
    assert!(gradients(method.teacher.module(), &losses.total).iter().all(Option::is_none));
}

#[test]
fn steps_that_cannot_learn_are_refused() {
    let device = Device::flex();
    let method = mean_teacher(Network::plain(1, &device), 0.9, &device);
    assert_eq!(method.losses(batch(1, &device)).unwrap_err(), SemiError::NoAutodiff);
    let device = device.autodiff();
    let method = mean_teacher(Network::plain(1, &device), 0.9, &device);
    let refused = |batch| method.losses(batch).unwrap_err();
    let none = SemiBatch { labels: vec![], samples: vec![], ..batch(1, &device) };
    assert_eq!(refused(none), SemiError::EmptyBatch);
    let few = SemiBatch { samples: vec![0; 3], ..batch(1, &device) };
    assert_eq!(refused(few), SemiError::Rows { what: "sample numbers", found: 3, expected: 8 });
    let other = SemiBatch { teacher: matrix(numbers(1, 5 * INPUT), INPUT, &device), ..batch(1, &device) };
    assert_eq!(refused(other), SemiError::Rows { what: "targets", found: 5, expected: 8 });
}

#[test]
fn the_consistency_cost_is_zero_for_equals_and_trains_a_student_that_differs() {
    let device = Device::flex().autodiff();
    let mut method = mean_teacher(Network::plain(1, &device), 0.9, &device);
    let same = || {
        let batch = batch(1, &device);
        SemiBatch { teacher: batch.student.clone(), labels: vec![None; 8], ..batch }
    };
    assert!(scalar(&method.losses(same()).unwrap().consistency) < 1e-12, "one view, the same weights");

    method.student = set(method.student, |path, n| (path == "head.bias").then(|| (0..n).map(|i| i as f32).collect()));
    let losses = method.losses(same()).unwrap();
    assert!(scalar(&losses.consistency) > 0.01, "{}", losses.consistency);
    assert_eq!(scalar(&losses.class), 0.0);
    let all = gradients(&method.student, &losses.consistency);
    for gradient in &all {
        let gradient = gradient.as_ref().unwrap();
        assert!(gradient.iter().any(|value| value.abs() > 1e-4), "{gradient:?}");
    }
}

#[test]
fn without_the_consistency_mean_teacher_ends_elsewhere() {
    let device = Device::flex().autodiff();
    let [with, without] = [1.0, 0.0].map(|weight| {
        let objective = Objective { weight, ..Objective::default() };
        let config = MeanTeacherConfig { objective, average: EmaConfig::new(Decay::Constant { decay: 0.9 }) };
        head_after(config.init(Network::plain(1, &device), &device).unwrap(), 0..3, &device)
    });
    assert_elsewhere(&with, &without, "Mean Teacher");
}

#[test]
fn neither_moves_the_others_running_statistics() {
    let device = Device::flex().autodiff();
    let method = mean_teacher(Network::plain(1, &device), 0.9, &device);
    let fresh = part(&method.student, true);
    method.student.predict(batch(1, &device).student);
    assert_ne!(part(&method.student, true), fresh);
    assert_eq!(part(method.teacher.module(), true), fresh, "a student step leaves the teacher's alone");
    let students = part(&method.student, true);
    method.teacher.with_module(|teacher| teacher.predict(batch(2, &device).student));
    assert_ne!(part(method.teacher.module(), true), fresh, "its own pass does not");
    assert_eq!(part(&method.student, true), students);
}

#[test]
fn the_optimizer_never_touches_the_teacher() {
    let device = Device::flex().autodiff();
    let adam = AdamConfig::new().with_weight_decay(Some(burn::optim::decay::WeightDecayConfig::new(0.1))).init();
    let optimizers: [ModuleOptimizer; 2] = [optimizer(), adam];
    for mut optimizer in optimizers {
        // The average itself never moves, so that whatever moves the teacher is a mistake.
        let mut method = mean_teacher(Network::plain(1, &device), 1.0, &device);
        let start = part(method.teacher.module(), false);
        for seed in 0..4 {
            method = step(method, &mut optimizer, 0.1, batch(seed, &device)).0;
        }
        assert_eq!(part(method.teacher.module(), false), start, "bit for bit");
        assert_ne!(part(&method.student, false), start);
    }
}

#[test]
fn dropout_and_batch_norm_are_in_training_mode_in_both() {
    struct Flags(Vec<bool>);
    impl ModuleVisitor for Flags {
        fn visit_flag(&mut self, flag: &Param<Flag>) {
            self.0.push(flag.is_enabled());
        }
    }
    let device = Device::flex().autodiff();
    let mut method = mean_teacher(Network::new(1, INPUT, 0.5, false, &device), 0.9, &device);
    let mut optimizer = optimizer();
    for round in 0..2 {
        for network in [&method.student, method.teacher.module()] {
            let mut flags = Flags(Vec::new());
            network.visit(&mut flags);
            assert_eq!(flags.0, [true, true]);
            let predict = |seed| seeded(seed, || read(network.predict(batch(1, &device).student).class));
            assert_ne!(predict(1), predict(2), "dropout draws, round {round}");
            let before = part(network, true);
            predict(3);
            assert_ne!(part(network, true), before, "statistics move, round {round}");
        }
        // Both as they are made and after an update.
        method = seeded(9, || step(method, &mut optimizer, 0.1, batch(1, &device)).0);
    }
    let valid = method.valid();
    let predict = |seed| seeded(seed, || read(valid.predict_with_teacher(batch(1, &Device::flex()).student).class));
    assert_eq!(predict(1), predict(2), "and none of it in evaluation");
}

#[test]
fn the_teacher_follows_after_the_students_step() {
    let device = Device::flex().autodiff();
    let mut method = mean_teacher(Network::plain(1, &device), 0.25, &device);
    let before = part(method.teacher.module(), false);
    method = step(method, &mut optimizer(), 0.1, batch(1, &device)).0;
    let (teacher, student) = (part(method.teacher.module(), false), part(&method.student, false));
    for (((path, teacher), (_, before)), (_, student)) in teacher.iter().zip(&before).zip(&student) {
        for ((ours, before), student) in teacher.iter().zip(before).zip(student) {
            // Three f32 roundings of numbers up to 2.
            assert!((ours - (0.25 * before + 0.75 * student)).abs() < 4e-7, "{path}");
        }
    }
    assert_eq!(method.steps(), 1);
    assert_eq!(method.teacher.updates(), 1);
}

#[test]
fn evaluation_uses_the_teacher_where_it_is_a_network() {
    let device = Device::flex().autodiff();
    let mut method = mean_teacher(Network::plain(1, &device), 1.0, &device);
    method = step(method, &mut optimizer(), 0.1, batch(1, &device)).0;
    let valid = method.valid();
    let input = batch(2, &Device::flex()).student;
    let ours = read(valid.predict_with_teacher(input.clone()).class);
    assert_eq!(ours, read(valid.teacher.module().predict(input.clone()).class));
    assert_ne!(ours, read(valid.student.predict(input.clone()).class));

    let supervised = SupervisedConfig::default().init(Network::plain(1, &device), &device).unwrap().valid();
    let ours = read(supervised.predict_with_teacher(input.clone()).class);
    assert_eq!(ours, read(supervised.student.predict(input).class));
}

/// Burn panics where tensors of two checkpointing strategies meet.
#[test]
fn gradient_checkpointing_works_with_every_source_of_targets() {
    let device = Device::flex().autodiff().gradient_checkpointing();
    let network = || Network::new(1, INPUT, 0.0, true, &device);
    let mut method = mean_teacher(network(), 0.5, &device);
    let mut temporal = TemporalConfig::default().init(network(), 16, 3, &device).unwrap();
    let (mut first, mut second) = (optimizer(), optimizer());
    for seed in 0..2 {
        method = step(method, &mut first, 0.1, batch(seed, &device)).0;
        temporal = step(temporal, &mut second, 0.1, batch(seed, &device)).0;
    }
    let weight = method.student.head.weight.val();
    assert_eq!(weight.gradient_checkpointing_strategy(), Some(GradientCheckpointingStrategy::Balanced));
}
