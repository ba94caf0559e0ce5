use std::any::Any;
use std::fmt;
use std::iter::FusedIterator;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::make::Maker;
use super::{LoadError, Report, Skipped, Source, ViewBatch};

/// A batch, or the panic of a worker.
type Made = Result<Result<ViewBatch, LoadError>, Box<dyn Any + Send>>;

/// The batches of an epoch, in order; from [`ViewLoader::epoch`](super::ViewLoader::epoch).
///
/// After an error there are no more. A panic of a source or pipeline on a worker is a panic here. Dropping it stops
/// the workers, after the image that each has in hand.
///
/// `batches_ahead` threads each make every `batches_ahead`-th batch: they hand the images to the workers, wait, and
/// offer the batch until it is taken. So at most that many batches are in the making or ready, and when one is nearly
/// done the workers continue with the next.
pub struct Batches {
    epoch: u64,
    /// The batch that is handed out next, and the end.
    remaining: Range<usize>,
    /// Which of `ready` has it.
    turn: usize,
    ready: Vec<Receiver<Made>>,
    threads: Vec<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
    report: Arc<Mutex<Report>>,
    /// Whether no warning names images that are left out.
    quiet: bool,
    /// Whether an image has been handed out, and if not, the first that was skipped and their number.
    any: bool,
    skipped: (usize, Option<Skipped>),
    whole: bool,
}

impl Batches {
    pub(super) fn start<S: Source + 'static>(
        maker: Maker<S>,
        batches: Range<usize>,
        report: Arc<Mutex<Report>>,
        quiet: bool,
    ) -> Self {
        let stop = Arc::clone(&maker.stop);
        let epoch = maker.epoch;
        let ahead = maker.config.batches_ahead.min(batches.len());
        let maker = Arc::new(maker);
        let mut ready = Vec::with_capacity(ahead);
        let mut threads = Vec::with_capacity(ahead);
        for offset in 0..ahead {
            // No room in the channel: a thread keeps its batch until it is taken.
            let (sender, receiver) = sync_channel(0);
            let maker = Arc::clone(&maker);
            let mine = (batches.start + offset..batches.end).step_by(ahead);
            threads.push(std::thread::spawn(move || offer(&maker, mine, &sender)));
            ready.push(receiver);
        }
        let whole = batches.start == 0;
        Self {
            epoch,
            remaining: batches,
            turn: 0,
            ready,
            threads,
            stop,
            report,
            quiet,
            any: false,
            skipped: (0, None),
            whole,
        }
    }

    /// The next batch, which may be empty.
    fn receive(&mut self) -> Option<Result<ViewBatch, LoadError>> {
        self.remaining.next()?;
        let made = match self.ready[self.turn].recv() {
            Ok(Ok(made)) => made,
            Ok(Err(panic)) => {
                self.finish();
                resume_unwind(panic);
            }
            Err(_) => Err(LoadError::WorkerLost),
        };
        self.turn = (self.turn + 1) % self.ready.len();
        if made.is_err() {
            self.finish();
        }
        Some(made)
    }

    /// Stops the workers and waits for them.
    fn finish(&mut self) {
        self.remaining = 0..0;
        self.stop.store(true, Ordering::Relaxed);
        // Whoever offers a batch finds nobody to take it.
        self.ready.clear();
        for thread in self.threads.drain(..) {
            // Panics came through the channel.
            let _ = thread.join();
        }
    }

    /// The error of an epoch of which nothing is left.
    fn nothing_left(&mut self) -> Option<LoadError> {
        let (skipped, first) = std::mem::take(&mut self.skipped);
        let first = first.filter(|_| self.whole && !self.any)?;
        Some(LoadError::AllSkipped { epoch: self.epoch, skipped, first: format!("{}: {}", first.name, first.reason) })
    }
}

/// Makes the batches `mine` and offers each until it is taken.
fn offer<S: Source>(maker: &Maker<S>, mine: impl Iterator<Item = usize>, sender: &SyncSender<Made>) {
    for batch in mine {
        // A batch is made from scratch after a panic, or never: nothing half-done is seen again.
        let made = match catch_unwind(AssertUnwindSafe(|| maker.make(batch))) {
            Ok(Some(made)) => Ok(made),
            // Stopped.
            Ok(None) => return,
            Err(panic) => Err(panic),
        };
        let last = !matches!(made, Ok(Ok(_)));
        if sender.send(made).is_err() || last {
            return;
        }
    }
}

impl Iterator for Batches {
    type Item = Result<ViewBatch, LoadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let batch = match self.receive() {
                None => return self.nothing_left().map(Err),
                Some(Err(error)) => return Some(Err(error)),
                Some(Ok(batch)) => batch,
            };
            self.report.lock().unwrap_or_else(PoisonError::into_inner).add(batch.len(), &batch.skipped, self.quiet);
            if !batch.is_empty() {
                self.any = true;
                return Some(Ok(batch));
            }
            self.skipped.0 += batch.skipped.len();
            if self.skipped.1.is_none() {
                self.skipped.1 = batch.skipped.into_iter().next();
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // Batches may turn out empty; an error may come in place of them all.
        (0, Some(self.remaining.len().max(1)))
    }
}

impl FusedIterator for Batches {}

impl Drop for Batches {
    fn drop(&mut self) {
        self.finish();
    }
}

impl fmt::Debug for Batches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batches")
            .field("epoch", &self.epoch)
            .field("remaining", &self.remaining)
            .finish_non_exhaustive()
    }
}
