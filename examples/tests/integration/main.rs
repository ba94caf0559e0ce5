//! Integration tests.

mod ablation;
mod evaluate;
mod fine_tune;
mod layers;
mod mean_teacher;
mod moco;
mod names;
mod predict;
mod program;
mod resume;
mod scoring;
mod views;
mod why_consistency;
