//! Batches of two streams, and the choice of labels.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use slowburn_semi::{Mix, SemiError, TwoStream, TwoStreamBatch, choose_balanced};

/// How often each sample occurs.
fn counts<'a>(samples: impl IntoIterator<Item = &'a usize>) -> BTreeMap<usize, usize> {
    let mut counts = BTreeMap::new();
    for sample in samples {
        *counts.entry(*sample).or_default() += 1;
    }
    counts
}

fn fixed(labeled: usize, unlabeled: usize, batch: usize, share: usize, seed: u64) -> TwoStream {
    let unlabeled = (labeled..labeled + unlabeled).collect();
    TwoStream::new((0..labeled).collect(), unlabeled, batch, Mix::Fixed { labeled: share }, seed).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_fixed_mix_keeps_its_promises(
        labeled in 1usize..30, unlabeled in 1usize..200, share in 1usize..9, rest in 1usize..20, seed: u64, epoch: u64,
    ) {
        let stream = fixed(labeled, unlabeled, share + rest, share, seed);
        let batches: Vec<TwoStreamBatch> = stream.epoch(epoch).collect();
        prop_assert_eq!(batches.len(), stream.batches());

        let expected = rest.min(unlabeled);
        for batch in &batches {
            prop_assert_eq!((batch.labeled.len(), batch.unlabeled.len()), (share, expected));
            prop_assert_eq!(batch.samples().len(), batch.len());
            prop_assert!(batch.labeled.iter().all(|&sample| sample < labeled));
            prop_assert!(batch.unlabeled.iter().all(|&sample| (labeled..labeled + unlabeled).contains(&sample)));
        }
        let fraction = batches.iter().map(|batch| batch.labeled.len() as f64).sum::<f64>()
            / batches.iter().map(|batch| batch.len() as f64).sum::<f64>();
        prop_assert!((stream.labeled_fraction() - fraction).abs() < 1e-12);

        let seen = counts(batches.iter().flat_map(|batch| &batch.unlabeled));
        prop_assert!(seen.values().all(|&count| count == 1), "at most once an epoch");
        prop_assert!(unlabeled - seen.len() < rest, "all but a remainder");

        let uses = counts(batches.iter().flat_map(|batch| &batch.labeled));
        let least = (0..labeled).map(|sample| uses.get(&sample).copied().unwrap_or(0)).min().unwrap();
        prop_assert!(uses.values().all(|&count| count <= least + 1), "one pass after the other: {:?}", uses);
    }

    #[test]
    fn an_epoch_is_a_function_of_seed_and_epoch(seed: u64, epoch in 0u64..1000, natural: bool) {
        let mix = if natural { Mix::Natural } else { Mix::Fixed { labeled: 3 } };
        let make = |seed| TwoStream::new((0..20).collect(), (20..100).collect(), 10, mix, seed).unwrap();
        let run = |stream: &TwoStream, epoch| stream.epoch(epoch).collect::<Vec<_>>();
        let stream = make(seed);
        let first = run(&stream, epoch);
        run(&stream, epoch + 7);
        prop_assert_eq!(&run(&stream, epoch), &first, "nothing is left of an epoch drawn between");
        prop_assert_eq!(&run(&make(seed), epoch), &first);
        // Two orders of 80 samples agree once in 80!.
        prop_assert_ne!(&run(&stream, epoch + 1), &first);
        prop_assert_ne!(&run(&make(seed ^ 1), epoch), &first);
    }

    #[test]
    fn a_natural_mix_is_one_pass_over_all(
        labeled in 1usize..30, unlabeled in 0usize..100, overlap in 0usize..30, batch in 1usize..20, seed: u64,
    ) {
        // Labelled samples may be in the unlabelled stream too, and still come once.
        let overlap = overlap.min(labeled);
        let rest: Vec<usize> = (labeled - overlap..labeled + unlabeled).collect();
        let stream = TwoStream::new((0..labeled).collect(), rest, batch, Mix::Natural, seed).unwrap();
        let batches: Vec<TwoStreamBatch> = stream.epoch(1).collect();
        let all = labeled + unlabeled;
        prop_assert_eq!(batches.len(), (all / batch).max(1));
        let mut seen = BTreeSet::new();
        for one in &batches {
            prop_assert_eq!(one.len(), batch.min(all));
            prop_assert!(one.samples().into_iter().all(|sample| seen.insert(sample)), "once an epoch");
            prop_assert!(one.labeled.iter().all(|&sample| sample < labeled));
            prop_assert!(one.unlabeled.iter().all(|&sample| sample >= labeled));
        }
        prop_assert!(all - seen.len() < batch);
        prop_assert!((stream.labeled_fraction() - labeled as f64 / all as f64).abs() < 1e-12);
    }

    #[test]
    fn without_unlabelled_samples_batches_are_wholly_labelled(
        labeled in 1usize..60, batch in 1usize..20, share in 1usize..20, natural: bool, seed: u64,
    ) {
        let mix = if natural { Mix::Natural } else { Mix::Fixed { labeled: share.min(batch) } };
        let stream = TwoStream::new((0..labeled).collect(), Vec::new(), batch, mix, seed).unwrap();
        let batches: Vec<TwoStreamBatch> = stream.epoch(3).collect();
        prop_assert_eq!(batches.len(), (labeled / batch).max(1));
        prop_assert_eq!(stream.labeled_fraction(), 1.0);
        prop_assert!(batches.iter().all(|batch| batch.unlabeled.is_empty()));
        if labeled >= batch {
            let seen = counts(batches.iter().flat_map(|batch| &batch.labeled));
            prop_assert!(seen.values().all(|&count| count == 1) && labeled - seen.len() < batch);
        }
    }

    #[test]
    fn balanced_choices_are_balanced_sorted_and_grow(
        classes in 1usize..8, per_class in 4usize..20, fewer in 1usize..12, more in 1usize..12, seed: u64,
    ) {
        let labels: Vec<Option<usize>> = (0..classes * per_class * 2)
            .map(|sample| (sample % 2 == 0).then_some(sample / 2 % classes))
            .collect();
        let most = classes * per_class;
        let (small, large) = (fewer.min(most), (fewer + more).min(most));
        let choose = |count| choose_balanced(&labels, classes, count, seed).unwrap();
        let (small, large) = (choose(small), choose(large));
        for chosen in [&small, &large] {
            prop_assert!(chosen.is_sorted_by(|a, b| a < b), "sorted and distinct");
            let of = |class| chosen.iter().filter(|&&sample| labels[sample] == Some(class)).count();
            for class in 0..classes {
                prop_assert!([chosen.len() / classes, chosen.len().div_ceil(classes)].contains(&of(class)));
            }
        }
        prop_assert!(small.iter().all(|sample| large.contains(sample)), "a larger choice holds the smaller");
    }
}

