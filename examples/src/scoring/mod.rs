//! What an encoder is worth: images as an encoder sees them in evaluation, features, and their scores.

mod features;
mod images;
mod projection;
mod spread;

pub use features::{Monitor, ScoredSets, Scores, Scoring, features, pixels};
pub use images::{ImageSet, TestSet, accuracy};
pub use projection::{Projection, principal_plane};
pub(crate) use spread::{percent, spread};
