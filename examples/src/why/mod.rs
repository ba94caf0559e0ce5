//! Why a student should agree with a teacher: five trainings on two moons, each with one idea more than the one before.

mod cli;
mod moons;
mod network;
mod recipe;
mod summary;
mod train;

pub use cli::{Cli, run};
pub use moons::Moons;
pub use network::Perceptron;
pub use recipe::{Idea, Recipe};
pub use summary::{Row, Summary};
pub use train::{Outcome, train};
