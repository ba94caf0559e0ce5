//! The program as a person runs it.

mod encoder;
mod evaluate;
mod few_labels;
mod no_labels;
mod predict;
mod program;
mod resume;
mod scoring;
mod views;
