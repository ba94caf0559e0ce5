//! Features of a frozen encoder, their spread, and the proof that it stayed frozen.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use slowburn_contrastive::ContrastiveError;
use slowburn_contrastive::Encode;
use slowburn_contrastive::evaluation::{FeatureSet, Fingerprint, Representation, extract, spread};
use slowburn_models::HeadVersion;

use crate::support::{BATCH, DIM, HIDDEN, Network, matrix, numbers, read, tensors, view};

/// Dropout and splits, in training mode on autodiff.
fn network() -> Network {
    Network::new(1, HeadVersion::V2, 2, 0.5, &Device::flex().autodiff())
}

fn labels() -> Vec<usize> {
    (0..BATCH).map(|sample| sample % 3).collect()
}

/// Evaluation mode whatever the encoder's: the same batch twice, whole or in parts, gives the same features.
#[test]
fn extraction_is_in_evaluation_mode_and_leaves_the_encoder_alone() {
    let device = Device::flex().autodiff();
    let network = network();
    network.features(view(9, &device));
    let (before, fingerprint) = (tensors(&network), Fingerprint::of(&network));
    let whole = extract(&network, [(view(1, &device), labels())], Representation::Features).unwrap();
    let parts = (0..BATCH).map(|row| (view(1, &device).narrow(0, row, 1), vec![labels()[row]]));
    let parts = extract(&network, parts, Representation::Features).unwrap();
    crate::support::assert_close(&read(parts.features()), &read(whole.features()), 1e-6, "row by row");
    assert!(!whole.features().is_autodiff());
    assert_eq!((whole.samples(), whole.dim(), whole.classes()), (BATCH, HIDDEN, 3));
    assert_eq!(whole.labels(), labels());
    assert_eq!(tensors(&network), before);
    fingerprint.unchanged(&network).unwrap();

    let embedding = extract(&network, [(view(1, &device), labels())], Representation::Embedding).unwrap();
    assert_eq!((embedding.dim(), embedding.representation()), (DIM, Representation::Embedding));
    let expected = network.valid().embed(view(1, &Device::flex()));
    assert_eq!(read(embedding.features()), read(expected));
}

#[test]
fn a_fingerprint_sees_weights_and_statistics() {
    let device = Device::flex().autodiff();
    let network = network();
    let before = Fingerprint::of(&network);
    before.unchanged(&network.clone()).unwrap();
    network.features(view(1, &device));
    let error = before.unchanged(&network).unwrap_err();
    assert_eq!(error, ContrastiveError::Changed { path: "norm.running_mean".to_owned() });

    let other = Network::new(2, HeadVersion::V2, 2, 0.5, &device);
    let error = Fingerprint::of(&other).unchanged(&self::network()).unwrap_err();
    assert!(matches!(error, ContrastiveError::Changed { .. }));
    let head = Network::new(1, HeadVersion::V1, 2, 0.5, &device);
    let error = Fingerprint::of(&head).unchanged(&self::network()).unwrap_err();
    assert!(error.to_string().contains("fc."), "another head: {error}");
}

#[test]
fn features_that_cannot_be_scored_are_refused() {
    let device = Device::flex();
    let set = |features, labels| FeatureSet::new(features, labels, Representation::Features).unwrap_err();
    assert_eq!(set(Tensor::zeros([0, 4], &device), vec![]), ContrastiveError::Empty { what: "the set of features" });
    let error = set(Tensor::zeros([2, 4], &device), vec![0]);
    assert_eq!(error, ContrastiveError::Count { what: "labels", found: 1, expected: 2 });
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let error = set(Tensor::from_data([[0.0, value]], &device), vec![0]);
        assert_eq!(error, ContrastiveError::NotFinite { what: "the features" });
    }
    // Finite ones, whatever their sum.
    assert!(FeatureSet::new(Tensor::from_data([[3e38, -3e38, 3e38]], &device), vec![0], Representation::Input).is_ok());
    for label in [(1 << 20) + 1, usize::MAX] {
        let error = set(Tensor::zeros([2, 4], &device), vec![0, label]);
        assert_eq!(error, ContrastiveError::Label { sample: 1, label, most: 1 << 20 });
    }
    let whole = [(view(1, &device), vec![0; 6])];
    assert_eq!(extract(&network(), whole, Representation::Input).unwrap_err(), ContrastiveError::NoOutput);
    let none: [(Tensor<2>, Vec<usize>); 0] = [];
    let error = extract(&network(), none, Representation::Features).unwrap_err();
    assert_eq!(error, ContrastiveError::Empty { what: "the set of batches" });
    let short = [(view(1, &device), vec![0])];
    let error = extract(&network(), short, Representation::Features).unwrap_err();
    assert_eq!(error, ContrastiveError::Count { what: "labels", found: 1, expected: 6 });
}

#[test]
fn spread_is_even_for_random_directions_and_zero_in_a_collapse() {
    let device = Device::flex();
    let random = slowburn_contrastive::KeyQueueConfig { size: 4000, dim: 64, ..Default::default() };
    let even = spread(random.init(&device).unwrap().rows() * 3.0);
    assert_eq!(even.even, 0.125);
    // A deviation over 4,000 samples: within a few percent.
    assert!((even.std - even.even).abs() < 0.005, "{even:?}");
    let one = Tensor::<2>::ones([50, 8], &device) * Tensor::from_data([[2.0]], &device);
    assert!(spread(one).std < 1e-6);
    // A loop for a few numbers.
    let values = numbers(4, 15);
    let ours = spread(matrix(values.clone(), 3, &device)).std;
    let unit: Vec<Vec<f64>> = values
        .chunks(3)
        .map(|row| {
            let row: Vec<f64> = row.iter().map(|&value| f64::from(value)).collect();
            let length = row.iter().map(|value| value * value).sum::<f64>().sqrt();
            row.iter().map(|value| value / length).collect()
        })
        .collect();
    let deviation = |column: usize| {
        let mean = unit.iter().map(|row| row[column]).sum::<f64>() / 5.0;
        (unit.iter().map(|row| (row[column] - mean).powi(2)).sum::<f64>() / 5.0).sqrt()
    };
    let expected = (0..3).map(deviation).sum::<f64>() / 3.0;
    assert!((ours - expected).abs() < 1e-6, "{ours} instead of {expected}");
}
