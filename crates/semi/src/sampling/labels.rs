use rand::seq::SliceRandom;

use super::generator;
use crate::SemiError;

const PURPOSE: u64 = 1;

/// Chooses `count` labelled samples, the same number from each class, by seed.
///
/// `labels` holds the label of every sample that has one. If `count` is not a multiple of `classes`, the classes
/// that give one more are chosen by the seed too. The result is sorted. A smaller count with the same seed chooses a
/// subset of each class's share.
///
/// # Errors
/// - [`SemiError::NoLabels`] if `count` or the number of labelled samples is 0;
/// - [`SemiError::LabelOutOfRange`] if a label is not below `classes`;
/// - [`SemiError::TooManyLabels`] if there are fewer labelled samples than `count`;
/// - [`SemiError::ClassTooSmall`] if a class has fewer than its share.
pub fn choose_balanced(
    labels: &[Option<usize>],
    classes: usize,
    count: usize,
    seed: u64,
) -> Result<Vec<usize>, SemiError> {
    let mut by_class = vec![Vec::new(); classes];
    for (sample, label) in labels.iter().enumerate() {
        if let Some(label) = *label {
            by_class.get_mut(label).ok_or(SemiError::LabelOutOfRange { sample, label, classes })?.push(sample);
        }
    }
    let available = by_class.iter().map(Vec::len).sum();
    if count == 0 || available == 0 {
        return Err(SemiError::NoLabels);
    }
    if count > available {
        return Err(SemiError::TooManyLabels { asked: count, available });
    }

    let mut order: Vec<usize> = (0..classes).collect();
    order.shuffle(&mut generator(seed, PURPOSE, u64::MAX, 0));
    let mut chosen = Vec::with_capacity(count);
    for (rank, &class) in order.iter().enumerate() {
        let samples = &mut by_class[class];
        let share = count / classes + usize::from(rank < count % classes);
        if samples.len() < share {
            return Err(SemiError::ClassTooSmall { class, available: samples.len(), asked: share });
        }
        samples.shuffle(&mut generator(seed, PURPOSE, class as u64, 0));
        chosen.extend(&samples[..share]);
    }
    chosen.sort_unstable();
    Ok(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(per_class: usize, classes: usize) -> Vec<Option<usize>> {
        (0..per_class * classes).map(|sample| Some(sample % classes)).collect()
    }

    #[test]
    fn every_class_gives_the_same_number() {
        let labels = labels(50, 10);
        let chosen = choose_balanced(&labels, 10, 100, 7).expect("enough of each");
        for class in 0..10 {
            assert_eq!(chosen.iter().filter(|&&sample| labels[sample] == Some(class)).count(), 10);
        }
    }

    #[test]
    fn the_seed_alone_decides() {
        let labels = labels(50, 10);
        let choose = |seed| choose_balanced(&labels, 10, 40, seed).expect("enough of each");
        assert_eq!(choose(1), choose(1));
        assert_ne!(choose(1), choose(2));
    }

    #[test]
    fn a_remainder_goes_to_different_classes() {
        let labels = labels(5, 10);
        let chosen = choose_balanced(&labels, 10, 13, 0).expect("enough of each");
        let per_class: Vec<usize> =
            (0..10).map(|class| chosen.iter().filter(|&&s| labels[s] == Some(class)).count()).collect();
        assert_eq!(per_class.iter().filter(|&&n| n == 2).count(), 3);
        assert_eq!(per_class.iter().filter(|&&n| n == 1).count(), 7);
    }

    #[test]
    fn impossible_requests_say_why() {
        let mut few = labels(5, 2);
        few.retain(|label| *label == Some(0));
        few.push(Some(1));
        assert_eq!(choose_balanced(&few, 2, 4, 0), Err(SemiError::ClassTooSmall { class: 1, available: 1, asked: 2 }));
        assert_eq!(choose_balanced(&few, 2, 0, 0), Err(SemiError::NoLabels));
        assert_eq!(choose_balanced(&[None, None], 2, 1, 0), Err(SemiError::NoLabels));
        assert_eq!(choose_balanced(&few, 2, 7, 0), Err(SemiError::TooManyLabels { asked: 7, available: 6 }));
        assert_eq!(
            choose_balanced(&[Some(0), Some(2)], 2, 1, 0),
            Err(SemiError::LabelOutOfRange { sample: 1, label: 2, classes: 2 })
        );
    }
}
