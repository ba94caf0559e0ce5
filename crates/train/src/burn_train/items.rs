use burn::data::dataloader::{DataLoaderIterator, Progress};
use burn::data::dataset::DatasetError;

use crate::task::TaskError;

/// Batches for a device, each with the number of its items; or why there are none.
pub(super) type Made<'a, O> = Box<dyn Iterator<Item = Result<(O, usize), TaskError>> + 'a>;

/// One pass of burn-train's over a loader, with its progress in items.
pub(super) struct Items<'a, O> {
    batches: Made<'a, O>,
    made: usize,
    all: usize,
}

impl<'a, O: 'a> Items<'a, O> {
    /// A pass over `all` items; an error in place of the batches is the first and only one.
    pub(super) fn new(batches: Result<Made<'a, O>, TaskError>, all: usize) -> Self {
        let batches = batches.unwrap_or_else(|error| Box::new(std::iter::once(Err(error))));
        Self { batches, made: 0, all }
    }
}

impl<O> Iterator for Items<'_, O> {
    type Item = Result<O, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.batches.next()?.map_err(DatasetError::new);
        Some(batch.map(|(batch, items)| {
            self.made += items;
            batch
        }))
    }
}

impl<O> DataLoaderIterator<O> for Items<'_, O> {
    fn progress(&self) -> Progress {
        Progress::new(self.made.min(self.all), self.all, Some("items".to_owned()))
    }
}
