//! Integration tests.

mod data;
mod evaluate;
mod layers;
mod mean_teacher;
mod moco;
mod program;
mod resume;
mod views;
