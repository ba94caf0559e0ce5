//! k-means on points of unit length.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::distinct::Distinct;
use super::rows::dot;

/// Iterations at most.
const ITERATIONS: usize = 20;
/// It ends when at most one point of so many has changed its cluster.
const SETTLED: usize = 1000;

/// Puts each of the points into one of at most `k` clusters; gives the number of each one's cluster.
///
/// Lloyd's iterations from centres that are drawn far from each other (k-means++, Arthur and Vassilvitskii 2007), both weighted.
/// The outcome depends on the seed and not on the number of threads.
pub(super) fn clusters(points: &Distinct, of: &[usize], weights: Option<&[f32]>, k: usize, seed: u64) -> Vec<usize> {
    if k >= of.len() {
        return (0..of.len()).collect();
    }
    let dim = points.dim;
    let mut centers = seeded(points, of, weights, k, seed);
    let mut assigned = vec![usize::MAX; of.len()];
    for _ in 0..ITERATIONS {
        let next = nearest(points, of, &centers);
        let changed = next.iter().zip(&assigned).filter(|(a, b)| a != b).count();
        assigned = next;
        if changed <= of.len() / SETTLED {
            break;
        }
        let mut members = vec![Vec::new(); k];
        assigned.iter().enumerate().for_each(|(place, &cluster)| members[cluster].push(place));
        centers
            .par_chunks_exact_mut(dim)
            .zip(&members)
            .filter(|(_, members)| !members.is_empty())
            .for_each(|(center, members)| mean(points, of, weights, members, center));
    }
    assigned
}

fn weight(weights: Option<&[f32]>, place: usize) -> f64 {
    weights.map_or(1.0, |weights| f64::from(weights[place]))
}

/// The weighted mean of points, summed in their order.
fn mean(points: &Distinct, of: &[usize], weights: Option<&[f32]>, members: &[usize], center: &mut [f32]) {
    let (mut sums, mut total) = (vec![0.0_f64; center.len()], 0.0);
    for &place in members {
        let weight = weight(weights, place);
        total += weight;
        sums.iter_mut().zip(points.row(of[place])).for_each(|(sum, &value)| *sum += weight * f64::from(value));
    }
    center.iter_mut().zip(sums).for_each(|(value, sum)| *value = (sum / total) as f32);
}

/// The cluster of each point: that of the nearest centre, of equally near ones the first.
fn nearest(points: &Distinct, of: &[usize], centers: &[f32]) -> Vec<usize> {
    let dim = points.dim;
    let halves: Vec<f32> = centers.chunks_exact(dim).map(|center| dot(center, center) / 2.0).collect();
    of.par_iter()
        .map(|&point| {
            // ‖x − c‖² = ‖x‖² − 2 (x·c − ‖c‖²/2): the largest of these is nearest.
            let row = points.row(point);
            let near = centers.chunks_exact(dim).zip(&halves).map(|(center, half)| dot(row, center) - half);
            let best = near.enumerate().reduce(|best, next| if next.1 > best.1 { next } else { best });
            best.map_or(0, |(cluster, _)| cluster)
        })
        .collect()
}

/// Centres that are points: each is drawn with a probability that grows with the square of its distance to those before it.
fn seeded(points: &Distinct, of: &[usize], weights: Option<&[f32]>, k: usize, seed: u64) -> Vec<f32> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut centers = Vec::with_capacity(k * points.dim);
    let mut squares = vec![1.0_f32; of.len()];
    for number in 0..k {
        let total: f64 =
            squares.iter().enumerate().map(|(place, &square)| weight(weights, place) * f64::from(square)).sum();
        let mut rest = random.random::<f64>() * total;
        let mut chosen = None;
        for (place, &square) in squares.iter().enumerate().filter(|(_, square)| **square > 0.0) {
            rest -= weight(weights, place) * f64::from(square);
            // Rounding may leave a little of the rest: then it is the last one.
            chosen = Some(place);
            if rest < 0.0 {
                break;
            }
        }
        let center = of[chosen.unwrap_or(number)];
        centers.extend_from_slice(points.row(center));
        squares.par_iter_mut().zip(of).for_each(|(square, &point)| {
            let distance = points.distance(point, center);
            let first = number == 0;
            *square = if first { distance * distance } else { square.min(distance * distance) };
        });
    }
    centers
}
