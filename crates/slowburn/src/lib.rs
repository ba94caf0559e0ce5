//! The program's commands as a library: recipes, command lines, reports, and how they drive `slowburn-train`.

pub mod advice;
pub mod check;
pub mod cli;
pub mod data;
pub mod device;
pub mod evaluate;
pub mod fine_tune;
pub mod moco;
pub mod network;
pub mod recipe;
pub mod report;
pub mod runs;
pub mod scoring;
pub mod sheet;
pub mod suggest;
pub mod training;
