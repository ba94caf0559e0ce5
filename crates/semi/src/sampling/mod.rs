//! Which samples make a batch, and which of them have labels.

mod labels;
mod two_stream;

pub use labels::choose_balanced;
pub use two_stream::{Mix, TwoStream, TwoStreamBatch};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// A generator for one purpose: the key of the cipher is the four numbers, so that nothing depends on draws made
/// before.
pub(crate) fn generator(seed: u64, purpose: u64, a: u64, b: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    for (bytes, number) in key.chunks_exact_mut(8).zip([seed, purpose, a, b]) {
        bytes.copy_from_slice(&number.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}
