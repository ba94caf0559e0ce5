//! Choices on made-up features, against scalar loops and invariants.

use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::distinct::Distinct;
use super::*;

/// Points around directions of the plane and one of height 1: `sizes[i]` of them around the i-th.
fn blobs(sizes: &[usize], spread: f32) -> Vec<f32> {
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let mut values = Vec::new();
    for (blob, &size) in sizes.iter().enumerate() {
        let angle = blob as f32 * 2.0 * std::f32::consts::PI / sizes.len() as f32;
        for _ in 0..size {
            let mut noise = || spread * (random.random::<f32>() - 0.5);
            values.extend([angle.cos() + noise(), angle.sin() + noise(), 0.3 + noise()]);
        }
    }
    values
}

fn rows(values: &[f32]) -> Rows<'_> {
    Rows::new(values, 3).expect("finite")
}

/// The blob of an image.
fn blob_of(index: usize, sizes: &[usize]) -> usize {
    let mut end = 0;
    sizes
        .iter()
        .position(|size| {
            end += size;
            index < end
        })
        .expect("a blob")
}

fn indices(choices: &[Choice]) -> Vec<usize> {
    choices.iter().map(|choice| choice.index).collect()
}

/// Typicality by its definition, over the images of one blob.
fn by_definition(values: &[f32], members: std::ops::Range<usize>, image: usize) -> f64 {
    let unit = |index: usize| {
        let row = &values[3 * index..3 * index + 3];
        let length = row.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
        row.iter().map(|v| f64::from(*v) / length).collect::<Vec<f64>>()
    };
    let here = unit(image);
    let mut distances: Vec<f64> = members
        .filter(|&other| other != image)
        .map(|other| here.iter().zip(unit(other)).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt())
        .collect();
    distances.sort_by(f64::total_cmp);
    let k = distances.len().min(20);
    k as f64 / distances[..k].iter().sum::<f64>()
}

#[test]
fn each_blob_gives_its_most_typical_image_the_largest_first() {
    let sizes = [30, 80, 50];
    let values = blobs(&sizes, 0.2);
    let choices = typical(rows(&values), &[], 3, 7).expect("fine");
    let starts = [0, 30, 110];
    for (choice, blob) in choices.iter().zip([1, 2, 0]) {
        let members = starts[blob]..starts[blob] + sizes[blob];
        let best = members
            .clone()
            .max_by(|&a, &b| {
                by_definition(&values, members.clone(), a).total_cmp(&by_definition(&values, members.clone(), b))
            })
            .expect("a member");
        assert_eq!(choice.index, best, "blob {blob}");
        let expected = by_definition(&values, members, best);
        // Distances of 0.05 in 32 bits: five digits.
        assert!((f64::from(choice.score) / expected - 1.0).abs() < 1e-4, "{} for {expected}", choice.score);
    }
    assert_eq!(choices[0].reason, "typical of a group of 80 without a label");
}

#[test]
fn groups_with_a_label_come_last() {
    let sizes = [60, 50, 40, 30];
    let values = blobs(&sizes, 0.2);
    // The largest two have labels.
    let choices = typical(rows(&values), &[3, 70], 2, 0).expect("fine");
    let chosen: Vec<usize> = indices(&choices).into_iter().map(|index| blob_of(index, &sizes)).collect();
    assert_eq!(chosen, [2, 3]);
}

#[test]
fn copies_count_once_and_come_when_nothing_else_is_left() {
    let mut values = blobs(&[6, 6], 0.2);
    for _ in 0..30 {
        values.extend_from_within(0..3);
    }
    let choices = typical(rows(&values), &[1], 100, 0).expect("fine");
    assert_eq!(choices.len(), 41, "all but the labelled one");
    let copies = choices.iter().position(|choice| choice.index >= 12).expect("a copy");
    assert_eq!(copies, 11, "behind everything else");
    assert!(choices[copies].reason.ends_with("those of image 0"), "{}", choices[copies].reason);
    // A copy of a labelled image is no better.
    let few = typical(rows(&values), &[0], 11, 0).expect("fine");
    assert!(few.iter().all(|choice| choice.index < 12));
}

