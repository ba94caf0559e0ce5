use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::distinct::Distinct;
use super::{Choice, ChooseError, Rows, kmeans};

/// Clusters at most.
const CLUSTERS: usize = 500;
/// Neighbours that typicality is measured by.
const NEIGHBOURS: usize = 20;
/// Clusters of fewer points come last.
const SMALL: usize = 5;
/// Points of a cluster that are looked at. More are not compared with all others but a sample of them is.
const CANDIDATES: usize = 2048;

/// Images that are typical of their group and unlike each other, after TypiClust (Hacohen, Dekel and Weinshall 2022, arXiv
/// 2202.02794, section 3).
///
/// k-means puts the features, at unit length, into as many clusters as there are labelled and wanted images, 500 at most. Then,
/// image by image, the cluster with the fewest labelled and chosen images gives its most typical one, the largest of several
/// such clusters first; clusters of fewer than 5 come last. So clusters without a labelled image are served first. The typicality
/// of `x` is
///
/// ```text
/// ( 1/K · Σ ‖x − xᵢ‖ )⁻¹   over its K nearest xᵢ in the cluster, K = min(20, images of the cluster − 1)
/// ```
///
/// Otherwise than in the paper, images with equal features count once, since a pile of copies would be the most typical of all;
/// and of a cluster of more than 2,048 a random sample of as many is looked at, each with its exact neighbours.
///
/// | Name | Purpose | Range |
/// |---|---|---|
/// | `features` | one row an image | finite |
/// | `labeled` | images that have a label: they are not chosen, and nothing like them first | rows of `features` |
/// | `count` | images to choose; all that have no label, if there are fewer | |
/// | `seed` | of clusters and samples | |
///
/// The first choice is the one that matters most. With one seed the same is chosen, whatever the number of threads.
///
/// # Errors
/// [`ChooseError::NoSuchImage`].
pub fn typical(features: Rows<'_>, labeled: &[usize], count: usize, seed: u64) -> Result<Vec<Choice>, ChooseError> {
    let points = Distinct::new(features, labeled)?;
    let known = points.labeled.iter().filter(|&&labeled| labeled).count();
    let all: Vec<usize> = (0..points.len()).collect();
    let k = known.saturating_add(count).clamp(1, CLUSTERS);
    let assigned = if count == 0 { Vec::new() } else { kmeans::clusters(&points, &all, None, k, seed) };
    let mut clusters: Vec<Cluster> = Vec::new();
    for (point, cluster) in assigned.into_iter().enumerate() {
        if cluster >= clusters.len() {
            clusters.resize_with(cluster + 1, Cluster::default);
        }
        clusters[cluster].members.push(point);
        clusters[cluster].labeled += usize::from(points.labeled[point]);
    }
    let mut choices = Vec::new();
    while choices.len() < count {
        let waiting = clusters.iter_mut().enumerate().filter(|(_, cluster)| cluster.free() > 0);
        let Some((number, cluster)) = waiting.min_by_key(|(number, cluster)| cluster.turn(*number)) else { break };
        let Some((point, typicality)) = cluster.next(&points, seed.wrapping_add(1 + number as u64)) else { break };
        let reason = cluster.reason();
        cluster.chosen += 1;
        choices.push(Choice { index: points.images[point][0], reason, score: typicality });
    }
    points.fill_with_copies(&mut choices, count);
    Ok(choices)
}

/// Points that lie together.
#[derive(Default)]
struct Cluster {
    members: Vec<usize>,
    labeled: usize,
    chosen: usize,
    /// Points without label and how typical they are, the most typical last; those that were not in the sample before them.
    ranked: Option<Vec<(usize, f32)>>,
}

impl Cluster {
    /// Points that can be chosen.
    fn free(&self) -> usize {
        self.members.len() - self.labeled - self.chosen
    }

    /// The cluster for which this is smallest is the next.
    fn turn(&self, number: usize) -> (usize, bool, std::cmp::Reverse<usize>, usize) {
        let size = self.members.len();
        (self.labeled + self.chosen, size < SMALL, std::cmp::Reverse(size), number)
    }

    fn next(&mut self, points: &Distinct, seed: u64) -> Option<(usize, f32)> {
        let members = &self.members;
        self.ranked.get_or_insert_with(|| ranked(points, members, seed)).pop()
    }

    fn reason(&self) -> String {
        let group = format!("typical of a group of {}", self.members.len());
        match self.labeled + self.chosen {
            0 if self.members.len() == 1 => "like no other image".to_owned(),
            0 => format!("{group} without a label"),
            known => format!("{group} with {known} labelled or chosen"),
        }
    }
}

/// The points without label of a cluster, the most typical last.
fn ranked(points: &Distinct, members: &[usize], seed: u64) -> Vec<(usize, f32)> {
    let free: Vec<usize> = members.iter().copied().filter(|&point| !points.labeled[point]).collect();
    let mut looked_at = vec![false; free.len()];
    looked_at.iter_mut().take(CANDIDATES).for_each(|looked_at| *looked_at = true);
    if free.len() > CANDIDATES {
        looked_at.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    }
    let mut ranked: Vec<(usize, f32)> = free
        .par_iter()
        .zip(looked_at)
        .map(|(&point, looked_at)| (point, if looked_at { typicality(points, members, point) } else { 0.0 }))
        .collect();
    // Of equally typical ones the first in order comes first, which is last here.
    ranked.sort_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)));
    ranked
}

/// The inverse of the mean distance to the nearest neighbours in the cluster; 0 without one.
fn typicality(points: &Distinct, members: &[usize], point: usize) -> f32 {
    let mut distances: Vec<f32> =
        members.iter().filter(|&&other| other != point).map(|&other| points.distance(point, other)).collect();
    let k = NEIGHBOURS.min(distances.len());
    if k == 0 {
        return 0.0;
    }
    if k < distances.len() {
        distances.select_nth_unstable_by(k, f32::total_cmp);
    }
    // Nearest first: the sum does not depend on how they were found.
    distances[..k].sort_unstable_by(f32::total_cmp);
    let mean = distances[..k].iter().sum::<f32>() / k as f32;
    1.0 / mean.max(f32::MIN_POSITIVE)
}
