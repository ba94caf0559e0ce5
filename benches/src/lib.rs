//! What the benchmarks share: backends, the work that is measured, and what is made of the times.

pub mod backend;
pub mod stats;
pub mod work;
