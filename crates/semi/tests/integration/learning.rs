//! Every method learns a small problem: three clusters, two labels for each.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use slowburn_ema::{Buffers, Decay, EmaConfig};
use slowburn_semi::{
    IctConfig, LabelForm, MeanTeacherConfig, Mix, Objective, PiModelConfig, PseudoLabelConfig, Ramp, Selection,
    SemiBatch, SemiSupervised, SupervisedConfig, Teacher, TemporalConfig, TwoStream,
};

use crate::{Network, matrix, numbers, optimizer, step};

const SAMPLES: usize = 120;
const CENTERS: [[f32; 2]; 3] = [[-1.0, -0.6], [1.0, -0.6], [0.0, 1.1]];

/// The class of a sample and the place of one view of it: a cluster's centre, its own offset, and the view's noise.
fn point(sample: usize, view: u32) -> [f32; 2] {
    let (own, noise) = (numbers(sample as u32, 2), numbers(10_000 * view + sample as u32, 2));
    let center = CENTERS[sample % 3];
    [0, 1].map(|axis| center[axis] + 0.5 * own[axis] + 0.15 * noise[axis])
}

fn points(samples: &[usize], view: u32, device: &Device) -> Tensor<2> {
    matrix(samples.iter().flat_map(|&sample| point(sample, view)).collect(), 2, device)
}

fn objective() -> Objective {
    Objective { weight: 1.0, ramp_up: Ramp::SigmoidUp { length: 100 }, ..Objective::default() }
}

/// Trains for twenty epochs and returns the share of new samples that are classified rightly.
fn accuracy<T: Teacher<Network>>(make: impl Fn(Network, &Device) -> SemiSupervised<Network, T>) -> f64 {
    let device = Device::flex().autodiff();
    let mut method = make(Network::new(3, 2, 0.0, false, &device), &device);
    let mut optimizer = optimizer();
    let stream = TwoStream::new((0..6).collect(), (6..SAMPLES).collect(), 16, Mix::Fixed { labeled: 4 }, 0).unwrap();
    for epoch in 0..20 {
        for (index, chosen) in stream.epoch(epoch).enumerate() {
            let samples = chosen.samples();
            let view = 2 * (100 * epoch as u32 + index as u32);
            let batch = SemiBatch {
                student: points(&samples, view + 1, &device),
                teacher: points(&samples, view + 2, &device),
                labels: samples.iter().map(|sample| (*sample < 6).then_some(sample % 3)).collect(),
                samples,
            };
            method = step(method, &mut optimizer, 0.03, batch).0;
        }
    }
    let new: Vec<usize> = (SAMPLES..2 * SAMPLES).collect();
    let logits = method.valid().predict_with_teacher(points(&new, 0, &Device::flex())).class;
    let classes = logits.argmax(1).into_data().try_into_vec_as::<i64>().unwrap();
    let right = classes.iter().zip(&new).filter(|(class, sample)| **class as usize == *sample % 3).count();
    right as f64 / SAMPLES as f64
}

/// Chance is a third. The clusters hardly touch: a method that learns finds nearly all, and so do labels alone. That each cost
/// does something is shown where it is taken away (`gradients.rs` and the tests of each method).
const ENOUGH: f64 = 0.9;

#[test]
fn supervised_training_learns() {
    let config = SupervisedConfig { objective: objective() };
    let accuracy = accuracy(|network, device| config.init(network, device).unwrap());
    assert!(accuracy > ENOUGH, "{accuracy}");
}

#[test]
fn the_pi_model_learns() {
    let config = PiModelConfig { objective: objective(), ..PiModelConfig::default() };
    let accuracy = accuracy(|network, device| config.init(network, device).unwrap());
    assert!(accuracy > ENOUGH, "{accuracy}");
}

#[test]
fn temporal_ensembling_learns() {
    let config = TemporalConfig { objective: objective(), ..TemporalConfig::default() };
    let accuracy = accuracy(|network, device| config.init(network, SAMPLES, 3, device).unwrap());
    assert!(accuracy > ENOUGH, "{accuracy}");
}

#[test]
fn mean_teachers_teacher_learns() {
    let average = EmaConfig::new(Decay::WarmUp { decay: 0.95 });
    let config = MeanTeacherConfig { objective: objective(), average };
    let accuracy = accuracy(|network, device| config.init(network, device).unwrap());
    assert!(accuracy > ENOUGH, "{accuracy}");
}

#[test]
fn fix_match_and_its_kin_learn() {
    let average = EmaConfig::new(Decay::Constant { decay: 0.95 }).with_buffers(Buffers::Copy);
    let presets = [PseudoLabelConfig::fix_match(), PseudoLabelConfig::flex_match(), PseudoLabelConfig::free_match()];
    for preset in presets {
        let config = PseudoLabelConfig { average: average.clone(), ..preset };
        let accuracy = accuracy(|network, device| config.init(network, SAMPLES, 3, device).unwrap());
        assert!(accuracy > ENOUGH, "{:?}: {accuracy}", config.selection);
    }
}

#[test]
fn mean_teachers_with_other_targets_learn() {
    let average = EmaConfig::new(Decay::WarmUp { decay: 0.95 });
    // Hard targets make an untrained teacher's mistakes certain: those that it is sure of alone.
    let confident = Selection::Fixed { threshold: 0.8 };
    for (form, selection) in [(LabelForm::Hard, confident), (LabelForm::Sharpened { temperature: 0.5 }, Selection::All)]
    {
        let preset = PseudoLabelConfig::mean_teacher(form);
        let average = average.clone();
        let config = PseudoLabelConfig { objective: objective(), average, selection, ..preset };
        let accuracy = accuracy(|network, device| config.init(network, SAMPLES, 3, device).unwrap());
        assert!(accuracy > ENOUGH, "{form:?}: {accuracy}");
    }
}

#[test]
fn ict_learns() {
    let average = EmaConfig::new(Decay::WarmUp { decay: 0.95 });
    // The paper's weight is for a training that is a thousand times as long.
    let objective = Objective { weight: 10.0, ramp_up: objective().ramp_up, ..IctConfig::default().objective };
    let config = IctConfig { objective, average, ..IctConfig::default() };
    let accuracy = accuracy(|network, device| config.init(network, device).unwrap());
    assert!(accuracy > ENOUGH, "{accuracy}");
}
