use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rayon::ThreadPool;

use super::order::{Order, Visit};
use super::{BatchView, LoadError, OnCorrupt, ReadBuffers, Sample, Skipped, Source, ViewBatch, ViewLoaderConfig};
use crate::views::wrong;
use crate::{ImageSize, Key, Views};

/// Values of a view per job below which several images share one: handing a job over costs about a microsecond.
const VALUES_PER_JOB: usize = 1 << 14;

/// Makes the batches of an epoch on the workers.
pub(super) struct Maker<S> {
    pub(super) config: ViewLoaderConfig,
    pub(super) source: Arc<S>,
    pub(super) views: Arc<Views>,
    pub(super) pool: Arc<ThreadPool>,
    pub(super) order: Order,
    pub(super) epoch: u64,
    pub(super) stop: Arc<AtomicBool>,
    /// Memory that no worker uses at the moment; never more than there are workers.
    pub(super) buffers: Mutex<Vec<ReadBuffers>>,
}

/// An image of a batch and where its views go.
struct Slot<'a> {
    visit: Visit,
    outs: Vec<&'a mut [f32]>,
    done: Done,
}

/// What became of an image.
enum Done {
    /// Not yet, or stopped.
    Pending,
    Made(Option<usize>),
    Skipped(Skipped),
    Failed(LoadError),
}

/// The image that says how large the views of its batch are.
struct First {
    sample: usize,
    sizes: Vec<ImageSize>,
}

/// A batch with the views of its first image, and room for the others.
struct Begun {
    first: First,
    label: Option<usize>,
    views: Vec<BatchView>,
}

impl<S: Source> Maker<S> {
    /// Batch `batch`, or nothing if the epoch was stopped meanwhile.
    pub(super) fn make(&self, batch: usize) -> Option<Result<ViewBatch, LoadError>> {
        let visits = self.order.batch(batch, self.config.batch_size);
        let mut skipped = Vec::new();
        let begun = self.pool.install(|| self.begin(&visits, &mut skipped))?;
        let mut made = ViewBatch {
            epoch: self.epoch,
            index: batch,
            samples: Vec::new(),
            labels: Vec::new(),
            views: Vec::new(),
            skipped,
        };
        let Begun { first, label, views } = match begun {
            Ok(Some(begun)) => begun,
            Ok(None) => return Some(Ok(made)),
            Err(error) => return Some(Err(error)),
        };
        // The images before the first that can be decoded are all skipped.
        let visits = &visits[made.skipped.len()..];
        made.views = views;
        let mut done = vec![Done::Made(label)];
        done.extend(self.fill(&first, &visits[1..], &mut made.views)?);
        Some(collect(made, visits, done))
    }

    /// Makes the views of the first image that can be decoded: it says how large the views of the batch are. The
    /// images before it go to `skipped`. Nothing if the epoch was stopped.
    fn begin(&self, visits: &[Visit], skipped: &mut Vec<Skipped>) -> Option<Result<Option<Begun>, LoadError>> {
        for (position, &visit) in visits.iter().enumerate() {
            if self.stopped() {
                return None;
            }
            let begun = self.with_sample(visit.sample, |read| {
                let sizes = self.views.output_sizes(read.image.size());
                let room = visits.len() - position;
                let mut views: Vec<BatchView> =
                    sizes.iter().map(|&size| BatchView { values: vec![0.0; room * size.values()], size }).collect();
                let mut outs: Vec<&mut [f32]> =
                    views.iter_mut().map(|view| &mut view.values[..view.size.values()]).collect();
                let first = First { sample: visit.sample, sizes };
                let label = self.apply(&first, visit, read, &mut outs)?;
                Ok(Begun { first, label, views })
            });
            match begun {
                Ok(begun) => return Some(Ok(Some(begun))),
                Err(error) => match self.skip(visit.sample, error) {
                    Ok(skip) => skipped.push(skip),
                    Err(error) => return Some(Err(error)),
                },
            }
        }
        Some(Ok(None))
    }

