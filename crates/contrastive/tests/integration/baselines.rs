//! End-to-end and memory bank.

use burn::tensor::{Device, Tensor};
use slowburn_contrastive::{
    Contrastive, ContrastiveError, Encode, EndToEndConfig, InfoNce, MemoryBank, MemoryBankConfig, SymmetricReduction,
    ViewPair, Warning, negatives, normalize,
};
use slowburn_ema::EmaError;

use crate::support::{BATCH, DIM, Network, assert_close, optimizer, part, read, refused, scalar, views};

const SAMPLES: usize = 20;

fn bank(decay: f64, device: &Device) -> MemoryBank<Network> {
    let config = MemoryBankConfig { dim: DIM, negatives: 9, decay, loss: InfoNce::new(0.2), seed: 2 };
    config.init(Network::plain(1, device), SAMPLES, device).unwrap()
}

#[test]
fn end_to_end_is_nt_xent_with_gradient_through_both_views() {
    let device = Device::flex().autodiff();
    let config = EndToEndConfig { loss: InfoNce::new(0.2), shuffle: false, ..EndToEndConfig::default() };
    let method = config.init(Network::plain(1, &device), &device).unwrap();
    let batch = views(1, &device);
    let expected = InfoNce::new(0.2)
        .nt_xent(normalize(method.query.embed(batch.query.clone())), normalize(method.query.embed(batch.key.clone())))
        .unwrap();
    let (method, outcome) = method.contrast(batch.clone()).unwrap();
    assert_eq!(scalar(&outcome.loss), scalar(&expected.loss));
    assert_eq!(outcome.negatives, 2 * BATCH - 2);
    assert_eq!(method.steps(), 1);

    let sum = EndToEndConfig { reduction: SymmetricReduction::Sum, ..config }
        .init(Network::plain(1, &device), &device)
        .unwrap();
    assert_eq!(scalar(&sum.contrast(batch.clone()).unwrap().1.loss), 2.0 * scalar(&expected.loss));

    // Each view's input gets a gradient.
    let inputs = [batch.query.require_grad(), batch.key.require_grad()];
    let batch = ViewPair { query: inputs[0].clone(), key: inputs[1].clone(), samples: vec![] };
    let gradients = method.contrast(batch).unwrap().1.loss.backward();
    for input in inputs {
        assert!(read(input.grad(&gradients).unwrap()).iter().any(|value| value.abs() > 1e-4));
    }
}

#[test]
fn end_to_end_trains() {
    let device = Device::flex().autodiff();
    let config = EndToEndConfig { shuffle: false, ..EndToEndConfig::default() };
    let mut method = config.init(Network::plain(1, &device), &device).unwrap();
    let before = part(&method.query, false);
    let mut optimizer = optimizer();
    let first = scalar(&method.clone().contrast(views(1, &device)).unwrap().1.loss);
    for _ in 0..30 {
        method = method.step(views(1, &device), &mut optimizer, 0.02).unwrap().0;
    }
    assert!(scalar(&method.clone().contrast(views(1, &device)).unwrap().1.loss) < first);
    assert_ne!(part(&method.query, false), before);
    assert_eq!(method.diagnose(2, 2), []);
    assert_eq!(method.diagnose(1, 1), [Warning::NoNegatives { method: "end-to-end training" }]);
}

#[test]
fn a_bank_scores_against_old_slots_and_then_averages_its_own() {
    let device = Device::flex().autodiff();
    let before = bank(0.25, &device);
    let batch = views(1, &device);
    let slots = read(before.slots());
    let queries = read(normalize(before.query.embed(batch.query.clone())));
    let (after, outcome) = before.contrast(batch.clone()).unwrap();
    assert_eq!(outcome.negatives, 9);
    let now = read(after.slots());
    for sample in 0..SAMPLES {
        let range = sample * DIM..(sample + 1) * DIM;
        let Some(row) = batch.samples.iter().position(|&other| other == sample) else {
            assert_eq!(now[range.clone()], slots[range], "the slot of sample {sample}, which is not in the batch");
            continue;
        };
        let query = &queries[row * DIM..(row + 1) * DIM];
        let mixed: Vec<f64> = slots[range.clone()].iter().zip(query).map(|(v, q)| 0.25 * v + 0.75 * q).collect();
        let length = mixed.iter().map(|value| value * value).sum::<f64>().sqrt();
        let expected: Vec<f64> = mixed.iter().map(|value| value / length).collect();
        assert_close(&now[range], &expected, 1e-6, "the slot of a sample of the batch");
    }
}

