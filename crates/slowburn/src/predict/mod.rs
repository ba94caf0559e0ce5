//! Classes and probabilities of new images.

mod cli;
mod confusion;
mod rows;

pub use cli::{Cli, Format, Network, run};
pub use confusion::Confusion;
