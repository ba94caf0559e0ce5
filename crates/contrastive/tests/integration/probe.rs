//! The linear probe and its sweep.

use burn::tensor::Device;
use slowburn_contrastive::ContrastiveError;
use slowburn_contrastive::evaluation::{
    FeatureSet, Fingerprint, ProbeConfig, ProbeSchedule, Representation, SweepConfig, extract,
};
use slowburn_models::HeadVersion;

use crate::support::{BATCH, Network, matrix, numbers, seeded, view};

/// Three classes around three points, with noise; `seed` draws other samples of the same.
fn clusters(seed: u32, samples: usize, scale: f32) -> FeatureSet {
    let noise = numbers(seed, 4 * samples);
    let values = (0..samples).flat_map(|sample| {
        let class = sample % 3;
        let noise = &noise[4 * sample..][..4];
        (0..4).map(move |axis| scale * (f32::from(u8::from(axis == class)) + 0.4 * noise[axis]))
    });
    let labels = (0..samples).map(|sample| sample % 3).collect();
    let features = matrix(values.collect(), 4, &Device::flex());
    FeatureSet::new(features, labels, Representation::Features).unwrap()
}

fn quick() -> ProbeConfig {
    ProbeConfig { learning_rate: 1.0, epochs: 20, batch: 16, ..ProbeConfig::simclr() }
}

#[test]
fn learns_what_is_linear_and_reports_every_setting() {
    let (train, test) = (clusters(1, 90, 1.0), clusters(2, 60, 1.0));
    let report = quick().evaluate(&train, &test).unwrap();
    assert!(report.accuracy > 0.9 && report.train_accuracy > 0.9, "{report:?}");
    assert_eq!((report.train, report.test, report.classes, report.dim), (90, 60, 3, 4));
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["config"]["learning_rate"], 1.0);
    assert_eq!(json["config"]["schedule"], "cosine");
    assert_eq!(json["representation"], "features");
    assert_eq!(quick().evaluate(&train, &test).unwrap(), report, "the same twice");
}

/// Softmax regression by hand in f64, sample by sample: three epochs of whole-set steps, so that order is no question.
#[test]
fn equals_gradient_descent_by_hand() {
    let train = clusters(3, 12, 1.0);
    let features: Vec<Vec<f64>> = crate::support::read(train.features()).chunks(4).map(<[f64]>::to_vec).collect();
    let config = |epochs| ProbeConfig {
        learning_rate: 2.0,
        schedule: ProbeSchedule::Steps { at: vec![1], factor: 0.5 },
        epochs,
        batch: 12,
        weight_decay: 0.01,
        ..ProbeConfig::moco()
    };
    // What the probe starts from, read from its scores: a step of almost nothing leaves the start.
    let probes: Vec<_> =
        [ProbeConfig { learning_rate: 1e-30, ..config(1) }, config(3)].map(|c| c.fit(&train).unwrap()).into();
    let axes = |probe: &slowburn_contrastive::evaluation::Probe| -> Vec<Vec<f64>> {
        let points = [[0.0; 4], [1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]];
        let points = matrix(points.concat(), 4, &Device::flex());
        crate::support::read(probe.scores(points)).chunks(3).map(<[f64]>::to_vec).collect()
    };
    let start = axes(&probes[0]);
    let mut bias = start[0].clone();
    let mut weight: Vec<Vec<f64>> =
        start[1..].iter().map(|row| row.iter().zip(&bias).map(|(score, bias)| score - bias).collect()).collect();
    let (mut weight_velocity, mut bias_velocity) = (vec![vec![0.0; 3]; 4], vec![0.0; 3]);
    for rate in [2.0, 1.0, 1.0] {
        let mut gradient = weight.iter().map(|row| row.iter().map(|w| 0.01 * w).collect()).collect::<Vec<Vec<f64>>>();
        let mut bias_gradient = [0.0; 3];
        for (x, &label) in features.iter().zip(train.labels()) {
            let logits: Vec<f64> =
                (0..3).map(|c| bias[c] + (0..4).map(|axis| x[axis] * weight[axis][c]).sum::<f64>()).collect();
            let sum: f64 = logits.iter().map(|logit| logit.exp()).sum();
            for c in 0..3 {
                let error = (logits[c].exp() / sum - f64::from(u8::from(c == label))) / 12.0;
                bias_gradient[c] += error;
                (0..4).for_each(|axis| gradient[axis][c] += x[axis] * error);
            }
        }
        for c in 0..3 {
            bias_velocity[c] = 0.9 * bias_velocity[c] + bias_gradient[c];
            bias[c] -= rate * bias_velocity[c];
            for axis in 0..4 {
                weight_velocity[axis][c] = 0.9 * weight_velocity[axis][c] + gradient[axis][c];
                weight[axis][c] -= rate * weight_velocity[axis][c];
            }
        }
    }
    let ours = axes(&probes[1]);
    crate::support::assert_close(&ours[0], &bias, 1e-5, "bias");
    for axis in 0..4 {
        let expected: Vec<f64> = (0..3).map(|c| weight[axis][c] + bias[c]).collect();
        crate::support::assert_close(&ours[axis + 1], &expected, 1e-5, "weights");
    }
}

