//! Shuffled keys: what they do with splits of the batch, and that they do nothing without.

use burn::tensor::{Device, Tensor};
use proptest::prelude::*;
use slowburn_contrastive::{
    Batch, Contrastive, Encode, EndToEnd, EndToEndConfig, MemoryBankConfig, Moco, MocoConfig, Stream, ViewPair,
    Warning, normalize, permutation,
};
use slowburn_models::HeadVersion;

use crate::support::{BATCH, DIM, Network, assert_close, config, read, scalar, views};

fn split_moco(splits: usize, shuffle: bool, seed: u64, device: &Device) -> Moco<Network> {
    let query = Network::new(1, HeadVersion::V1, splits, 0.0, device);
    MocoConfig { shuffle, seed, queue: 24, ..config() }.init(query, device).unwrap()
}

/// The keys of the same batch at the first steps, the encoders staying as they are.
fn keys(splits: usize, shuffle: bool, seed: u64) -> Vec<Vec<f64>> {
    let device = Device::flex().autodiff();
    let mut moco = split_moco(splits, shuffle, seed, &device);
    let mut found = Vec::new();
    for _ in 0..4 {
        let row = moco.queue.pointer();
        moco = moco.contrast(views(1, &device)).unwrap().0;
        found.push(read(moco.queue.rows())[row * DIM..][..BATCH * DIM].to_vec());
    }
    found
}

#[test]
fn shuffling_changes_keys_with_splits_only() {
    let (plain, shuffled) = (keys(2, false, 3), keys(2, true, 3));
    assert_ne!(shuffled, plain);
    assert_eq!(keys(2, true, 3), shuffled, "a pure function of seed and step");
    assert_ne!(keys(2, true, 4), shuffled, "of the seed");
    assert!(shuffled.iter().any(|keys| keys != &shuffled[0]), "and of the step");
    for (ours, expected) in keys(1, true, 3).iter().zip(&keys(1, false, 3)) {
        // The same numbers, put back in order: only the order of sums differs.
        assert_close(ours, expected, 2e-6, "without splits");
    }
}

fn end_to_end(splits: usize, shuffle: bool, seed: u64, device: &Device) -> EndToEnd<Network> {
    let query = Network::new(1, HeadVersion::V1, splits, 0.0, device);
    EndToEndConfig { shuffle, seed, ..EndToEndConfig::default() }.init(query, device).unwrap()
}

/// Losses of the same batch at the first steps, the encoder staying as it is, and the gradients of both views.
fn losses(mut method: EndToEnd<Network>) -> Vec<[Vec<f64>; 3]> {
    let device = Device::flex().autodiff();
    (0..4)
        .map(|_| {
            let batch = views(1, &device);
            let inputs = [batch.query.require_grad(), batch.key.require_grad()];
            let batch = ViewPair { query: inputs[0].clone(), key: inputs[1].clone(), samples: vec![] };
            let outcome;
            (method, outcome) = method.clone().contrast(batch).unwrap();
            let gradients = outcome.loss.backward();
            let [query, key] = inputs.map(|input| read(input.grad(&gradients).unwrap()));
            [read(outcome.loss), query, key]
        })
        .collect()
}

#[test]
fn shuffling_changes_the_end_to_end_loss_with_splits_only() {
    let device = Device::flex().autodiff();
    let found = |splits, shuffle, seed| losses(end_to_end(splits, shuffle, seed, &device));
    let (plain, shuffled) = (found(2, false, 3), found(2, true, 3));
    assert_ne!(shuffled, plain);
    assert_eq!(found(2, true, 3), shuffled, "a pure function of seed and step");
    assert_ne!(found(2, true, 4), shuffled, "of the seed");
    assert!(shuffled.iter().any(|step| step != &shuffled[0]), "and of the step");
    assert!(plain.iter().all(|step| step == &plain[0]));
    for (ours, expected) in found(1, true, 3).iter().zip(&found(1, false, 3)) {
        // Rows and their gradients are back in order: only the order of sums over the batch differs.
        for (ours, expected) in ours.iter().zip(expected) {
            assert_close(ours, expected, 1e-5, "without splits");
        }
    }
}

