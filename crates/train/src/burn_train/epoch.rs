use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use burn::data::dataloader::{DataLoader, DataLoaderIterator};
use burn::tensor::{Device, Tensor};
use slowburn_contrastive::{Contrastive, Encode, ViewPair};
use slowburn_semi::{Predict, SemiBatch, Teacher};

use super::items::{Items, Made};
use crate::task::{FewLabelsTask, PretrainTask, Task, TaskError, into_views};

/// How a batch on the host becomes one on a device.
type Convert<T, O> = fn(<T as Task>::Batch, &Device) -> Result<O, TaskError>;

/// The batches of a task as a `DataLoader` of burn-train's.
///
/// burn-train asks for an epoch without saying which: the loader counts how often it was asked, from the epoch that it was told
/// to begin with, so that every epoch has its own order and views, drawn by the seed that the task was prepared with. To
/// continue from burn-train's checkpoint of epoch n (from 1), begin with n. Clones by `to_device` share the count.
pub struct EpochLoader<T: Task, O> {
    task: Arc<T>,
    device: Device,
    convert: Convert<T, O>,
    /// The epoch that is asked for next, counted from 0.
    next: Arc<AtomicU64>,
    /// Which batches of an epoch.
    window: Range<usize>,
    batch: usize,
}

impl<M> EpochLoader<PretrainTask<M>, ViewPair<Tensor<4>>>
where
    M: Contrastive + 'static,
    M::Encoder: Encode<Input = Tensor<4>>,
{
    /// Two views of each image for `ContrastiveLearning`, from this epoch on, counted from 0.
    pub fn pretrain(task: PretrainTask<M>, first_epoch: u64) -> Self {
        let batch = task.loader.config().batch_size;
        Self::new(task, batch, first_epoch, into_views)
    }
}

impl<M, T> EpochLoader<FewLabelsTask<M, T>, SemiBatch<Tensor<4>>>
where
    M: Predict<Input = Tensor<4>> + 'static,
    T: Teacher<M> + 'static,
{
    /// Two views of each image and the labels of some for `SemiSupervised`, from this epoch on, counted from 0.
    pub fn few_labels(task: FewLabelsTask<M, T>, first_epoch: u64) -> Self {
        let batch = task.loader.config().batch_size;
        Self::new(task, batch, first_epoch, |batch, device| batch.into_device(device))
    }
}

impl<T: Task, O> EpochLoader<T, O> {
    /// Batches of your own task, of about `batch` images each.
    pub fn new(task: T, batch: usize, first_epoch: u64, convert: Convert<T, O>) -> Self {
        let window = 0..task.steps_per_epoch();
        let (device, next) = (Device::default(), Arc::new(AtomicU64::new(first_epoch)));
        Self { task: Arc::new(task), device, convert, next, window, batch }
    }

    fn with(&self, device: Device, window: Range<usize>) -> Self {
        let (task, next) = (Arc::clone(&self.task), Arc::clone(&self.next));
        Self { task, device, convert: self.convert, next, window, batch: self.batch }
    }
}

impl<T: Task + Send + 'static, O: Send + 'static> DataLoader<O> for EpochLoader<T, O> {
    fn iter<'a>(&'a self) -> Box<dyn DataLoaderIterator<O> + 'a> {
        let epoch = self.next.fetch_add(1, Ordering::Relaxed);
        let made = |batch: Result<T::Batch, TaskError>| Ok(((self.convert)(batch?, &self.device)?, self.batch));
        let batches = self.task.batches(epoch, self.window.end as u64);
        let batches = batches.map(|batches| Box::new(batches.skip(self.window.start).map(made)) as Made<'a, O>);
        Box::new(Items::new(batches, self.num_items()))
    }

    fn num_items(&self) -> usize {
        self.window.len() * self.batch
    }

    fn to_device(&self, device: &Device) -> Arc<dyn DataLoader<O>> {
        Arc::new(self.with(device.clone(), self.window.clone()))
    }

    /// The batches that lie wholly between two items. The batches before them are made and dropped.
    fn slice(&self, start: usize, end: usize) -> Arc<dyn DataLoader<O>> {
        let at = |item: usize| (self.window.start + item / self.batch.max(1)).min(self.window.end);
        Arc::new(self.with(self.device.clone(), at(start)..at(end)))
    }
}

impl<T: Task, O> std::fmt::Debug for EpochLoader<T, O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EpochLoader").field("batches", &self.window).field("next", &self.next).finish_non_exhaustive()
    }
}
