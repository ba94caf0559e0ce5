//! Pre-training without labels: MoCo, the two methods that its paper compares it with, and those that grew out of it.

mod choose;
mod cli;
mod defaults;
mod error;
mod method;
mod part;
mod presets;
mod recipe;
mod run;
mod session;
mod summary;
mod table;

pub use choose::fit_before_training;
pub use cli::Cli;
pub use defaults::fashion;
pub use error::RecipeError;
pub use method::{DEFAULT, Heads, Method, change_method, default_recipe};
pub use presets::{PRESETS, Preset, preset, preset_list};
pub use recipe::{Mask, NetworkConfig, Recipe, Version};
pub use run::{check, run};
pub use session::Session;
pub use summary::{Baseline, Scored, Summary};

use std::path::PathBuf;

use slowburn_train::run::Checkpoint;
use slowburn_train::task::ContrastMetrics;

/// What a run has found out so far.
pub type History = slowburn_train::run::History<ContrastMetrics>;

/// A checkpoint to continue from, and its file.
pub type Resume = (PathBuf, Checkpoint<ContrastMetrics>);