#[test]
fn a_cluster_larger_than_the_sample_gives_one_of_its_densest() {
    // 3,000 points, the first 60 of which lie close together.
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut values = Vec::new();
    for image in 0..3000 {
        let spread = if image % 50 == 0 { 0.01 } else { 1.0 };
        values.extend([1.0, spread * (random.random::<f32>() - 0.5), spread * (random.random::<f32>() - 0.5)]);
    }
    let choice = &typical(rows(&values), &[], 1, 0).expect("fine")[0];
    assert_eq!(choice.index % 50, 0, "image {}", choice.index);
}

#[test]
fn uncertain_images_are_chosen_one_from_each_group() {
    let sizes = [20, 20, 20];
    let values = blobs(&sizes, 0.1);
    // The margin grows with the image's number in its blob; the third blob is certain.
    let probabilities: Vec<f32> = (0..60)
        .flat_map(|image| {
            let margin = if image < 40 { 0.02 * (image % 20) as f32 + 0.01 * (image / 20) as f32 } else { 0.96 };
            [0.5 - margin / 2.0, 0.5 + margin / 2.0]
        })
        .collect();
    let classes = ["cat", "dog"].map(str::to_owned);
    let probabilities = Rows::new(&probabilities, 2).expect("finite");
    let choices = uncertain(rows(&values), probabilities, &classes, &[], 2, 0).expect("fine");
    assert_eq!(
        indices(&choices),
        [0, 20],
        "the least certain of two groups, though 1 is less certain than 20 of another"
    );
    assert_eq!(choices[1].reason, "dog (50 %) or cat (50 %)");
    assert!((choices[1].score - 0.99).abs() < 1e-6);
    let after = uncertain(rows(&values), probabilities, &classes, &[0, 20], 2, 0).expect("fine");
    assert_eq!(indices(&after), [1, 21]);
}

#[test]
fn clusters_are_those_of_exhaustive_search() {
    let sizes = [5, 4];
    let values = blobs(&sizes, 0.3);
    let points = Distinct::new(rows(&values), &[]).expect("fine");
    let cost = |labels: &[usize]| -> f64 {
        (0..2)
            .map(|cluster| {
                let members: Vec<&[f32]> = (0..9).filter(|&i| labels[i] == cluster).map(|i| points.row(i)).collect();
                let mean: Vec<f64> = (0..3)
                    .map(|axis| {
                        members.iter().map(|row| f64::from(row[axis])).sum::<f64>() / members.len().max(1) as f64
                    })
                    .collect();
                let square =
                    |row: &&[f32]| row.iter().zip(&mean).map(|(a, b)| (f64::from(*a) - b).powi(2)).sum::<f64>();
                members.iter().map(square).sum::<f64>()
            })
            .sum()
    };
    let best = (0..1 << 9).map(|bits: usize| cost(&(0..9).map(|i| bits >> i & 1).collect::<Vec<_>>()));
    let best = best.fold(f64::INFINITY, f64::min);
    let all: Vec<usize> = (0..9).collect();
    let found = kmeans::clusters(&points, &all, None, 2, 3);
    assert!((cost(&found) - best).abs() < 1e-9, "{} for {best}", cost(&found));
}

#[test]
fn weights_move_centres() {
    // Three points on a line: with a heavy middle, it stands alone.
    let values = [1.0, 0.0, 0.0, 1.0, 0.1, 0.0, 1.0, 0.25, 0.0];
    let points = Distinct::new(rows(&values), &[]).expect("fine");
    for seed in 0..10 {
        let found = kmeans::clusters(&points, &[0, 1, 2], Some(&[1.0, 1000.0, 1.0]), 2, seed);
        assert_eq!(found.len(), 3);
        assert_ne!(found[0], found[2], "the ends are never together");
    }
}

