//! Batches for training with burn-train instead (feature `burn-train`).
//!
//! [`EpochLoader`] is a burn-train `DataLoader` over the batches of a task, [`ImageSetLoader`] one over images for validation;
//! the methods' own types (`ContrastiveLearning`, `SemiSupervised`) are burn-train's `TrainStep` and `InferenceStep`. What
//! burn-train's loop lacks, and what of burn-train [`Trainer`](crate::Trainer) uses, is in `docs/burn-train.md` of the
//! repository.

mod epoch;
mod images;
mod items;

pub use epoch::EpochLoader;
pub use images::ImageSetLoader;
