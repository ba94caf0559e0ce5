//! The program as a person runs it, and the rules of the house.

mod encoder;
mod evaluate;
mod few_labels;
mod layers;
mod names;
mod no_labels;
mod predict;
mod program;
mod resume;
mod scoring;
mod views;
