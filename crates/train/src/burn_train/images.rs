use std::sync::Arc;

use burn::data::dataloader::{DataLoader, DataLoaderIterator, Progress};
use burn::data::dataset::DatasetError;
use burn::tensor::{Device, Tensor};
use slowburn_contrastive::LabeledBatch;
use slowburn_semi::TestBatch;

use crate::monitor::{ImageBatch, ImageSet};
use crate::task::TaskError;

/// Images without random views as a `DataLoader` of burn-train's, for validation: always the same, in the same order.
pub struct ImageSetLoader<O> {
    set: ImageSet,
    device: Device,
    convert: fn(ImageBatch) -> O,
}

impl ImageSetLoader<LabeledBatch<Tensor<4>>> {
    /// For `ContrastiveLearning`.
    pub fn contrastive(set: ImageSet) -> Self {
        Self::new(set, |batch| LabeledBatch { input: batch.images, labels: batch.classes })
    }
}

impl ImageSetLoader<TestBatch<Tensor<4>>> {
    /// For `SemiSupervised`.
    pub fn semi_supervised(set: ImageSet) -> Self {
        Self::new(set, |batch| TestBatch { input: batch.images, labels: batch.classes })
    }
}

impl<O> ImageSetLoader<O> {
    /// For a model of one's own.
    pub fn new(set: ImageSet, convert: fn(ImageBatch) -> O) -> Self {
        Self { set, device: Device::default(), convert }
    }
}

impl<O: Send + 'static> DataLoader<O> for ImageSetLoader<O> {
    fn iter<'a>(&'a self) -> Box<dyn DataLoaderIterator<O> + 'a> {
        let items = self.set.len();
        match self.set.batches(&self.device) {
            Ok(batches) => {
                Box::new(Batches { batches: Box::new(batches), convert: self.convert, failed: None, made: 0, items })
            }
            Err(error) => {
                let (batches, failed) = (Box::new(std::iter::empty()), Some(error));
                Box::new(Batches { batches, convert: self.convert, failed, made: 0, items })
            }
        }
    }

    fn num_items(&self) -> usize {
        self.set.len()
    }

    fn to_device(&self, device: &Device) -> Arc<dyn DataLoader<O>> {
        Arc::new(Self { set: self.set.clone(), device: device.clone(), convert: self.convert })
    }

    fn slice(&self, start: usize, end: usize) -> Arc<dyn DataLoader<O>> {
        let (set, device) = (self.set.slice(start..end), self.device.clone());
        Arc::new(Self { set, device, convert: self.convert })
    }
}

impl<O> std::fmt::Debug for ImageSetLoader<O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ImageSetLoader").field("set", &self.set).finish_non_exhaustive()
    }
}

struct Batches<'a, O> {
    batches: Box<dyn Iterator<Item = Result<ImageBatch, TaskError>> + 'a>,
    convert: fn(ImageBatch) -> O,
    /// Why there are none.
    failed: Option<TaskError>,
    made: usize,
    items: usize,
}

impl<O> Iterator for Batches<'_, O> {
    type Item = Result<O, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(error) = self.failed.take() {
            return Some(Err(DatasetError::new(error)));
        }
        let batch = self.batches.next()?;
        Some(match batch {
            Ok(batch) => {
                self.made += batch.samples.len();
                Ok((self.convert)(batch))
            }
            Err(error) => Err(DatasetError::new(error)),
        })
    }
}

impl<O> DataLoaderIterator<O> for Batches<'_, O> {
    fn progress(&self) -> Progress {
        Progress::new(self.made, self.items, Some("items".to_owned()))
    }
}
