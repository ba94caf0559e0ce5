//! Whether training works: what an encoder makes of images, in numbers and in words.

mod accuracy;
mod concern;
mod embed;
mod encoder;
mod images;
mod rank;

pub use accuracy::accuracies;
pub use concern::{Concern, concerns};
pub use embed::embed;
pub use encoder::{EncoderMonitor, Look, features};
pub use images::{ImageBatch, ImageSet};
pub use rank::effective_rank;
