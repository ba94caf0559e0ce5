//! Which images to label next.

mod choose;
mod cli;

pub use choose::{By, Choice, ChooseError, Rows, automatic, typical, uncertain};
pub use cli::{Cli, run};