#[test]
fn presets_are_the_published_protocols() {
    let moco = ProbeConfig::moco();
    assert_eq!((moco.learning_rate, moco.weight_decay, moco.momentum), (30.0, 0.0, 0.9));
    assert_eq!((moco.epochs, moco.batch), (100, 256));
    let rates: Vec<f64> = [0, 59, 60, 79, 80, 99].map(|epoch| moco.schedule.at(epoch, 100)).into();
    for (ours, expected) in rates.iter().zip([1.0, 1.0, 0.1, 0.1, 0.01, 0.01]) {
        assert!((ours - expected).abs() < 1e-12, "{rates:?}");
    }
    let simclr = ProbeConfig::simclr();
    assert_eq!((simclr.learning_rate, simclr.epochs, &simclr.schedule), (0.1, 90, &ProbeSchedule::Cosine));
    assert_eq!(simclr.schedule.at(0, 90), 1.0);
    assert!((simclr.schedule.at(45, 90) - 0.5).abs() < 1e-12);
}

/// The scale of features decides which learning rate fits, unless they are standardised.
#[test]
fn standardising_takes_the_scale_away() {
    let standardized = ProbeConfig { standardize: true, ..quick() };
    let one = standardized.evaluate(&clusters(1, 90, 1.0), &clusters(2, 60, 1.0)).unwrap();
    let thousandth = standardized.evaluate(&clusters(1, 90, 1e-3), &clusters(2, 60, 1e-3)).unwrap();
    assert!(one.accuracy > 0.9);
    assert!((one.accuracy - thousandth.accuracy).abs() < 0.04, "{} {}", one.accuracy, thousandth.accuracy);
    // A feature that never changes is left alone.
    let constant = FeatureSet::new(clusters(1, 9, 1.0).features() * 0.0 + 5.0, vec![0; 9], Representation::Input);
    assert!(standardized.fit(&constant.unwrap()).is_ok());
}

#[test]
fn the_encoder_stays_as_it_was_bit_for_bit() {
    let device = Device::flex().autodiff();
    let network = Network::new(1, HeadVersion::V1, 2, 0.5, &device);
    seeded(1, || slowburn_contrastive::Encode::features(&network, view(7, &device)));
    let before = Fingerprint::of(&network);
    let batches = |seed| [(view(seed, &device), (0..BATCH).map(|sample| sample % 2).collect())];
    let train = extract(&network, batches(1), Representation::Features).unwrap();
    let test = extract(&network, batches(2), Representation::Features).unwrap();
    quick().evaluate(&train, &test).unwrap();
    SweepConfig { probe: quick(), ..SweepConfig::default() }.evaluate(&train, &test).unwrap();
    before.unchanged(&network).unwrap();
}

