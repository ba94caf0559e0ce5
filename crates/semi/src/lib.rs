#![doc = include_str!("../README.md")]

pub mod costs;
mod error;
mod methods;
mod model;
#[cfg(feature = "models")]
mod models;
mod objective;
mod ramp;
mod sampling;

pub use error::Error;
pub use methods::*;
pub use model::{Logits, Predict, SemiBatch};
pub use objective::{Consistency, Losses, Objective, Reduction, Targets};
pub use ramp::Ramp;
pub use sampling::{Mix, TwoStream, TwoStreamBatch, choose_balanced};
