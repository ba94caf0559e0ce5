use std::collections::BTreeMap;

use crate::task::TaskError;
use crate::trainer::mix;

type Labels = Vec<Option<usize>>;

/// Labels to learn from and labels held back: of each class the share, rounded down, drawn by the seed.
///
/// # Errors
/// For a share outside [0, 1), or one of which no class gives a label.
pub fn hold_out(labels: &[Option<usize>], share: f64, seed: u64) -> Result<(Labels, Labels), TaskError> {
    if !(0.0..1.0).contains(&share) {
        return Err(TaskError::other(format!("validation is {share}: it must be in [0, 1)")));
    }
    let mut by_class: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (image, label) in labels.iter().enumerate() {
        by_class.entry(label.unwrap_or(usize::MAX)).or_default().extend(label.map(|_| image));
    }
    let (mut kept, mut held_out) = (labels.to_vec(), vec![None; labels.len()]);
    for (class, mut images) in by_class {
        let count = (share * images.len() as f64) as usize;
        images.sort_by_key(|&image| mix(mix(seed, class as u64), image as u64));
        for &image in &images[..count] {
            held_out[image] = kept[image].take();
        }
    }
    match share > 0.0 && held_out.iter().all(Option::is_none) {
        true => {
            Err(TaskError::other(format!("validation is {share}: no class has so many labels that one is held back")))
        }
        false => Ok((kept, held_out)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_each_class_is_held_back_and_nothing_is_lost() {
        let labels: Labels = (0..50).map(|image| (image < 30).then_some(usize::from(image < 10))).collect();
        let (kept, held_out) = hold_out(&labels, 0.25, 3).expect("enough");
        let count = |labels: &Labels, class| labels.iter().filter(|&&label| label == Some(class)).count();
        assert_eq!([count(&held_out, 0), count(&held_out, 1)], [5, 2]);
        for image in 0..50 {
            assert_eq!(kept[image].or(held_out[image]), labels[image]);
            assert!(kept[image].is_none() || held_out[image].is_none());
        }
        assert_eq!(hold_out(&labels, 0.25, 3).expect("enough").1, held_out);
        assert_ne!(hold_out(&labels, 0.25, 4).expect("enough").1, held_out);
        assert_eq!(hold_out(&labels, 0.0, 3).expect("none").0, labels);
        for share in [1.0, -0.1, f64::NAN, 0.01] {
            assert!(hold_out(&labels, share, 3).is_err(), "{share}");
        }
    }
}
