#![doc = include_str!("../README.md")]
// On docs.rs, items say which feature they need.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod adam;
mod error;
mod kernel;
mod lars;
mod sgd;

pub use adam::{Betas, RampedAdam, RampedAdamConfig};
pub use error::OptimError;
pub use lars::{Lars, LarsConfig};
pub use sgd::{FusedSgd, FusedSgdConfig, FusedSgdState, Velocity};

// The derive of `RecordState` names these at the root of the crate that it is used in.
use burn::optim::{RecordState, StateSink, StateSource, join_path};
