use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// Everything that a random draw depends on.
///
/// The four numbers are the 32-byte key of a ChaCha8 generator, so a draw is a pure function of them: it depends
/// neither on the thread that makes it nor on the order in which the images of a batch are visited, and a run that
/// is stopped and resumed sees the same views.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Key {
    /// Seed of the run.
    pub seed: u64,
    /// Pass over the data, or any other counter that says "draw again" (the global step, say).
    pub epoch: u64,
    /// Index of the image in its data set.
    pub sample: u64,
    /// Which view of the image: 0 for the student's, 1 for the teacher's, and so on.
    pub view: u64,
}

impl Key {
    /// The generator of one of the 2⁶⁴ independent streams under this key: [`Slot`] says which is whose.
    pub(crate) fn stream(&self, stream: u64) -> ChaCha8Rng {
        let mut bytes = [0; 32];
        for (chunk, number) in bytes.chunks_exact_mut(8).zip([self.seed, self.epoch, self.sample, self.view]) {
            chunk.copy_from_slice(&number.to_le_bytes());
        }
        let mut generator = ChaCha8Rng::from_seed(bytes);
        generator.set_stream(stream);
        generator
    }
}

/// The place of an operation in its pipeline, as far as draws are concerned: parameters come from stream 2·slot,
/// per-pixel values from stream 2·slot + 1, so how much one operation consumes never changes what another one draws.
///
/// Operation `i` has slot `i`, operation `j` in a `RandomApply` at `i` has slot `2³² + 256·i + j`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot(u64);

impl Slot {
    pub(crate) fn top(position: usize) -> Self {
        Self(position as u64)
    }

    /// The slot of operation `index` in this one's list.
    pub(crate) fn nested(self, index: usize) -> Self {
        Self(1 << 32 | self.0 << 8 | index as u64)
    }

    pub(crate) fn parameters(self) -> u64 {
        2 * self.0
    }

    pub(crate) fn pixels(self) -> u64 {
        2 * self.0 + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngCore;

    #[test]
    fn every_number_of_the_key_matters() {
        let key = Key { seed: 1, epoch: 2, sample: 3, view: 4 };
        let others = [
            Key { seed: 9, ..key },
            Key { epoch: 9, ..key },
            Key { sample: 9, ..key },
            Key { view: 9, ..key },
            // The same numbers in other places, and a high byte.
            Key { seed: 2, epoch: 1, ..key },
            Key { view: 4 | 1 << 63, ..key },
        ];
        let first = key.stream(0).next_u64();
        assert_eq!(first, key.stream(0).next_u64());
        assert_ne!(first, key.stream(1).next_u64());
        for other in others {
            assert_ne!(first, other.stream(0).next_u64(), "{other:?}");
        }
    }
}