#[test]
fn a_sweep_chooses_on_the_held_out_part_and_never_sees_the_test_set() {
    let train = clusters(1, 90, 1.0);
    let sweep = SweepConfig {
        learning_rates: vec![1e-9, 1.0, 1e-8],
        held_out: 0.2,
        probe: ProbeConfig { epochs: 10, batch: 16, ..ProbeConfig::simclr() },
    };
    let report = sweep.evaluate(&train, &clusters(2, 60, 1.0)).unwrap();
    assert_eq!(report.held_out_samples, 18, "six of each class");
    assert_eq!(report.probe.config.learning_rate, 1.0, "{report:?}");
    assert!(report.probe.accuracy > 0.9, "{report:?}");
    assert_eq!(report.probe.train, 90, "trained again on all");
    assert_eq!(report.candidates.len(), 3);

    // Another test set, with its labels turned round: the same choice for the same reasons.
    let turned = clusters(2, 60, 1.0);
    let labels = turned.labels().iter().map(|label| (label + 1) % 3).collect();
    let turned = FeatureSet::new(turned.features(), labels, Representation::Features).unwrap();
    let other = sweep.evaluate(&train, &turned).unwrap();
    assert_eq!(other.candidates, report.candidates);
    assert_eq!(other.probe.config, report.probe.config);
    assert!(other.probe.accuracy < 0.1);
}

#[test]
fn a_diverged_candidate_is_left_out_and_a_diverged_probe_is_an_error() {
    let train = clusters(1, 60, 1e18);
    let error = ProbeConfig { learning_rate: 1e30, ..quick() }.fit(&train).unwrap_err();
    assert!(error.to_string().contains("learning rate"), "{error}");
    let sweep = SweepConfig { learning_rates: vec![1e30, 0.1], held_out: 0.1, probe: quick() };
    let near = clusters(1, 60, 1.0);
    let report = sweep.evaluate(&near, &near).unwrap();
    assert_eq!(report.candidates[0].accuracy, None);
    assert_eq!(report.probe.config.learning_rate, 0.1);
    let sweep = SweepConfig { learning_rates: vec![1e30], ..sweep };
    assert!(matches!(sweep.evaluate(&train, &train), Err(ContrastiveError::NotFinite { .. })));
    // Weights that are finite, and logits that tell nothing apart.
    let error = ProbeConfig { learning_rate: 1e20, ..quick() }.fit(&near).unwrap_err();
    assert!(matches!(error, ContrastiveError::Diverged { largest } if largest > 1e18), "{error}");
}

#[test]
fn settings_out_of_range_are_refused() {
    let ok = ProbeConfig::moco;
    for config in [
        ProbeConfig { learning_rate: 0.0, ..ok() },
        ProbeConfig { learning_rate: f64::NAN, ..ok() },
        ProbeConfig { epochs: 0, ..ok() },
        ProbeConfig { batch: 0, ..ok() },
        ProbeConfig { momentum: 1.0, ..ok() },
        ProbeConfig { weight_decay: -1.0, ..ok() },
        ProbeConfig { schedule: ProbeSchedule::Steps { at: vec![], factor: f64::NAN }, ..ok() },
    ] {
        assert!(matches!(config.validate(), Err(ContrastiveError::OutOfRange { .. })), "{config:?}");
    }
    let sweep = SweepConfig::default;
    assert!(sweep().validate().is_ok());
    for held_out in [0.0, 1.0, f64::NAN] {
        assert!(SweepConfig { held_out, ..sweep() }.validate().is_err(), "{held_out}");
    }
    assert!(SweepConfig { learning_rates: vec![], ..sweep() }.validate().is_err());
    assert!(SweepConfig { learning_rates: vec![0.1, -0.1], ..sweep() }.validate().is_err());
    let single = clusters(1, 3, 1.0);
    let error = SweepConfig { probe: quick(), ..sweep() }.evaluate(&single, &single).unwrap_err();
    assert_eq!(error, ContrastiveError::Empty { what: "the held-out part of the training features" });
    let narrow = FeatureSet::new(matrix(numbers(1, 4), 2, &Device::flex()), vec![0, 1], Representation::Input).unwrap();
    assert_eq!(quick().evaluate(&single, &narrow).unwrap_err(), ContrastiveError::Dim { found: 2, expected: 4 });
}
