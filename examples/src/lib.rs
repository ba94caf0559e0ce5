//! The two studies among the examples: MoCo's parts varied one at a time, and why consistency helps.

pub mod ablation;
mod spread;
pub mod why;
