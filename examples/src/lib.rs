//! Parts shared by the example programs: data, recipes, the training loop, the run folder and its reports.

pub mod ablation;
pub mod advice;
pub mod cli;
pub mod data;
pub mod device;
pub mod evaluate;
pub mod fine_tune;
pub mod moco;
pub mod network;
pub mod recipe;
pub mod report;
pub mod scoring;
pub mod sheet;
pub mod training;
pub mod why;

/// The README's code runs as a test.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
