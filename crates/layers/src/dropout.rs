//! Dropout of maps.

use burn::nn::Dropout;

use crate::Maps;

/// Sets values to zero at random, as Burn's layer does: `y = x·m/(1 − p)`, m being 0 with probability p.
///
/// The kernels draw one seed from the device and compute the mask from it on all cores, and again for the gradient, so that no mask is
/// kept. Burn draws every value of the mask from the device. Both follow the device's seed, but give different masks.
///
/// # Shapes
///
/// - `maps`: `[N, C, H, W]`
/// - output: the same
pub fn dropout(maps: Maps, dropout: &Dropout) -> Maps {
    #[cfg(feature = "flex")]
    if maps.is_channels_last() {
        // Burn's rule for when dropout is on.
        if !dropout.training.is_enabled() || !maps.device().is_autodiff() || dropout.prob == 0.0 {
            return maps;
        }
        let keep = 1.0 - dropout.prob;
        if keep > 0.0 {
            let (seed, group) = (crate::flex::seed(&maps.device()), maps.group());
            return Maps::channels_last(crate::flex::dropout(maps.into_channels_last(), seed, keep)).grouped(group);
        }
    }
    maps.map(|maps| dropout.forward(maps))
}
