#![doc = include_str!("../README.md")]
// On docs.rs, items say which feature they need.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "burn-train")]
pub mod burn_train;
pub mod data;
pub mod defaults;
pub mod monitor;
pub mod progress;
pub mod run;
pub mod task;
pub mod trainer;

pub use slowburn_augment as augment;
pub use slowburn_contrastive as contrastive;
pub use slowburn_ema as ema;
pub use slowburn_layers as layers;
pub use slowburn_models as models;
pub use slowburn_optim as optim;
pub use slowburn_semi as semi;

pub use data::Labeled;
pub use monitor::embed;
pub use progress::Reporter;
pub use task::{FewLabels, Fit, Pretrain, Task, TaskError};
pub use trainer::{Algorithm, OptimizerConfig, TrainError, Trained, Trainer, TrainerConfig};
