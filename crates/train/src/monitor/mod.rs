//! Whether training works: what an encoder makes of images, in numbers and in words.

mod accuracy;
mod concern;
mod embed;
mod encoder;
mod images;
mod projection;
mod rank;
mod scoring;

pub use accuracy::accuracies;
pub use concern::{Concern, concerns};
pub use embed::{embed, write_features};
pub use encoder::{EncoderMonitor, Look, features};
pub use images::{ImageBatch, ImageSet};
pub use projection::{Projection, principal_plane};
pub use rank::effective_rank;
pub use scoring::{ScoredSets, Scores, Scoring, pixels};
