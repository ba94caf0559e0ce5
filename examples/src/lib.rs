//! The two studies among the examples: MoCo's parts varied one at a time, and why consistency helps.

pub mod ablation;
mod spread;
pub mod why;

/// The README's code runs as a test.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
