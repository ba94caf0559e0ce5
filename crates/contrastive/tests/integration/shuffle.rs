//! Shuffled keys: what they do with splits of the batch, and that they do nothing without.

use burn::tensor::Device;
use proptest::prelude::*;
use slowburn_contrastive::{Contrastive, Moco, MocoConfig, Warning, permutation};
use slowburn_models::HeadVersion;

use crate::support::{BATCH, DIM, Network, assert_close, config, read, views};

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
    fn a_permutation_holds_every_index_once(n in 0usize..300, seed: u64, step: u64, purpose in 0u64..4) {
        let order = permutation(n, seed, step, purpose);
        prop_assert_eq!(&order, &permutation(n, seed, step, purpose));
        let mut sorted = order;
        sorted.sort_unstable();
        prop_assert_eq!(sorted, (0..n).collect::<Vec<_>>());
    }
}

#[test]
fn every_place_is_equally_likely() {
    let mut counts = [[0u32; 4]; 4];
    for step in 0..4000 {
        for (place, index) in permutation(4, 7, step, 0).into_iter().enumerate() {
            counts[place][index] += 1;
        }
    }
    // A thousand each, with a deviation of 27: five of them.
    assert!(counts.iter().flatten().all(|&count| (860..1140).contains(&count)), "{counts:?}");
}
