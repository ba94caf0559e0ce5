#![doc = include_str!("../README.md")]
// On docs.rs, items say which feature they need.
#![cfg_attr(docsrs, feature(doc_cfg))]
// In tests an unwrap is an assertion.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod cpu;
mod device;
mod error;
mod image;
mod key;
#[cfg(feature = "loader")]
pub mod loader;
mod mixup;
mod operation;
mod pipeline;
mod plan;
pub mod presets;
mod view;
mod views;
#[cfg(feature = "whitening")]
mod whitening;

pub use error::AugmentError;
pub use image::{Image, ImageSize};
pub use key::Key;
pub use mixup::{MixWeights, Mixup, MixupDraw};
pub use operation::{Augment, BlurKernel, Border, Filter, Magnitudes, MaskFill, Operation, ResizeTo, RotationFilter};
pub use pipeline::{Pipeline, PixelArithmetic};
pub use plan::PatchGrid;
pub use view::{Adjustment, Augmented, Drawn, View};
pub use views::{Views, ViewsError};
#[cfg(feature = "whitening")]
pub use whitening::{Whitening, WhiteningConfig, WhiteningError};
