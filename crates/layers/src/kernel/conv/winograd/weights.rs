//! Weights at the points.

use std::ops::Range;

use pulp::Simd;

use super::transform::{ALL, APART, Kernel, Scheme, StridedKernel, WEIGHTS, both};
use crate::kernel::conv::weights::{Direction, TOGETHER, Weights};
use crate::kernel::product::{Pair, pairs};
use crate::kernel::scratch::Scratch;

/// Taps of a kernel.
const TAPS: usize = 9;

/// Numbers from point to point of weights `[point][channel][panel]`.
pub(super) fn weights_apart(channels: usize, panel: usize) -> usize {
    channels * panel + APART.next_multiple_of(panel)
}

/// Writes the weights of a panel of lanes and some summed channels as `[point][channel][panel]`; the numbers of channels
/// and lanes that do not exist are zeros.
#[inline(always)]
pub(super) fn at_points<S: Simd>(
    simd: S,
    scheme: Scheme,
    source: &Weights<'_>,
    panel: usize,
    channels: Range<usize>,
    out: &mut [Pair<S>],
) {
    let width = 2 * S::F32_LANES;
    let (count, first) = (channels.len(), panel * width);
    let apart = weights_apart(count, width) / width;
    let own = width.min(source.lanes() - first);
    let mut across = Scratch::zeros(TOGETHER * TAPS * width);
    for start in (0..count).step_by(TOGETHER) {
        let some = channels.start + start..channels.end.min(channels.start + start + TOGETHER);
        let existing = some.start.min(source.summed())..some.end.min(source.summed());
        if existing.len() < TOGETHER {
            across.fill(0.0);
        }
        source.lay_across(simd, [first, own], existing, &mut across, width);
        let pairs = pairs::<S>(&across);
        for (number, kernel) in pairs.chunks_exact(TAPS).take(some.len()).enumerate() {
            for vector in 0..2 {
                let mut taps = [[simd.splat_f32s(0.0); 3]; 3];
                for tap in 0..TAPS {
                    // Turned by half a turn for the gradient to the input.
                    let from = if source.direction == Direction::Forward { tap } else { TAPS - 1 - tap };
                    taps[tap / 3][tap % 3] = kernel[from][vector];
                }
                let points = match scheme {
                    Scheme::Plain => both::<S, Kernel, 3, WEIGHTS>(simd, taps),
                    _ => both::<S, StridedKernel, 3, WEIGHTS>(simd, taps),
                };
                for point in 0..ALL {
                    out[point * apart + start + number][vector] = points[point / WEIGHTS][point % WEIGHTS];
                }
            }
        }
    }
}
