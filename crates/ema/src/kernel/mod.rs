//! What moves an average: the kernel of a backend where there is one, otherwise plain operations.

#[cfg(feature = "__cube")]
mod cube;
#[cfg(feature = "flex")]
mod flex;
mod moves;
pub(crate) mod plain;

pub(crate) use moves::{Moved, Moves};
