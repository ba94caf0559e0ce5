//! Stop and go: a run that is loaded from its records goes on bit for bit.

use burn::module::Module;
use burn::optim::{AdamConfig, ModuleOptimizer};
use burn::store::ModuleRecord;
use burn::tensor::Device;
use slowburn_ema::{Buffers, Decay, EmaConfig};
use slowburn_semi::{
    Alignment, FlexThresholds, FreeThresholds, IctConfig, LabelForm, MeanTeacherConfig, MixDraw, Mixing, Objective,
    PiModelConfig, PseudoLabelConfig, Ramp, Selection, SemiSupervised, SupervisedConfig, Teacher, TemporalConfig,
};

use crate::{INPUT, Network, batch, optimizer, scalar, seeded, step, tensors};

fn objective() -> Objective {
    // A ramp, so that a lost step count shows.
    Objective { ramp_up: Ramp::SigmoidUp { length: 10 }, ..Objective::default() }
}

/// A network with dropout; each step seeds its draws by its number, as a run that can resume must.
fn network(seed: u32, device: &Device) -> Network {
    Network::new(seed, INPUT, 0.3, true, device)
}

/// The conformance test of every method: save student, teacher and optimizer after `before` steps, load them into
/// objects made from another network, and take `after` more steps with both.
fn assert_resumes<T: Teacher<Network>>(
    make: impl Fn(Network, &Device) -> SemiSupervised<Network, T>,
    optimizer: impl Fn() -> ModuleOptimizer,
) {
    let device = Device::flex().autodiff();
    let (before, after) = (4, 4);
    let advance = |method, optimizer: &mut ModuleOptimizer, number: u32| {
        seeded(u64::from(number), || step(method, optimizer, 0.05, batch(number, &device)))
    };
    let (mut method, mut first) = (make(network(1, &device), &device), optimizer());
    for number in 0..before {
        method = advance(method, &mut first, number).0;
    }
    let bytes = method.clone().into_record().into_bytes().unwrap();
    let mut resumed = make(network(2, &device), &device).load_record(ModuleRecord::from_bytes(bytes).unwrap());
    let mut second = optimizer().from_bytes(first.into_bytes().unwrap()).unwrap();
    assert_eq!(resumed.steps(), u64::from(before));
    for number in before..before + after {
        let (ours, theirs);
        (method, ours) = advance(method, &mut first, number);
        (resumed, theirs) = advance(resumed, &mut second, number);
        assert_eq!(scalar(&ours.total).to_bits(), scalar(&theirs.total).to_bits(), "the cost of step {number}");
        assert_eq!(tensors(&resumed), tensors(&method), "after step {number}");
    }
    let restarted = resumed.restart();
    assert_eq!(restarted.steps(), 0);
    assert_eq!(tensors(&restarted.student), tensors(&method.student), "what it has learned stays");
    // The other network would not have come here: what was compared is not constant.
    assert_ne!(tensors(&make(network(2, &device), &device)), tensors(&method));
}

fn adam() -> ModuleOptimizer {
    AdamConfig::new().init()
}

#[test]
fn mean_teacher_resumes_with_every_policy_of_buffers() {
    for buffers in [Buffers::Own, Buffers::Copy, Buffers::Average] {
        let average = EmaConfig::new(Decay::WarmUp { decay: 0.8 }).with_buffers(buffers).with_every(2);
        let config = MeanTeacherConfig { objective: objective(), average };
        assert_resumes(|network, device| config.init(network, device).unwrap(), optimizer);
        assert_resumes(|network, device| config.init(network, device).unwrap(), adam);
    }
}

#[test]
fn the_pi_model_resumes() {
    let config = PiModelConfig { objective: objective(), ..PiModelConfig::default() };
    assert_resumes(|network, device| config.init(network, device).unwrap(), optimizer);
    assert_resumes(|network, device| config.init(network, device).unwrap(), adam);
}

#[test]
fn temporal_ensembling_resumes() {
    let config = TemporalConfig { objective: objective(), ..TemporalConfig::default() };
    assert_resumes(|network, device| config.init(network, 16, 3, device).unwrap(), optimizer);
    assert_resumes(|network, device| config.init(network, 16, 3, device).unwrap(), adam);
}

#[test]
fn supervised_training_resumes() {
    let config = SupervisedConfig { objective: objective() };
    assert_resumes(|network, device| config.init(network, device).unwrap(), optimizer);
    assert_resumes(|network, device| config.init(network, device).unwrap(), adam);
}

#[test]
fn fix_match_and_its_kin_resume_with_slots_and_averages() {
    let flex = FlexThresholds { threshold: 0.5, ..FlexThresholds::default() };
    let free = FreeThresholds { decay: 0.8, fairness: 0.1, ..FreeThresholds::default() };
    let selections = [Selection::Fixed { threshold: 0.5 }, Selection::Flex(flex), Selection::Free(free)];
    for selection in selections {
        let ramped = Objective { ramp_up: objective().ramp_up, ..PseudoLabelConfig::fix_match_objective() };
        let config = PseudoLabelConfig { objective: ramped, selection, ..PseudoLabelConfig::fix_match() };
        assert_resumes(|network, device| config.init(network, 16, 3, device).unwrap(), optimizer);
        assert_resumes(|network, device| config.init(network, 16, 3, device).unwrap(), adam);
        let config = config.with_alignment(Alignment { decay: 0.8, classes: None });
        assert_resumes(|network, device| config.init(network, 16, 3, device).unwrap(), optimizer);
    }
    let config = PseudoLabelConfig { objective: objective(), ..PseudoLabelConfig::mean_teacher(LabelForm::Hard) };
    assert_resumes(|network, device| config.init(network, 16, 3, device).unwrap(), optimizer);
}

#[test]
fn ict_resumes_with_its_draws() {
    for draw in [MixDraw::Batch, MixDraw::Row] {
        let mixing = Mixing { alpha: 0.5, draw, seed: 3 };
        let ramped = Objective { ramp_up: objective().ramp_up, ..IctConfig::default().objective };
        let config = IctConfig { objective: ramped, mixing, ..IctConfig::default() };
        assert_resumes(|network, device| config.init(network, device).unwrap(), optimizer);
        assert_resumes(|network, device| config.init(network, device).unwrap(), adam);
    }
}

/// What a method remembers of single samples, by the name of its tensors, is as it was made after a restart.
fn assert_forgets<T: Teacher<Network>>(method: SemiSupervised<Network, T>, name: &str) {
    let device = Device::flex().autodiff();
    let state = |method: &SemiSupervised<Network, T>| {
        tensors(method).into_iter().filter(|(path, _)| path.contains(name)).collect::<Vec<_>>()
    };
    let before = state(&method);
    let (moved, _) = seeded(0, || step(method, &mut optimizer(), 0.05, batch(0, &device)));
    assert_ne!(state(&moved), before);
    assert_eq!(state(&moved.restart()), before);
}

#[test]
fn a_restart_forgets_single_samples() {
    let device = Device::flex().autodiff();
    let temporal = TemporalConfig { objective: objective(), ..TemporalConfig::default() };
    assert_forgets(temporal.init(network(1, &device), 16, 3, &device).unwrap(), "teacher");
    let selection = Selection::Flex(FlexThresholds { threshold: 0.1, ..FlexThresholds::default() });
    let flex = PseudoLabelConfig { selection, ..PseudoLabelConfig::fix_match() };
    assert_forgets(flex.init(network(1, &device), 16, 3, &device).unwrap(), "selector");
}
