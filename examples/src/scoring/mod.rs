//! What an encoder is worth: images as an encoder sees them in evaluation, features, and their scores.

mod images;
mod spread;

pub use images::{test_images, training_images};
pub(crate) use spread::{percent, spread};
