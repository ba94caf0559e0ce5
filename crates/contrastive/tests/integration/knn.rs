//! kNN beside a brute-force loop.

use burn::tensor::{Device, Tensor, TensorData};
use proptest::prelude::*;
use slowburn_contrastive::ContrastiveError;
use slowburn_contrastive::evaluation::{FeatureSet, KnnConfig, Representation};

use crate::support::{matrix, numbers};

fn set(values: Vec<f32>, dim: usize, labels: Vec<usize>) -> FeatureSet {
    FeatureSet::new(matrix(values, dim, &Device::flex()), labels, Representation::Features).unwrap()
}

/// Votes by the definition: sort all of the bank by cosine, of equals the smaller index first, and let k vote.
fn oracle(bank: &[Vec<f64>], labels: &[usize], query: &[f64], k: usize, temperature: f64, classes: usize) -> Vec<f64> {
    let length = |row: &[f64]| row.iter().map(|value| value * value).sum::<f64>().sqrt();
    let dot = |row: &[f64]| row.iter().zip(query).map(|(a, b)| a * b).sum::<f64>();
    let mut all: Vec<(f64, usize)> =
        bank.iter().enumerate().map(|(index, row)| (dot(row) / (length(row) * length(query)), index)).collect();
    // Cosines that f32 cannot tell apart are equal.
    let rounded = |cosine: f64| (cosine * 1e6).round() as i64;
    all.sort_by_key(|&(cosine, index)| (-rounded(cosine), index));
    let mut votes = vec![0.0; classes];
    for &(cosine, index) in &all[..k] {
        votes[labels[index]] += (cosine / temperature).exp();
    }
    votes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Small whole numbers, so that equal vectors and equal cosines abound.
    #[test]
    fn equals_brute_force(
        bank in prop::collection::vec((1i8..3, -1i8..2, 0usize..5), 1..30),
        queries in prop::collection::vec((1i8..3, -1i8..2), 1..6),
        share in 0.0f64..1.0, temperature in 0.05f64..1.0,
    ) {
        let k = 1 + (share * (bank.len() - 1) as f64) as usize;
        let row = |x: i8, y: i8| vec![f64::from(x), f64::from(y)];
        let flat = |rows: &[Vec<f64>]| rows.iter().flatten().map(|&value| value as f32).collect::<Vec<_>>();
        let labels: Vec<usize> = bank.iter().map(|&(_, _, label)| label).collect();
        let bank: Vec<Vec<f64>> = bank.iter().map(|&(x, y, _)| row(x, y)).collect();
        let queries: Vec<Vec<f64>> = queries.iter().map(|&(x, y)| row(x, y)).collect();
        let (bank_set, query_set) = (set(flat(&bank), 2, labels.clone()), set(flat(&queries), 2, vec![0; queries.len()]));
        let ours = KnnConfig { k, temperature }.votes(&bank_set, &query_set, 5).unwrap();
        for (ours, query) in ours.iter().zip(&queries) {
            let expected = oracle(&bank, &labels, query, k, temperature, 5);
            let (total, expected_total): (f64, f64) = (ours.iter().sum(), expected.iter().sum());
            for (ours, expected) in ours.iter().zip(&expected) {
                // Shares, as ours are in units of the nearest one's vote; cosines of f32 over temperatures of 0.05.
                prop_assert!((ours / total - expected / expected_total).abs() < 1e-4, "{ours} {expected}");
            }
        }
    }
}

/// More queries and bank vectors than a block holds; every answer is known.
#[test]
fn blocks_do_not_show() {
    let (bank, queries, classes) = (40_000, 600, 1000);
    let direction = |index: usize| {
        let angle = index as f32 * std::f32::consts::TAU / classes as f32;
        [angle.cos(), angle.sin()]
    };
    // Class c lies in the direction c, again and again through the bank: its nearest are the first of its class.
    let rows = |n: usize, stride: usize| (0..n).flat_map(|i| direction(i * stride % classes)).collect::<Vec<_>>();
    let bank_set = set(rows(bank, 1), 2, (0..bank).map(|index| index % classes).collect());
    let query_set = set(rows(queries, 7), 2, (0..queries).map(|index| index * 7 % classes).collect());
    let report = KnnConfig { k: 40, temperature: 0.1 }.evaluate(&bank_set, &query_set).unwrap();
    assert_eq!(report.accuracy, 1.0);
    assert_eq!((report.bank, report.queries, report.classes, report.dim), (bank, queries, classes, 2));
}

#[test]
fn of_equal_neighbours_the_first_and_of_equal_votes_the_smaller_class_wins() {
    let bank = |labels: Vec<usize>| set([1.0, 0.0].repeat(labels.len()), 2, labels);
    let query = set(vec![2.0, 0.0], 2, vec![0]);
    let predict = |k, labels| KnnConfig { k, temperature: 0.1 }.predict(&bank(labels), &query).unwrap();
    assert_eq!(predict(1, vec![3, 1, 2]), [3], "the first row");
    assert_eq!(predict(3, vec![3, 1, 2]), [1], "one vote each");
    assert_eq!(predict(3, vec![2, 1, 2]), [2]);
    assert_eq!(predict(2, vec![2, 1, 2]), [1]);
}

