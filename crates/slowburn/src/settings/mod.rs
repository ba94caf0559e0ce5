//! A run's settings: what was said by whom, files of them, and the table that a run begins with.

mod announce;
mod config;
mod given;
mod table;

pub use announce::announce;
pub use config::{Config, ConfigError};
pub use given::Given;
pub use table::{Origins, number_in_words, table};
