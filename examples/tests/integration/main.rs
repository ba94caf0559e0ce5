//! Integration tests.

mod data;
mod layers;
mod mean_teacher;
mod moco;
mod program;
mod resume;
mod views;
