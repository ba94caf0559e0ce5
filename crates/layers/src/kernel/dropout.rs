//! Dropout whose mask is a function of a seed, so that it need not be kept.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::isa::{dispatch, instruction_set};

/// Numbers that share a key.
const PIECE: usize = 1 << 15;

/// `y = x·m/keep`, where m is 1 with probability `keep` and 0 otherwise: a function of `seed` and of the number's place.
/// The gradient to the input is the same function of the gradient to the output.
///
/// # Panics
///
/// If the slices differ in length, or `keep` is not in (0, 1].
pub fn dropout(seed: u64, keep: f64, input: &[f32], output: &mut [f32]) {
    assert_eq!(input.len(), output.len(), "input and output");
    assert!(keep > 0.0 && keep <= 1.0, "keep is {keep}, but must be in (0, 1]");
    let isa = instruction_set();
    let pieces = output.par_chunks_mut(PIECE).zip(input.par_chunks(PIECE)).enumerate();
    pieces.for_each(|(number, (output, input))| {
        dispatch(isa, Piece { key: key(seed, number as u64), keep, input, output });
    });
}

/// SplitMix64 (Steele, Lea & Flood, *Fast splittable pseudorandom number generators*, 2014), of a seed and a number.
fn key(seed: u64, number: u64) -> u64 {
    let mut key = seed.wrapping_add(number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    key = (key ^ (key >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    key = (key ^ (key >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    key ^ (key >> 31)
}

struct Piece<'a> {
    key: u64,
    keep: f64,
    input: &'a [f32],
    output: &'a mut [f32],
}

impl WithSimd for Piece<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let (first, second) = (self.key as u32, (self.key >> 32) as u32);
        let factor = (1.0 / self.keep) as f32;
        // All 2³² where everything is kept.
        let limit = (self.keep * f64::from(u32::MAX)).round() as u32;
        for (place, (output, &input)) in self.output.iter_mut().zip(self.input).enumerate() {
            // Two rounds of multiplications mix every bit of the place into every bit of the result.
            let mut bits = (place as u32).wrapping_mul(0x9e37_79b9) ^ first;
            bits = (bits ^ (bits >> 16)).wrapping_mul(0x7feb_352d);
            bits = (bits ^ (bits >> 15)).wrapping_mul(0x846c_a68b) ^ second;
            bits = (bits ^ (bits >> 16)).wrapping_mul(0x7feb_352d);
            bits ^= bits >> 15;
            *output = input * if bits <= limit { factor } else { 0.0 };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_as_many_as_it_says_and_no_neighbours_together() {
        for keep in [0.1, 0.5, 0.9] {
            let ones = vec![1.0; 1 << 20];
            let mut kept = vec![0.0; ones.len()];
            dropout(7, keep, &ones, &mut kept);
            let is = |at: usize| f64::from(u8::from(kept[at] != 0.0));
            let count = ones.len() as f64;
            let share: f64 = (0..ones.len()).map(is).sum::<f64>() / count;
            // Four standard deviations of a binomial.
            let allowed = 4.0 * (keep * (1.0 - keep) / count).sqrt();
            assert!((share - keep).abs() < allowed, "{share} for {keep}");
            for distance in [1, 2, 16, 64, 4096, PIECE] {
                let both = (0..ones.len() - distance).map(|at| is(at) * is(at + distance)).sum::<f64>();
                let both = both / (ones.len() - distance) as f64;
                assert!((both - keep * keep).abs() < 2.0 * allowed, "{both} for {keep} at {distance}");
            }
        }
    }

    #[test]
    fn the_mask_is_a_function_of_the_seed() {
        let x: Vec<f32> = (0..100_000).map(|value| value as f32).collect();
        let [mut first, mut again, mut other] = [0; 3].map(|_| vec![0.0; x.len()]);
        dropout(3, 0.5, &x, &mut first);
        dropout(3, 0.5, &x, &mut again);
        dropout(4, 0.5, &x, &mut other);
        assert_eq!(first, again);
        assert_ne!(first, other);
        assert!(first.iter().zip(&x).all(|(y, x)| *y == 0.0 || *y == 2.0 * x));
        dropout(3, 1.0, &x, &mut other);
        assert_eq!(other, x);
    }
}
