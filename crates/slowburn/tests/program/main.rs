//! The program as a person runs it.

mod chosen;
mod conduct;
mod encoder;
mod evaluate;
mod few_labels;
mod mistakes;
mod no_labels;
mod photos;
mod predict;
mod predictors;
mod program;
mod resume;
mod scoring;
mod views;
mod weights;
