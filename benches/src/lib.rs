//! What the benchmarks share: backends, the work that is measured, and what is made of the times.

pub mod backend;
pub mod stats;
pub mod work;

use slowburn_models::{ResNet, ResNetConfig};

/// A network on the first backend, on autodiff as in training.
///
/// # Errors
/// Those of [`work::average::student`], and if no backend was built in.
pub fn student(config: &ResNetConfig) -> anyhow::Result<ResNet> {
    Ok(work::average::student(config, &backend::first()?.device)?)
}
