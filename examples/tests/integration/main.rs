//! Integration tests.

mod data;
mod layers;
mod mean_teacher;
mod program;
mod resume;
mod views;
