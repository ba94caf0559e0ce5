//! What MoCo's parts bring: a table of accuracies in which one setting at a time differs from the default.

mod cli;
mod grid;
mod table;

pub use cli::{Cli, run};
pub use grid::{Group, Setting, grid};
pub use table::{Row, Summary};
