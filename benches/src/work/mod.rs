//! The work that is measured: set up once on a device, with fixed seeds, and then repeated.
//!
//! Every piece is a [`Run`], which criterion's benches, `compare` and `sweep` call alike.

pub mod average;
pub mod contrast;
pub mod drop_in;
pub mod floor;
pub mod images;
#[cfg(feature = "flex")]
pub mod kernels;
pub mod load;
pub mod networks;
pub mod optimizer;
pub mod passes;
#[cfg(feature = "flex")]
pub mod peak;
pub mod queue;
pub mod steps;

/// Does a piece of work once and waits for the device. Returns how many images, updates, losses or steps that were.
pub type Run = Box<dyn FnMut() -> anyhow::Result<usize>>;

/// Of every network's first weights, and of all noise.
pub const SEED: u64 = 1;
