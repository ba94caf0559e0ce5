#![doc = include_str!("../README.md")]
// In tests an unwrap is an assertion.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod cpu;
mod device;
mod error;
mod geometry;
mod image;
mod key;
#[cfg(feature = "loader")]
pub mod loader;
mod operation;
mod pipeline;
pub mod presets;
mod view;
mod views;

pub use error::Error;
pub use image::{Image, ImageSize};
pub use key::Key;
pub use operation::Operation;
pub use pipeline::Pipeline;
pub use view::{Drawn, View};
pub use views::{ViewGroup, Views, ViewsError};
