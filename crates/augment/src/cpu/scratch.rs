use std::cell::RefCell;

use fast_image_resize::Resizer;

/// Memory that a thread keeps between images.
#[derive(Default)]
pub(super) struct Scratch {
    /// Its buffers grow to the largest image.
    pub(super) resizer: Resizer,
    /// Two buffers of values; their content between calls has no meaning.
    pub(super) values: [Vec<f32>; 2],
    /// Bytes of the box at its new width, while it is resized.
    pub(super) between: Vec<u8>,
    /// For a resized image: taken from here, and put back when the view is written. Memory fresh from the system
    /// costs a page fault every 4 KiB, which is as much as a filter.
    pub(super) resized: Vec<u8>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

impl Scratch {
    /// Runs `use_it` with this thread's memory. It must not call `with` again.
    pub(super) fn with<R>(use_it: impl FnOnce(&mut Self) -> R) -> R {
        SCRATCH.with_borrow_mut(use_it)
    }
}

/// Runs `compute` compiled for the best vector instructions of this machine. Everything in it must be inlined; the
/// result is the same on any machine, since Rust neither reorders nor fuses arithmetic on floats.
#[inline(always)]
pub(super) fn vectorized<R>(compute: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(compute)
}
