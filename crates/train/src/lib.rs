#![doc = include_str!("../README.md")]

pub mod data;
pub mod defaults;
pub mod monitor;
pub mod progress;
pub mod run;
pub mod task;
pub mod trainer;

pub use data::Labeled;
pub use monitor::embed;
pub use progress::Reporter;
pub use task::{FewLabels, Fit, Pretrain, Task, TaskError};
pub use trainer::{Algorithm, OptimizerConfig, TrainError, Trained, Trainer, TrainerConfig};