    /// Makes the views of the images behind the first, in jobs for the workers. Nothing if the epoch was stopped.
    fn fill(&self, first: &First, visits: &[Visit], views: &mut [BatchView]) -> Option<Vec<Done>> {
        let mut slots: Vec<Slot<'_>> = visits
            .iter()
            .map(|&visit| Slot { visit, outs: Vec::with_capacity(views.len()), done: Done::Pending })
            .collect();
        for view in views {
            for (slot, out) in slots.iter_mut().zip(view.values.chunks_exact_mut(view.size.values()).skip(1)) {
                slot.outs.push(out);
            }
        }
        let values: usize = first.sizes.iter().map(ImageSize::values).sum();
        let share = visits.len().div_ceil(self.pool.current_num_threads()).max(1);
        let per_job = (VALUES_PER_JOB / values.max(1)).clamp(1, share);
        // Called from a thread outside the pool, which sleeps meanwhile; workers never wait for one another. First
        // come, first served: an earlier batch is finished before a later one takes the workers.
        self.pool.in_place_scope_fifo(|scope| {
            for slots in slots.chunks_mut(per_job) {
                scope.spawn_fifo(move |_| slots.iter_mut().for_each(|slot| self.fill_slot(first, slot)));
            }
        });
        if self.stopped() {
            return None;
        }
        Some(slots.into_iter().map(|slot| slot.done).collect())
    }

    fn fill_slot(&self, first: &First, slot: &mut Slot<'_>) {
        if self.stopped() {
            return;
        }
        let (visit, outs) = (slot.visit, &mut slot.outs);
        slot.done = match self.with_sample(visit.sample, |read| self.apply(first, visit, read, outs)) {
            Ok(label) => Done::Made(label),
            Err(error) => self.skip(visit.sample, error).map_or_else(Done::Failed, Done::Skipped),
        };
    }

    /// Every view of one image.
    fn apply(
        &self,
        first: &First,
        Visit { sample, occurrence }: Visit,
        read: Sample<'_>,
        outs: &mut [&mut [f32]],
    ) -> Result<Option<usize>, LoadError> {
        let size = read.image.size();
        let unsuitable = |source| LoadError::Unsuitable { index: sample, name: self.source.name(sample), source };
        let key = Key { seed: self.config.seed, epoch: self.epoch, sample: sample as u64, view: occurrence };
        let drawn = self.views.draw_occurrence(key, size).map_err(unsuitable)?;
        for (view, (pipeline, out)) in self.views.pipelines().zip(outs).enumerate() {
            let (found, expected) = (pipeline.output_size(size), first.sizes[view]);
            if found != expected {
                return Err(LoadError::Sizes {
                    view,
                    first: first.sample,
                    first_name: self.source.name(first.sample),
                    first_size: expected,
                    other: sample,
                    other_name: self.source.name(sample),
                    other_size: found,
                });
            }
            pipeline
                .apply(&drawn[view], read.image, out)
                .map_err(|source| unsuitable(wrong(view, pipeline, source)))?;
        }
        Ok(read.label)
    }

    /// Reads an image into memory that is free.
    fn with_sample<T>(
        &self,
        sample: usize,
        use_it: impl FnOnce(Sample<'_>) -> Result<T, LoadError>,
    ) -> Result<T, LoadError> {
        let mut buffers = self.free_buffers().pop().unwrap_or_default();
        let result = self.source.read(sample, &mut buffers).and_then(use_it);
        self.free_buffers().push(buffers);
        result
    }

    fn free_buffers(&self) -> std::sync::MutexGuard<'_, Vec<ReadBuffers>> {
        self.buffers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An image to leave out, or an error to stop with.
    fn skip(&self, sample: usize, error: LoadError) -> Result<Skipped, LoadError> {
        if self.config.on_corrupt != OnCorrupt::Skip || !error.is_corrupt() {
            return Err(error);
        }
        match error {
            LoadError::Corrupt { name, source, .. } => Ok(Skipped { sample, name, reason: source.to_string() }),
            LoadError::Unreadable { path, source, .. } => {
                Ok(Skipped { sample, name: path.display().to_string(), reason: source.to_string() })
            }
            error => Err(error),
        }
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// The finished batch: images left out leave no gap. Of several errors the first in order.
fn collect(mut made: ViewBatch, visits: &[Visit], done: Vec<Done>) -> Result<ViewBatch, LoadError> {
    for (slot, (&Visit { sample, .. }, done)) in visits.iter().zip(done).enumerate() {
        match done {
            Done::Made(label) => {
                let place = made.samples.len();
                if place != slot {
                    for view in &mut made.views {
                        let values = view.size.values();
                        view.values.copy_within(slot * values..(slot + 1) * values, place * values);
                    }
                }
                made.samples.push(sample);
                made.labels.push(label);
            }
            Done::Skipped(skipped) => made.skipped.push(skipped),
            Done::Failed(error) => return Err(error),
            Done::Pending => return Err(LoadError::WorkerLost),
        }
    }
    for view in &mut made.views {
        view.values.truncate(made.samples.len() * view.size.values());
    }
    Ok(made)
}
