//! Few labels, from a pre-trained encoder and from scratch: where the two halves of the project meet.

mod cli;
mod parts;
mod summary;
mod views;

pub use cli::{Cli, run};
pub use parts::{Recipe, Start};
pub use summary::{Accuracies, Summary};
