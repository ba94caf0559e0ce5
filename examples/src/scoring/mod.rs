//! What an encoder is worth: images as an encoder sees them in evaluation, features, and their scores.

mod features;
mod images;
mod projection;
mod spread;

pub use features::{ScoredSets, Scores, Scoring, pixels};
pub use images::{test_images, training_images};
pub use projection::{Projection, principal_plane};
pub(crate) use spread::{percent, spread};