/// The positive is the sample's own old slot, the negatives are old slots of samples outside the batch.
#[test]
fn a_banks_loss_is_that_of_old_slots() {
    let device = Device::flex().autodiff();
    let batch = views(1, &device);
    // As many negatives as there are samples outside the batch: which ones is no question.
    let config =
        MemoryBankConfig { dim: DIM, negatives: SAMPLES - BATCH, loss: InfoNce::new(0.2), ..Default::default() };
    let method = config.init(Network::plain(1, &device), SAMPLES, &device).unwrap();
    let slots: Vec<Tensor<2>> = method.slots().split(1, 0);
    let own = batch.samples.iter().map(|&sample| slots[sample].clone()).collect();
    let others = (0..SAMPLES).filter(|sample| !batch.samples.contains(sample)).map(|sample| slots[sample].clone());
    let query = normalize(method.query.embed(batch.query.clone()));
    let expected = InfoNce::new(0.2).info_nce(query, Tensor::cat(own, 0), Tensor::cat(others.collect(), 0)).unwrap();
    let outcome = method.contrast(batch).unwrap().1;
    assert!((scalar(&outcome.loss) - scalar(&expected.loss)).abs() < 1e-5);
}

/// What exact replay elsewhere needs: the draw of each step from its public name.
#[test]
fn a_banks_negatives_are_those_of_their_stream() {
    let device = Device::flex().autodiff();
    let config = MemoryBankConfig { dim: DIM, negatives: 3, decay: 1.0, seed: 5, ..Default::default() };
    let mut method = config.init(Network::plain(1, &device), SAMPLES, &device).unwrap();
    for step in 0..3 {
        let batch = views(1, &device);
        let slots: Vec<Tensor<2>> = method.slots().split(1, 0);
        let these = |samples: &[usize]| Tensor::cat(samples.iter().map(|&sample| slots[sample].clone()).collect(), 0);
        let drawn = negatives(SAMPLES, 3, &batch.samples, 5, step);
        let query = normalize(method.query.embed(batch.query.clone()));
        let expected = InfoNce::default().info_nce(query, these(&batch.samples), these(&drawn)).unwrap();
        let outcome;
        (method, outcome) = method.contrast(batch).unwrap();
        assert!((scalar(&outcome.loss) - scalar(&expected.loss)).abs() < 1e-5, "step {step}");
    }
}

#[test]
fn negatives_are_drawn_anew_at_each_step_by_seed() {
    let device = Device::flex().autodiff();
    let method = bank(1.0, &device);
    let (second, first_loss) = method.clone().contrast(views(1, &device)).unwrap();
    let again = method.contrast(views(1, &device)).unwrap().1;
    assert_eq!(scalar(&again.loss), scalar(&first_loss.loss));
    // The slots have not moved (decay 1): what differs is the draw.
    let other = second.contrast(views(1, &device)).unwrap().1;
    assert_ne!(scalar(&other.loss), scalar(&first_loss.loss));
}

#[test]
fn a_bank_trains() {
    let device = Device::flex().autodiff();
    let mut method = bank(0.5, &device);
    let mut optimizer = optimizer();
    let mut losses = Vec::new();
    for seed in 0..60 {
        let outcome;
        (method, outcome) = method.step(views(seed % 4, &device), &mut optimizer, 0.02).unwrap();
        losses.push(scalar(&outcome.loss));
    }
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
    assert!(mean(&losses[50..]) < mean(&losses[..10]), "{losses:?}");
    assert_eq!((method.steps(), method.diagnose(1, 1)), (60, vec![]));
}

#[test]
fn batches_that_a_bank_cannot_place_are_refused() {
    let device = Device::flex().autodiff();
    let error = |samples: Vec<usize>| {
        let batch = ViewPair { samples, ..views(1, &device) };
        refused(bank(0.5, &device), batch)
    };
    assert_eq!(error(vec![0; 5]), ContrastiveError::Count { what: "samples", found: 5, expected: 6 });
    let unknown = EmaError::UnknownSample { sample: 20, samples: 20 };
    assert_eq!(error(vec![0, 1, 2, 3, 4, 20]), ContrastiveError::Average(unknown));
    assert_eq!(error(vec![0, 1, 2, 3, 4, 2]), ContrastiveError::RepeatedSample { sample: 2 });
    let many = MemoryBankConfig { dim: DIM, negatives: 15, ..Default::default() };
    let many = many.init(Network::plain(1, &device), SAMPLES, &device).unwrap();
    let error = many.contrast(views(1, &device)).unwrap_err();
    assert_eq!(error.to_string(), "negatives is 15: it must be at most 14, the number of samples outside the batch");
}
