use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use rayon::ThreadPool;

use super::make::Maker;
use super::order::Order;
use super::{Batches, LoadError, Report, Source, ViewLoaderConfig};
use crate::{ImageSize, Views};

/// Batches of views of the images of a [`Source`], made on worker threads ahead of their use.
///
/// Each image is decoded once, whatever the number of its views. The views of image `s` are drawn with
/// [`Key`](crate::Key) (`seed`, epoch, `s`, view), and the order of an epoch is a function of (`seed`, epoch, number
/// of images): the batches do not depend on the number of workers, and an epoch may be entered at any batch.
///
/// Its threads are its own: it may be used inside a rayon pool, several at once, and does not wait for that pool.
///
/// # Memory
///
/// At most `batches_ahead` batches exist besides those the caller holds, each of
/// [`batch_bytes`](ViewLoader::batch_bytes); each worker holds one encoded and one decoded image (the largest it has
/// met), and what [`Pipeline::apply`](crate::Pipeline::apply) needs for one view. A shuffled epoch has 8 bytes per
/// image of the source for its order. Nothing else grows with the source.
pub struct ViewLoader<S> {
    config: ViewLoaderConfig,
    source: Arc<S>,
    views: Arc<Views>,
    pool: Arc<ThreadPool>,
    report: Arc<Mutex<Report>>,
    quiet: bool,
}

impl<S: Source + 'static> ViewLoader<S> {
    pub(super) fn new(config: ViewLoaderConfig, source: Arc<S>, views: Arc<Views>, pool: Arc<ThreadPool>) -> Self {
        Self { config, source, views, pool, report: Arc::default(), quiet: false }
    }

    /// The same loader, which does not warn of images that are left out: for one beside another that reads the same images. Its
    /// [`report`](ViewLoader::report) has them all the same.
    pub fn without_warnings(self) -> Self {
        Self { quiet: true, ..self }
    }

    /// The batches of `epoch`, from the first.
    pub fn epoch(&self, epoch: u64) -> Batches {
        self.epoch_from(epoch, 0)
    }

    /// The batches of `epoch` from batch `first` on: exactly those that [`epoch`](ViewLoader::epoch) gives after
    /// skipping `first`, without making those. None if the epoch has no more.
    ///
    /// Workers start at once; dropping the iterator stops them.
    pub fn epoch_from(&self, epoch: u64, first: usize) -> Batches {
        let order = Order::new(self.source.len(), self.config.shuffle, self.config.seed, epoch);
        self.start(epoch, first..self.batches(), order)
    }

    /// Batches that a sampler chose, in its order, in place of the epoch's own: images may be left out, and come
    /// again. An image that comes for the k-th time (from 0) has views k·n to k·n + n − 1 of its n views, so that
    /// each time it looks different. `batch_size`, `shuffle` and `drop_last` mean nothing here.
    ///
    /// # Errors
    ///
    /// [`LoadError::NoSuchSample`] for an index that is none.
    pub fn sampled(&self, epoch: u64, batches: Vec<Vec<usize>>) -> Result<Batches, LoadError> {
        let len = self.source.len();
        match batches.iter().flatten().find(|index| **index >= len) {
            Some(&index) => Err(LoadError::NoSuchSample { index, len }),
            None => Ok(self.start(epoch, 0..batches.len(), Order::sampled(batches))),
        }
    }

    fn start(&self, epoch: u64, batches: Range<usize>, order: Order) -> Batches {
        let maker = Maker {
            config: self.config,
            source: Arc::clone(&self.source),
            views: Arc::clone(&self.views),
            pool: Arc::clone(&self.pool),
            order,
            epoch,
            stop: Arc::default(),
            buffers: Mutex::default(),
        };
        Batches::start(maker, batches, Arc::clone(&self.report), self.quiet)
    }

    /// Batches of an epoch; with [`OnCorrupt::Skip`](super::OnCorrupt::Skip) fewer may be handed out.
    pub fn batches(&self) -> usize {
        self.config.batches(self.source.len())
    }

    /// Bytes of a full batch if its images have the size `input`: batch size · Σ over views of C·H·W · 4.
    pub fn batch_bytes(&self, input: ImageSize) -> usize {
        let values: usize = self.views.output_sizes(input).iter().map(ImageSize::values).sum();
        self.config.batch_size * values * size_of::<f32>()
    }

    /// Number of worker threads.
    pub fn workers(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// The settings.
    pub fn config(&self) -> &ViewLoaderConfig {
        &self.config
    }

    /// The images.
    pub fn source(&self) -> &S {
        &self.source
    }

    /// The views.
    pub fn views(&self) -> &Views {
        &self.views
    }

    /// What has been handed out and left out so far.
    pub fn report(&self) -> Report {
        self.report.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl<S> fmt::Debug for ViewLoader<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ViewLoader").field("config", &self.config).field("views", &self.views).finish_non_exhaustive()
    }
}
