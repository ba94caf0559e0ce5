//! Random draws that are pure functions of what they are for.

/// SplitMix64's output function (Steele et al., *Fast splittable pseudorandom number generators*, 2014).
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

/// The `index`-th number of a stream that `seed`, `step` and `purpose` name.
pub(crate) fn draw(seed: u64, step: u64, purpose: u64, index: u64) -> u64 {
    mix(mix(mix(mix(seed) ^ step) ^ purpose) ^ index)
}

/// A permutation of `0..n`, a pure function of `(seed, step, purpose)`: indices sorted by their draws.
///
/// MoCo shuffles the key batch of step t with `permutation(n, seed, t, d)`, `d` being 0 for the first direction and 1
/// for the second of a symmetric loss; end-to-end training shuffles its second view with `d` 0. Any two programs that
/// agree on these numbers shuffle alike.
///
/// ```
/// use slowburn_contrastive::permutation;
///
/// let mut order = permutation(8, 1, 0, 0);
/// assert_eq!(order, permutation(8, 1, 0, 0));
/// assert_ne!(order, permutation(8, 1, 1, 0));
/// order.sort();
/// assert_eq!(order, [0, 1, 2, 3, 4, 5, 6, 7]);
/// ```
pub fn permutation(n: usize, seed: u64, step: u64, purpose: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by_cached_key(|&index| (draw(seed, step, purpose, index as u64), index));
    order
}

/// The permutation that undoes `order`.
pub(crate) fn inverse(order: &[usize]) -> Vec<usize> {
    let mut back = vec![0; order.len()];
    for (position, &index) in order.iter().enumerate() {
        back[index] = position;
    }
    back
}

/// `count` distinct numbers below `n` that are not in `excluded`, by the first steps of a Fisher-Yates shuffle.
///
/// The caller sees to it that there are as many.
pub(crate) fn sample_without(n: usize, count: usize, excluded: &[usize], seed: u64, step: u64) -> Vec<usize> {
    use std::collections::{HashMap, HashSet};
    let excluded: HashSet<usize> = excluded.iter().copied().collect();
    let mut moved: HashMap<usize, usize> = HashMap::new();
    let mut chosen = Vec::with_capacity(count);
    for position in 0..n {
        if chosen.len() == count {
            break;
        }
        // The modulus of a 64-bit draw favours small numbers by less than n/2⁶⁴.
        let other = position + (draw(seed, step, 2, position as u64) % (n - position) as u64) as usize;
        let at = |place: usize| moved.get(&place).copied().unwrap_or(place);
        let (value, here) = (at(other), at(position));
        moved.insert(other, here);
        if !excluded.contains(&value) {
            chosen.push(value);
        }
    }
    chosen
}

/// `n` numbers from a normal distribution, by Box and Muller's transform, in `purpose`'s stream of `seed`.
pub(crate) fn normals(n: usize, seed: u64, purpose: u64) -> Vec<f32> {
    let uniform = |index: u64| ((draw(seed, 0, purpose, index) >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    (0..n as u64)
        .map(|index| {
            let radius = (-2.0 * uniform(2 * index).ln()).sqrt();
            (radius * (std::f64::consts::TAU * uniform(2 * index + 1)).cos()) as f32
        })
        .collect()
}