#[test]
fn what_does_not_fit_is_named() {
    let classes = ["a", "b"].map(str::to_owned);
    let error = Rows::new(&[1.0, f32::NAN], 1).expect_err("no number").to_string();
    assert_eq!(error, "row 1 has the value NaN, allowed: finite numbers");
    assert!(matches!(Rows::new(&[1.0; 5], 2), Err(ChooseError::Shape { values: 5, dim: 2 })));
    assert!(matches!(Rows::new(&[], 0), Err(ChooseError::Shape { .. })));
    let values = [1.0; 6];
    let (features, half) = (rows(&values), [0.5; 4]);
    let probabilities = Rows::new(&half, 2).expect("finite");
    assert_eq!(typical(features, &[2], 1, 0), Err(ChooseError::NoSuchImage { index: 2, len: 2 }));
    let of = |probabilities, classes: &[String]| uncertain(features, probabilities, classes, &[], 1, 0);
    assert!(of(probabilities, &classes).is_ok());
    assert!(matches!(of(probabilities, &classes[..1]), Err(ChooseError::Classes { columns: 2, classes: 1 })));
    let three = Rows::new(&[0.5; 6], 2).map(|rows| of(rows, &classes));
    assert_eq!(three, Ok(Err(ChooseError::Counts { features: 2, probabilities: 3 })));
    let wrong = Rows::new(&[0.5, 0.5, 1.5, 0.0], 2).map(|rows| of(rows, &classes));
    assert_eq!(wrong, Ok(Err(ChooseError::Probability { row: 1, value: 1.5 })));
}

#[test]
fn nothing_wanted_or_nothing_there_is_nothing() {
    let values = blobs(&[5], 0.1);
    assert_eq!(typical(rows(&values), &[], 0, 0), Ok(Vec::new()));
    assert_eq!(typical(rows(&[]), &[], 4, 0), Ok(Vec::new()));
    assert_eq!(typical(rows(&values), &[0, 1, 2, 3, 4], 4, 0), Ok(Vec::new()));
    assert_eq!(typical(rows(&[0.0; 9]), &[], 2, 0).map(|choices| indices(&choices)), Ok(vec![0, 1]), "zeros");
}

#[test]
fn few_labels_ask_for_typical_images_and_more_for_uncertain_ones() {
    assert_eq!([automatic(0, 0), automatic(99, 10)], [By::Typical; 2]);
    assert_eq!([automatic(100, 10), automatic(20, 2)], [By::Uncertain; 2]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn choices_are_distinct_unlabelled_enough_and_the_same_again(
        // Small numbers: copies are frequent.
        values in prop::collection::vec(-2_i8..3, 0..40).prop_map(|v| v.into_iter().map(f32::from).collect::<Vec<f32>>()),
        labeled in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        count in 0_usize..30,
        seed in any::<u64>(),
        first in prop::collection::vec(0.0_f32..=1.0, 20),
    ) {
        let features = Rows::new(&values[..values.len() / 2 * 2], 2).expect("finite");
        let len = features.len();
        let labeled: Vec<usize> = if len == 0 { Vec::new() } else { labeled.iter().map(|index| index.index(len)).collect() };
        let probabilities: Vec<f32> = (0..len).flat_map(|row| [first[row], 1.0 - first[row]]).collect();
        let probabilities = Rows::new(&probabilities, 2).expect("finite");
        let classes = ["a", "b"].map(str::to_owned);
        let mut known = labeled.clone();
        known.sort_unstable();
        known.dedup();
        let both = || [
            typical(features, &labeled, count, seed).expect("fine"),
            uncertain(features, probabilities, &classes, &labeled, count, seed).expect("fine"),
        ];
        for choices in both() {
            let mut chosen = indices(&choices);
            chosen.sort_unstable();
            chosen.dedup();
            prop_assert_eq!(chosen.len(), choices.len(), "distinct");
            prop_assert_eq!(choices.len(), count.min(len - known.len()));
            prop_assert!(chosen.iter().all(|index| *index < len && !known.contains(index)));
            prop_assert!(choices.iter().all(|choice| choice.score.is_finite() && choice.score >= 0.0));
        }
        prop_assert_eq!(both(), both());
        let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread").install(both);
        prop_assert_eq!(both(), alone);
    }
}
