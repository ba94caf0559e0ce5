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
        for lane in 0..PANEL.min(weights.lanes() - number * PANEL) {
            for channel in 0..weights.summed() {
                let kernel = &weights.values[weights.at(number * PANEL + lane, channel)..][..area];
                let (block, term) = (channel / TERMS, channel % TERMS);
                let at = (lane / SIDE * SIDE + term / 2) * TERMS + 2 * (lane % SIDE) + term % 2;
                for (place, &tap) in taps.iter().enumerate() {
                    out[(block * taps.len() + place) * 2 * FACTOR + at] = round(kernel[tap]);
                }
            }
        }
    });
    packed
}