/// Beside embeddings that each split of the shuffled batch gives on its own.
#[test]
fn the_second_view_of_end_to_end_has_the_company_that_the_permutation_says() {
    let device = Device::flex().autodiff();
    let method = end_to_end(2, true, 4, &device);
    let batch = views(1, &device);
    let split = |rows: &[usize]| {
        // One split of three samples alone is the whole batch of a network without splits.
        let network = Network::new(1, HeadVersion::V1, 1, 0.0, &device);
        read(normalize(network.embed(batch.key.clone().pick(rows))))
    };
    let company =
        |order: &[usize]| [0, 1].map(|first| order.iter().copied().skip(first).step_by(2).collect::<Vec<_>>());
    let order = permutation(BATCH, 4, 0, Stream::Keys);
    let [even, odd] = company(&order);
    assert!(even.iter().any(|row| row % 2 == 0) && even.iter().any(|row| row % 2 == 1), "{order:?} mixes the splits");
    let mut second = vec![0.0f32; BATCH * DIM];
    for rows in [even, odd] {
        for (row, embedding) in rows.iter().zip(split(&rows).chunks(DIM)) {
            for (place, value) in second[row * DIM..].iter_mut().zip(embedding) {
                *place = *value as f32;
            }
        }
    }
    let second = crate::support::matrix(second, DIM, &device);
    let first: Tensor<2> = normalize(method.query.embed(batch.query.clone()));
    let expected = method.config().loss.nt_xent(first, second).unwrap();
    let outcome = method.contrast(batch).unwrap().1;
    // Embeddings of unit length over a temperature of 0.07, in f32.
    assert_close(&[scalar(&outcome.loss)], &[scalar(&expected.loss)], 1e-5, "the loss");
}

#[test]
fn end_to_end_is_warned_of_as_moco_is_and_a_bank_is_not() {
    let device = Device::flex().autodiff();
    let diagnose = |splits, shuffle| end_to_end(splits, shuffle, 0, &device).diagnose(1000, 100);
    assert!(EndToEndConfig::default().shuffle, "as in the paper");
    assert_eq!(diagnose(2, true), []);
    assert_eq!(diagnose(1, false), []);
    assert_eq!(diagnose(1, true), [Warning::ShuffleWithoutEffect]);
    assert_eq!(diagnose(2, false), [Warning::SplitsWithoutShuffle { splits: 2 }]);
    let query = Network::new(1, HeadVersion::V1, 2, 0.0, &device);
    let bank = MemoryBankConfig { dim: DIM, negatives: 9, ..Default::default() }.init(query, 20, &device).unwrap();
    assert_eq!(bank.diagnose(20, BATCH), []);
}

#[test]
fn what_is_probably_not_meant_is_said() {
    let device = Device::flex().autodiff();
    let diagnose = |splits, shuffle| split_moco(splits, shuffle, 0, &device).diagnose(1000, 100);
    assert_eq!(diagnose(2, true), []);
    assert_eq!(diagnose(1, false), []);
    assert_eq!(diagnose(1, true), [Warning::ShuffleWithoutEffect]);
    assert_eq!(diagnose(2, false), [Warning::SplitsWithoutShuffle { splits: 2 }]);
    assert!(Warning::ShuffleWithoutEffect.to_string().contains("no effect"));

    // 24 keys: more than 29 samples less a batch of 6. Below, 15 keys, with two a sample: they are of 8 samples.
    let moco = split_moco(2, true, 0, &device);
    let warning = Warning::QueueHoldsPositives { queue: 24, samples: 29, batch: 6 };
    assert!(warning.to_string().contains("more than 23 samples"), "{warning}");
    assert!(warning.to_string().contains("none only if every epoch has the same order"), "{warning}");
    assert_eq!(moco.diagnose(29, 6), [warning]);
    assert_eq!(moco.diagnose(30, 6), []);
    let query = Network::new(1, HeadVersion::V1, 2, 0.0, &device);
    let symmetric = MocoConfig { symmetric: true, ..config() }.init(query, &device).unwrap();
    assert_eq!(symmetric.diagnose(20, 6), []);
    assert_eq!(symmetric.diagnose(13, 6).len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_permutation_holds_every_index_once(n in 0usize..300, seed: u64, step: u64, second: bool) {
        let stream = if second { Stream::SecondKeys } else { Stream::Keys };
        let order = permutation(n, seed, step, stream);
        prop_assert_eq!(&order, &permutation(n, seed, step, stream));
        let mut sorted = order;
        sorted.sort_unstable();
        prop_assert_eq!(sorted, (0..n).collect::<Vec<_>>());
    }
}

#[test]
fn every_place_is_equally_likely() {
    let mut counts = [[0u32; 4]; 4];
    for step in 0..4000 {
        for (place, index) in permutation(4, 7, step, Stream::Keys).into_iter().enumerate() {
            counts[place][index] += 1;
        }
    }
    // A thousand each, with a deviation of 27: five of them.
    assert!(counts.iter().flatten().all(|&count| (860..1140).contains(&count)), "{counts:?}");
}
