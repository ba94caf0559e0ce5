#![doc = include_str!("../README.md")]
// On docs.rs, items say which feature they need.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod blend;
mod count;
mod detach;
mod ema;
mod error;
mod kernel;
mod path;
mod refused;
mod schedule;
mod state_matrix;

pub use count::StepCount;
pub use detach::{detached_copy, sync_running_state};
pub use ema::{Buffers, Ema, EmaConfig};
pub use error::EmaError;
pub use refused::Refused;
pub use schedule::{Decay, Length, Ramp, RampShape, Schedule, Timeline};
pub use state_matrix::StateMatrix;
