use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher};

use super::rows::dot;
use super::{ChooseError, Rows};

/// Different features, at unit length: images with the same features are one point. A copy that was labelled, or is chosen, says
/// all that its copies would.
pub(super) struct Distinct {
    /// Row-major, [points, dim].
    values: Vec<f32>,
    pub(super) dim: usize,
    /// The images of each point, in ascending order.
    pub(super) images: Vec<Vec<usize>>,
    /// Whether one of them has a label.
    pub(super) labeled: Vec<bool>,
    /// Whether each image has a label.
    has_label: Vec<bool>,
}

impl Distinct {
    pub(super) fn new(features: Rows<'_>, labeled: &[usize]) -> Result<Self, ChooseError> {
        let len = features.len();
        let mut has_label = vec![false; len];
        for &index in labeled {
            *has_label.get_mut(index).ok_or(ChooseError::NoSuchImage { index, len })? = true;
        }
        let mut points =
            Self { values: Vec::new(), dim: features.dim(), images: Vec::new(), labeled: Vec::new(), has_label };
        let mut by_hash: HashMap<u64, Vec<usize>> = HashMap::new();
        for image in 0..len {
            let row = unit(features.row(image));
            let known = by_hash.entry(hash(&row)).or_default();
            match known.iter().find(|&&point| points.row(point) == row) {
                Some(&point) => points.images[point].push(image),
                None => {
                    known.push(points.images.len());
                    points.images.push(vec![image]);
                    points.values.extend_from_slice(&row);
                }
            }
        }
        let has_label = &points.has_label;
        points.labeled = points.images.iter().map(|images| images.iter().any(|&image| has_label[image])).collect();
        Ok(points)
    }

    pub(super) fn len(&self) -> usize {
        self.images.len()
    }

    pub(super) fn row(&self, point: usize) -> &[f32] {
        &self.values[point * self.dim..(point + 1) * self.dim]
    }

    /// The distance of two points, 0 to 2.
    pub(super) fn distance(&self, a: usize, b: usize) -> f32 {
        let (a, b) = (self.row(a), self.row(b));
        // Of near points the product of lengths near 1 loses its digits: the differences do not.
        let product = dot(a, b);
        match product > 0.99 {
            true => a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f32>().sqrt(),
            false => (dot(a, a) + dot(b, b) - 2.0 * product).max(0.0).sqrt(),
        }
    }

    /// Fills up a choice with images whose features have a label, or are chosen, already: `count` in all if there are as many.
    pub(super) fn fill_with_copies(&self, choices: &mut Vec<super::Choice>, count: usize) {
        let mut taken = self.has_label.clone();
        choices.iter().for_each(|choice| taken[choice.index] = true);
        let mut copies: Vec<(usize, usize)> = Vec::new();
        for images in &self.images {
            let of = images.iter().copied().find(|&image| taken[image]);
            copies.extend(images.iter().filter(|&&image| !taken[image]).filter_map(|&image| Some((image, of?))));
        }
        copies.sort_unstable();
        for (index, of) in copies.into_iter().take(count.saturating_sub(choices.len())) {
            let reason = format!("nothing else is left: its features are those of image {of}");
            choices.push(super::Choice { index, reason, score: 0.0 });
        }
    }
}

/// The row at unit length; zeros as they are.
fn unit(row: &[f32]) -> Vec<f32> {
    // In the largest value's unit, so that squares neither overflow nor vanish.
    let largest = row.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    if largest == 0.0 {
        return vec![0.0; row.len()];
    }
    let length = row.iter().map(|value| f64::from(value / largest).powi(2)).sum::<f64>().sqrt();
    // Adding zero makes −0 0.
    row.iter().map(|value| (f64::from(value / largest) / length) as f32 + 0.0).collect()
}

fn hash(row: &[f32]) -> u64 {
    let mut hasher = DefaultHasher::new();
    row.iter().for_each(|value| hasher.write_u32(value.to_bits()));
    hasher.finish()
}
