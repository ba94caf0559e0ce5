use burn::module::Module;
use serde::{Deserialize, Serialize};

/// How long training takes, in optimizer steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Steps {
    /// From one epoch to the next.
    pub per_epoch: usize,
    /// In all.
    pub total: u64,
}

impl Steps {
    /// The number of epochs; the last may be cut short.
    pub fn epochs(&self) -> u64 {
        self.total.div_ceil(self.per_epoch as u64)
    }

    /// The number of steps in an epoch, counted from 0.
    pub fn in_epoch(&self, epoch: u64) -> u64 {
        let done = epoch * self.per_epoch as u64;
        (self.total - done.min(self.total)).min(self.per_epoch as u64)
    }
}

/// A seed for one step of a run: SplitMix64's output function over both numbers.
pub fn mix(seed: u64, step: u64) -> u64 {
    let mut z = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(step).wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The module with every parameter initialised: Burn does it when one is first read, from wherever the device's
/// generator is then.
pub fn read_all<M: Module>(module: M) -> M {
    drop(module.clone().into_record());
    module
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_epoch_has_what_is_left() {
        let steps = Steps { per_epoch: 4, total: 10 };
        assert_eq!(steps.epochs(), 3);
        assert_eq!([0, 1, 2, 3].map(|epoch| steps.in_epoch(epoch)), [4, 4, 2, 0]);
    }
}
