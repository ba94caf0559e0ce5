use std::sync::Arc;

use burn::data::dataloader::{DataLoader, DataLoaderIterator};
use burn::tensor::{Device, Tensor};
use slowburn_contrastive::LabeledBatch;
use slowburn_semi::TestBatch;

use super::items::{Items, Made};
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
    /// For your own model.
    pub fn new(set: ImageSet, convert: fn(ImageBatch) -> O) -> Self {
        Self { set, device: Device::default(), convert }
    }
}

impl<O: Send + 'static> DataLoader<O> for ImageSetLoader<O> {
    fn iter<'a>(&'a self) -> Box<dyn DataLoaderIterator<O> + 'a> {
        let made = |batch: Result<ImageBatch, TaskError>| {
            let batch = batch?;
            let items = batch.samples.len();
            Ok(((self.convert)(batch), items))
        };
        let batches = self.set.batches(&self.device).map(|batches| Box::new(batches.map(made)) as Made<'a, O>);
        Box::new(Items::new(batches, self.num_items()))
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
