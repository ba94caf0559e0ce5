use std::path::Path;

use anyhow::Result;
use rayon::prelude::*;

use super::Features;
use crate::images::Prepared;
use crate::sheet::contact::{Thumb, write_rows};

/// An image that is like another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Neighbour {
    /// Its place among the features.
    pub place: usize,
    /// Cosine of the two features, in [-1, 1].
    pub similarity: f32,
}

/// The `count` images whose features have the largest cosine with that of each query, itself left out; of equal ones the first.
pub fn nearest(features: &Features, queries: &[usize], count: usize) -> Vec<Vec<Neighbour>> {
    let images = features.samples.len();
    let lengths: Vec<f32> = (0..images)
        .map(|place| features.row(place).iter().map(|value| value * value).sum::<f32>().sqrt().max(f32::MIN_POSITIVE))
        .collect();
    let of = |&query: &usize| {
        let row = features.row(query);
        let mut found: Vec<Neighbour> = (0..images)
            .filter(|&place| place != query)
            .map(|place| {
                let dot: f32 = row.iter().zip(features.row(place)).map(|(a, b)| a * b).sum();
                Neighbour { place, similarity: dot / (lengths[query] * lengths[place]) }
            })
            .collect();
        let nearer = |a: &Neighbour, b: &Neighbour| b.similarity.total_cmp(&a.similarity).then(a.place.cmp(&b.place));
        if found.len() > count {
            found.select_nth_unstable_by(count, nearer);
            found.truncate(count);
        }
        found.sort_by(nearer);
        found
    };
    queries.par_iter().map(of).collect()
}

/// Draws each query beside its neighbours.
pub(super) fn draw(
    path: &Path,
    queries: &[usize],
    found: &[Vec<Neighbour>],
    features: &Features,
    prepared: &Prepared,
) -> Result<()> {
    let mut buffers = slowburn_augment::loader::ReadBuffers::default();
    let mut thumb = |place: usize, second: String| -> Result<Thumb> {
        let sample = features.samples[place];
        let image = prepared.named.source.read(sample, &mut buffers)?.image;
        Thumb::new(image, vec![prepared.named.names[sample].clone(), second])
    };
    let mut rows = Vec::new();
    for (query, near) in queries.iter().zip(found) {
        let mut row = vec![thumb(*query, "query".to_owned())?];
        for neighbour in near {
            row.push(thumb(neighbour.place, format!("cosine {:.3}", neighbour.similarity))?);
        }
        rows.push(row);
    }
    write_rows(path, "images beside those that are most alike", &rows)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_by_angle_come_first() {
        let rows = [[1.0, 0.0], [10.0, 1.0], [0.0, 2.0], [-1.0, 0.0], [0.0, 0.0]];
        let features = Features { samples: (0..5).collect(), values: rows.concat(), dim: 2 };
        let found = nearest(&features, &[0, 2], 3);
        let places = |row: &[Neighbour]| row.iter().map(|near| near.place).collect::<Vec<_>>();
        assert_eq!(places(&found[0]), [1, 2, 4], "of two at a right angle the first, and a zero feature is no error");
        assert!((found[0][0].similarity - 10.0 / 101f32.sqrt()).abs() < 1e-6);
        assert_eq!(places(&found[1])[0], 1);
        assert_eq!(nearest(&features, &[0], 99)[0].len(), 4);
    }
}
