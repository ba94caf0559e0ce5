//! Random draws that are pure functions of what they are for.

use burn::tensor::{Device, Tensor, TensorData};

/// SplitMix64's output function (Steele et al., *Fast splittable pseudorandom number generators*, 2014).
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

/// What numbers are drawn for. Each has a stream of its own under a seed, so that draws for one purpose never change those for another.
///
/// These names let you repeat every draw of this crate elsewhere: draws are pure functions of
/// (seed, step, stream, index).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stream {
    /// The order in which keys are encoded: of MoCo's first direction, and of end-to-end training's second view. By step.
    Keys = 0,
    /// That of the second direction of a symmetric loss. By step.
    SecondKeys = 1,
    /// A memory bank's negatives, by step: [`negatives`].
    Negatives = 2,
    /// The rows that a queue or a memory bank starts with. Step 0.
    Rows = 3,
    /// The weights that a linear probe starts with. Step 0.
    ProbeWeights = 4,
    /// The order of a linear probe's training samples. By epoch.
    ProbeOrder = 5,
    /// The order of which a learning-rate sweep holds the first of each class out. Step 0.
    HeldOut = 6,
}

/// The `index`-th number of a stream.
pub(crate) fn draw(seed: u64, step: u64, stream: Stream, index: u64) -> u64 {
    mix(mix(mix(mix(seed) ^ step) ^ stream as u64) ^ index)
}

/// A permutation of `0..n`, a pure function of `(seed, step, stream)`: indices sorted by their draws.
///
/// MoCo shuffles the key batch of step t with `permutation(n, seed, t, Stream::Keys)`, a linear probe goes through its `n`
/// samples in epoch e by `permutation(n, seed, e, Stream::ProbeOrder)`.
///
/// ```
/// use slowburn_contrastive::{Stream, permutation};
///
/// let mut order = permutation(8, 1, 0, Stream::Keys);
/// assert_eq!(order, permutation(8, 1, 0, Stream::Keys));
/// assert_ne!(order, permutation(8, 1, 1, Stream::Keys));
/// assert_ne!(order, permutation(8, 1, 0, Stream::SecondKeys));
/// order.sort();
/// assert_eq!(order, [0, 1, 2, 3, 4, 5, 6, 7]);
/// ```
pub fn permutation(n: usize, seed: u64, step: u64, stream: Stream) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by_cached_key(|&index| (draw(seed, step, stream, index as u64), index));
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

/// The samples whose slots a memory bank's step takes as negatives: `count` of `samples` that are not in the `batch`, in the
/// stream [`Stream::Negatives`]. All there are, where there are fewer.
///
/// By the first steps of a Fisher-Yates shuffle.
pub fn negatives(samples: usize, count: usize, batch: &[usize], seed: u64, step: u64) -> Vec<usize> {
    use std::collections::{HashMap, HashSet};
    let excluded: HashSet<usize> = batch.iter().copied().collect();
    let mut moved: HashMap<usize, usize> = HashMap::new();
    let mut chosen = Vec::with_capacity(count);
    for position in 0..samples {
        if chosen.len() == count {
            break;
        }
        // The modulus of a 64-bit draw favours small numbers by less than samples/2⁶⁴.
        let other =
            position + (draw(seed, step, Stream::Negatives, position as u64) % (samples - position) as u64) as usize;
        let at = |place: usize| moved.get(&place).copied().unwrap_or(place);
        let (value, here) = (at(other), at(position));
        moved.insert(other, here);
        if !excluded.contains(&value) {
            chosen.push(value);
        }
    }
    chosen
}

/// `n` numbers from a normal distribution, by Box and Muller's transform, in a stream of `seed`.
pub(crate) fn normals(n: usize, seed: u64, stream: Stream) -> Vec<f32> {
    let uniform = |index: u64| ((draw(seed, 0, stream, index) >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    (0..n as u64)
        .map(|index| {
            let radius = (-2.0 * uniform(2 * index).ln()).sqrt();
            (radius * (std::f64::consts::TAU * uniform(2 * index + 1)).cos()) as f32
        })
        .collect()
}

/// `[rows, dim]` random directions, in the stream [`Stream::Rows`]: normal numbers, each row scaled to length 1.
pub(crate) fn directions(rows: usize, dim: usize, seed: u64, device: &Device) -> Tensor<2> {
    let mut values = normals(rows * dim, seed, Stream::Rows);
    for row in values.chunks_exact_mut(dim) {
        let length = row.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt();
        row.iter_mut().for_each(|value| *value = (f64::from(*value) / length) as f32);
    }
    Tensor::from_data(TensorData::new(values, [rows, dim]), &device.clone().without_autodiff())
}
