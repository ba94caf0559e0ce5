use std::sync::Arc;

use burn::config::Config;
use rayon::ThreadPoolBuilder;
use serde::{Deserialize, Serialize};

use super::{LoadError, Source, ViewLoader};
use crate::Views;

/// What happens to an image that cannot be decoded, or is not there: a broken link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OnCorrupt {
    /// The epoch ends with an error that names index, file and reason.
    Stop,
    /// The image is left out, and its batch is shorter by it. The batch is not filled up: batch `k` would depend on
    /// every file before it, and a restart at `k` would have to decode them all. A batch of which nothing is left is
    /// left out itself.
    Skip,
}

/// Settings of a [`ViewLoader`].
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `batch_size` | | images per batch | ≥ 1 |
/// | `shuffle` | true | another order in each epoch | |
/// | `seed` | 0 | of the order and of the views | |
/// | `drop_last` | true | leave out a last batch that is shorter | |
/// | `workers` | 0 | threads that decode and make views; 0: as many as rayon uses, one per core unless told otherwise | ≤ 1024 |
/// | `batches_ahead` | 3 | batches being made or ready | 1 to 1024 |
/// | `on_corrupt` | Stop | what happens to an image that cannot be decoded | |
///
/// With one batch ahead, workers idle at the end of each batch; two or three keep them busy.
#[derive(Config, Debug, Copy, PartialEq, Eq)]
pub struct ViewLoaderConfig {
    /// Images per batch. ≥ 1.
    pub batch_size: usize,
    /// Visit the images of each epoch in another random order; otherwise by index.
    #[config(default = true)]
    pub shuffle: bool,
    /// Seed of the order and of the views.
    #[config(default = 0)]
    pub seed: u64,
    /// Leave out a last batch that is shorter than the others.
    #[config(default = true)]
    pub drop_last: bool,
    /// Threads that decode and make views; 0: as many as rayon's pool has, one per core unless the program says otherwise
    /// (`rayon::ThreadPoolBuilder::build_global`, or `RAYON_NUM_THREADS`). ≤ 1024.
    #[config(default = 0)]
    pub workers: usize,
    /// Batches being made or ready besides the one in use: the bound on memory. 1 to 1024.
    #[config(default = 3)]
    pub batches_ahead: usize,
    /// What happens to an image that cannot be decoded.
    #[config(default = "OnCorrupt::Stop")]
    pub on_corrupt: OnCorrupt,
}

impl ViewLoaderConfig {
    /// Checks every setting.
    ///
    /// # Errors
    ///
    /// [`LoadError::Config`] names the setting, its value and what is allowed.
    pub fn validate(&self) -> Result<(), LoadError> {
        let check = |valid: bool, field, value, allowed| {
            if valid { Ok(()) } else { Err(LoadError::Config { field, value, allowed }) }
        };
        check(self.batch_size >= 1, "batch_size", self.batch_size, "at least 1")?;
        check(self.workers <= 1024, "workers", self.workers, "0 (as many as rayon uses) to 1024")?;
        check((1..=1024).contains(&self.batches_ahead), "batches_ahead", self.batches_ahead, "1 to 1024")
    }

    /// Starts the workers of a loader of `views` of the images of `source`.
    ///
    /// # Errors
    ///
    /// Those of [`validate`](ViewLoaderConfig::validate); [`LoadError::NoBatch`] if the
    /// source has too few images; [`LoadError::Workers`].
    pub fn init<S: Source + 'static>(&self, source: S, views: Views) -> Result<ViewLoader<S>, LoadError> {
        self.validate()?;
        if self.batches(source.len()) == 0 {
            return Err(LoadError::NoBatch {
                samples: source.len(),
                batch_size: self.batch_size,
                drop_last: self.drop_last,
            });
        }
        let workers = match self.workers {
            0 => rayon::current_num_threads(),
            workers => workers,
        };
        let pool = ThreadPoolBuilder::new()
            .num_threads(workers)
            .thread_name(|index| format!("views-{index}"))
            .build()
            .map_err(|error| LoadError::Workers { workers, reason: error.to_string() })?;
        Ok(ViewLoader::new(*self, Arc::new(source), Arc::new(views), Arc::new(pool)))
    }

    /// Batches of an epoch over `samples` images.
    pub(super) fn batches(&self, samples: usize) -> usize {
        if self.drop_last { samples / self.batch_size } else { samples.div_ceil(self.batch_size) }
    }
}
