//! Weights as right factors.

use bytemuck::cast_slice_mut;
use rayon::prelude::*;

use super::round::round;
use super::tile::{FACTOR, SIDE, TERMS};
use crate::kernel::conv::weights::Weights;
use crate::kernel::scratch::Scratch;

/// Output channels whose sums the tiles hold at a time.
pub(super) const PANEL: usize = 2 * SIDE;

/// The weights at `taps` as `[panel][32 channels][tap][two factors]`, filled up with zeros.
pub(super) fn pack(weights: &Weights, taps: &[usize]) -> Scratch {
    let blocks = weights.summed().div_ceil(TERMS);
    let panel = taps.len() * blocks * 2 * FACTOR;
    let mut packed = Scratch::zeros(weights.lanes().div_ceil(PANEL) * panel / 2);
    if panel == 0 {
        return packed;
    }
    let area = weights.kernel[0] * weights.kernel[1];
    packed.par_chunks_mut(panel / 2).enumerate().for_each(|(number, out)| {
        let out: &mut [u16] = cast_slice_mut(out);
        // One block after another: it stays in the first cache, and so do the cache lines of weights that lanes share.
        for (block, out) in out.chunks_exact_mut(taps.len() * 2 * FACTOR).enumerate() {
            let first = block * TERMS;
            for lane in 0..PANEL.min(weights.lanes() - number * PANEL) {
                for term in 0..TERMS.min(weights.summed() - first) {
                    let kernel = &weights.values[weights.at(number * PANEL + lane, first + term)..][..area];
                    let at = (lane / SIDE * SIDE + term / 2) * TERMS + 2 * (lane % SIDE) + term % 2;
                    for (place, &tap) in taps.iter().enumerate() {
                        out[place * 2 * FACTOR + at] = round(kernel[tap]);
                    }
                }
            }
        }
    });
    packed
}