#[test]
fn labelled_samples_may_be_unlabelled_ones_too() {
    // USB's way: the unlabelled stream holds everything.
    let mix = Mix::Fixed { labeled: 2 };
    let stream = TwoStream::new(vec![3, 1], (0..20).collect(), 6, mix, 0).unwrap();
    let batches: Vec<TwoStreamBatch> = stream.epoch(0).collect();
    let seen = counts(batches.iter().flat_map(|batch| &batch.unlabeled));
    assert_eq!(seen, (0..20).map(|sample| (sample, 1)).collect(), "20 samples in 5 batches of 4");
    assert!(batches.iter().all(|batch| counts(&batch.labeled) == BTreeMap::from([(1, 1), (3, 1)])));
}

#[test]
fn one_labelled_to_mu_unlabelled_is_a_batch_of_their_sum() {
    // FixMatch: B = 4, μ = 7, and the unlabelled stream holds all images, labelled ones included.
    let (b, mu) = (4, 7);
    let stream = TwoStream::new((0..8).collect(), (0..280).collect(), b * (1 + mu), Mix::Fixed { labeled: b }, 0);
    let stream = stream.unwrap();
    assert_eq!((stream.batches(), stream.labeled_fraction()), (10, 0.125));
    for batch in stream.epoch(0) {
        assert_eq!((batch.labeled.len(), batch.unlabeled.len()), (b, mu * b));
        assert_eq!(batch.samples()[..b], batch.labeled, "labelled samples first");
        assert_eq!(counts(&batch.unlabeled).len(), mu * b, "a slot is written once a step");
    }
}

#[test]
fn a_wholly_labelled_batch_leaves_the_unlabelled_samples_alone() {
    let stream = fixed(20, 100, 5, 5, 0);
    assert_eq!((stream.batches(), stream.labeled_fraction()), (4, 1.0));
    let batches: Vec<TwoStreamBatch> = stream.epoch(0).collect();
    assert!(batches.iter().all(|batch| batch.unlabeled.is_empty() && batch.labeled.len() == 5));
    assert_eq!(counts(batches.iter().flat_map(|batch| &batch.labeled)).len(), 20);
}

#[test]
fn impossible_mixes_say_why() {
    let make = |labeled: usize, batch, mix| TwoStream::new((0..labeled).collect(), vec![50, 51], batch, mix, 0);
    assert_eq!(make(0, 4, Mix::Natural).unwrap_err(), SemiError::NoLabels);
    for share in [0, 5] {
        let error = make(2, 4, Mix::Fixed { labeled: share }).unwrap_err();
        assert_eq!(error, SemiError::LabeledBatch { labeled: share, batch: 4 });
    }
    assert!(matches!(make(2, 0, Mix::Natural).unwrap_err(), SemiError::OutOfRange { field: "batch", .. }));
}