#[test]
fn classes_that_the_bank_lacks_are_misses_and_are_named() {
    let bank = set(vec![1.0, 0.0, 0.0, 1.0], 2, vec![0, 2]);
    // Class 1 lies between, class 7 beyond what the bank knows.
    let queries = set(vec![1.0, 0.1, 0.1, 1.0, 1.0, 0.2, 1.0, 0.3], 2, vec![0, 2, 1, 7]);
    let report = KnnConfig { k: 1, temperature: 0.07 }.evaluate(&bank, &queries).unwrap();
    assert_eq!(report.accuracy, 0.5);
    assert_eq!(report.missing_classes, [1, 7]);
    assert_eq!(report.classes, 8);
    // And a class that only the bank has harms nothing.
    let bank = set(vec![1.0, 0.0, 0.0, 1.0, -1.0, 0.0], 2, vec![0, 2, 9]);
    let queries = set(vec![1.0, 0.1], 2, vec![0]);
    let report = KnnConfig { k: 3, temperature: 0.07 }.evaluate(&bank, &queries).unwrap();
    assert_eq!((report.accuracy, report.classes), (1.0, 10));
    assert!(report.missing_classes.is_empty());
}

#[test]
fn the_length_of_vectors_does_not_matter_and_no_temperature_overflows() {
    let values = numbers(3, 60);
    let scaled: Vec<f32> = values.iter().enumerate().map(|(i, value)| value * (1 + i / 3) as f32).collect();
    let labels: Vec<usize> = (0..20).map(|sample| sample % 4).collect();
    let queries = set(numbers(4, 15), 3, vec![0; 5]);
    for temperature in [1e-4, 0.07, 10.0] {
        let knn = KnnConfig { k: 7, temperature };
        let one = knn.votes(&set(values.clone(), 3, labels.clone()), &queries, 4).unwrap();
        let two = knn.votes(&set(scaled.clone(), 3, labels.clone()), &queries, 4).unwrap();
        let predicted = knn.predict(&set(values.clone(), 3, labels.clone()), &queries).unwrap();
        assert_eq!(predicted, knn.predict(&set(scaled.clone(), 3, labels.clone()), &queries).unwrap());
        assert!(one.iter().chain(&two).flatten().all(|vote| vote.is_finite()), "τ {temperature}");
    }
}

#[test]
fn the_report_holds_every_setting() {
    let bank = FeatureSet::new(
        Tensor::from_data(TensorData::new(numbers(1, 40), [10, 4]), &Device::flex()),
        vec![0; 10],
        Representation::Embedding,
    )
    .unwrap();
    let report = KnnConfig { k: 3, temperature: 0.07 }.evaluate(&bank, &bank).unwrap();
    let json = serde_json::to_value(&report).unwrap();
    for (field, value) in [
        ("accuracy", serde_json::json!(1.0)),
        ("k", serde_json::json!(3)),
        ("temperature", serde_json::json!(0.07)),
        ("similarity", serde_json::json!("cosine")),
        ("representation", serde_json::json!("embedding")),
        ("dim", serde_json::json!(4)),
        ("bank", serde_json::json!(10)),
        ("queries", serde_json::json!(10)),
    ] {
        assert_eq!(json[field], value, "{field}");
    }
    assert_eq!(KnnConfig::default(), KnnConfig { k: 200, temperature: 0.1 });
}

#[test]
fn settings_and_sets_that_do_not_fit_are_refused() {
    let bank = set(numbers(1, 12), 3, vec![0, 1, 2, 3]);
    let evaluate = |k, temperature| KnnConfig { k, temperature }.evaluate(&bank, &bank);
    assert!(evaluate(4, 0.1).is_ok());
    for (k, temperature) in [(0, 0.1), (5, 0.1), (1, 0.0), (1, f64::NAN)] {
        assert!(matches!(evaluate(k, temperature), Err(ContrastiveError::OutOfRange { .. })), "{k} {temperature}");
    }
    let error = evaluate(5, 0.1).unwrap_err();
    assert_eq!(error.to_string(), "k is 5: it must be at most 4, the number of bank vectors");
    assert_eq!(evaluate(0, 0.1).unwrap_err().to_string(), "k is 0: it must be at least 1");
    let other = set(numbers(1, 4), 2, vec![0, 1]);
    let error = KnnConfig { k: 1, temperature: 0.1 }.evaluate(&bank, &other).unwrap_err();
    assert_eq!(error, ContrastiveError::Dim { found: 2, expected: 3 });
    let error = KnnConfig { k: 1, temperature: 0.1 }.votes(&bank, &bank, 3).unwrap_err().to_string();
    assert_eq!(error, "classes is 3: it must be at least 4, one more than the largest class of the bank");
}
