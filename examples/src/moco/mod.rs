//! Contrastive pre-training without labels: MoCo and the two methods that its paper compares it with.

mod cli;
mod concern;
mod defaults;
mod error;
mod metrics;
mod presets;
mod recipe;
mod session;
mod table;
mod task;

pub use cli::{Cli, run};
pub(crate) use cli::{check, finish};
pub use defaults::fashion;
pub use error::RecipeError;
pub use metrics::{EpochMetrics, Summary};
pub use presets::{PRESETS, Preset, preset, preset_list};
pub use recipe::{Method, NetworkConfig, Recipe, Version};
pub use session::Session;
