//! Working memory that is used again.

use std::cell::RefCell;
use std::sync::{Mutex, PoisonError};

/// Numbers in a line of the cache.
const LINE: usize = 16;

/// Numbers of memory that all threads share: what a whole convolution needs, not a task of it.
const LARGE: usize = 1 << 18;

/// Buffers that a thread keeps, and that all keep together: more than any kernel holds at a time.
const KEPT: usize = 12;

thread_local! {
    static OWN: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

static SHARED: Mutex<Vec<Vec<f32>>> = Mutex::new(Vec::new());

/// Memory that begins on a line of the cache, and is kept where it is dropped.
pub(crate) struct Scratch {
    memory: Vec<f32>,
    start: usize,
    len: usize,
}

impl Scratch {
    /// `len` numbers that an earlier user left.
    pub(crate) fn new(len: usize) -> Self {
        let needed = len + LINE;
        let kept = match needed < LARGE {
            true => OWN.with_borrow_mut(|kept| take(kept, needed)),
            false => take(&mut SHARED.lock().unwrap_or_else(PoisonError::into_inner), needed),
        };
        let memory = kept.unwrap_or_else(|| vec![0.0; needed]);
        let start = memory.as_ptr().align_offset(4 * LINE).min(LINE);
        Self { memory, start, len }
    }

    /// `len` zeros.
    pub(crate) fn zeros(len: usize) -> Self {
        let mut scratch = Self::new(len);
        scratch.fill(0.0);
        scratch
    }
}

/// The smallest that is large enough. Where none is, the largest is dropped: new memory takes its place, so that no more
/// pieces are kept than were in use at once.
fn take(kept: &mut Vec<Vec<f32>>, needed: usize) -> Option<Vec<f32>> {
    let all = kept.iter().enumerate();
    let fitting = all.clone().filter(|(_, memory)| memory.len() >= needed).min_by_key(|(_, memory)| memory.len());
    let (place, _) = fitting.or_else(|| all.max_by_key(|(_, memory)| memory.len()))?;
    Some(kept.swap_remove(place)).filter(|memory| memory.len() >= needed)
}

fn keep(kept: &mut Vec<Vec<f32>>, memory: Vec<f32>) {
    if kept.len() == KEPT {
        // The smallest is the cheapest to make again.
        let smallest = kept.iter().enumerate().min_by_key(|(_, memory)| memory.len()).map_or(0, |(place, _)| place);
        kept.swap_remove(smallest);
    }
    kept.push(memory);
}

impl std::ops::Deref for Scratch {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.memory[self.start..][..self.len]
    }
}

impl std::ops::DerefMut for Scratch {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.memory[self.start..][..self.len]
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let memory = std::mem::take(&mut self.memory);
        if memory.len() >= LARGE {
            keep(&mut SHARED.lock().unwrap_or_else(PoisonError::into_inner), memory);
        } else {
            // A thread that is ending cannot keep it.
            let _ = OWN.try_with(|kept| keep(&mut kept.borrow_mut(), memory));
        }
    }
}
