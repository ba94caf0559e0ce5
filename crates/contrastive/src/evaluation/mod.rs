//! Scores of a frozen encoder, each with everything it depends on.
//!
//! [`extract`] computes features once, in evaluation mode, whatever mode the encoder is in; [`KnnConfig`],
//! [`ProbeConfig`] and [`SweepConfig`] score them, [`spread`] shows a collapse. [`Fingerprint`] proves that the encoder
//! did not change. [`renew_statistics`] makes batch normalisation ready for images other than those of training.

mod features;
mod knn;
mod probe;
mod statistics;
mod sweep;
mod unchanged;

pub use features::{FeatureSet, Representation, Spread, extract, spread};
pub use knn::{KnnConfig, KnnReport};
pub use probe::{Probe, ProbeConfig, ProbeReport, ProbeSchedule};
pub use statistics::renew_statistics;
pub use sweep::{Candidate, SweepConfig, SweepReport};
pub use unchanged::Fingerprint;
