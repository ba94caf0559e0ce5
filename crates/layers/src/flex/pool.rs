//! Memory for tensors that is used again.
//!
//! A training step makes some hundred megabytes of tensors and drops them all. Memory that goes back to the system is
//! mapped and cleared again page by page at the next step, which costs as much as the arithmetic of a fast one. Here it
//! stays: what a tensor drops serves the next of its size. Kept and used memory together are hardly more
//! than was ever in use at once.
#![allow(unsafe_code)] // Burn's `Bytes` takes memory of one's own in no other way; see the two blocks.

use std::mem::MaybeUninit;
use std::sync::{Mutex, MutexGuard, PoisonError};

use burn::tensor::{Shape, TensorData};
use burn_std::{AccessError, AccessPolicy, AllocationController, AllocationProperty, Bytes, DType};
use bytemuck::{Pod, Zeroable};

use super::memory::Primitive;

/// A line of the cache, at which memory begins: a vector that crosses two of them is read at half the speed.
#[derive(Debug, Clone, Copy, Zeroable, Pod)]
#[repr(C, align(64))]
struct Line([f32; 16]);

/// Lines of the smallest memory that is kept: the system's own allocator is good at less.
const SMALLEST: usize = 1024;

/// Lines that may be kept beyond what was in use at once: 8 MiB.
const LEEWAY: usize = 1 << 17;

static POOL: Mutex<Pool> = Mutex::new(Pool { free: Vec::new(), used: 0, kept: 0, most: 0 });

/// Free memory, the longest unused first. All numbers are of lines.
struct Pool {
    free: Vec<Vec<Line>>,
    used: usize,
    kept: usize,
    /// The most that was in use at once.
    most: usize,
}

impl Pool {
    fn lock() -> MutexGuard<'static, Self> {
        POOL.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The smallest free memory of at least this size and hardly more; where new memory would push other memory out, up to
    /// sixteen times as much.
    fn take(&mut self, lines: usize) -> Option<Vec<Line>> {
        let crowded = self.used + self.kept + lines > self.most + LEEWAY;
        let largest = if crowded { 16 * lines } else { lines + lines / 8 };
        let fits = |memory: &Vec<Line>| (lines..=largest).contains(&memory.len());
        let fitting = self.free.iter().enumerate().filter(|(_, memory)| fits(memory));
        let (place, _) = fitting.min_by_key(|(_, memory)| memory.len())?;
        let memory = self.free.remove(place);
        self.kept -= memory.len();
        Some(memory)
    }

    fn lend(&mut self, lines: usize) {
        self.used += lines;
        self.most = self.most.max(self.used);
        self.shrink();
    }

    fn take_back(&mut self, memory: Vec<Line>) {
        self.used -= memory.len();
        self.kept += memory.len();
        self.free.push(memory);
        self.shrink();
    }

    /// Gives back to the system what would make more than was in use at once, and the leeway.
    fn shrink(&mut self) {
        while self.used + self.kept > self.most + LEEWAY {
            let memory = self.free.remove(0);
            self.kept -= memory.len();
        }
    }
}

/// Memory for a tensor, with whatever an earlier one left in it.
pub(super) struct Buffer {
    memory: Vec<Line>,
    len: usize,
}

impl Buffer {
    /// Room for `len` numbers.
    pub(super) fn new(len: usize) -> Self {
        let lines = len.div_ceil(16);
        if lines < SMALLEST {
            return Self { memory: bytemuck::zeroed_vec(lines), len };
        }
        let mut pool = Pool::lock();
        let kept = pool.take(lines);
        pool.lend(kept.as_ref().map_or(lines, Vec::len));
        drop(pool);
        Self { memory: kept.unwrap_or_else(|| bytemuck::zeroed_vec(lines)), len }
    }

    /// The numbers as a tensor, which gives the memory back when it is dropped.
    pub(super) fn into_tensor(self, shape: impl Into<Shape>) -> Primitive {
        let bytes = self.len * size_of::<f32>();
        // SAFETY: all of the memory is initialised, and it holds `len` numbers at least.
        let bytes = unsafe { Bytes::from_controller(Box::new(self), bytes) };
        Primitive::from_data(TensorData::from_bytes(bytes, shape.into(), DType::F32))
    }
}

impl std::ops::Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &bytemuck::cast_slice(&self.memory)[..self.len]
    }
}

impl std::ops::DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut bytemuck::cast_slice_mut(&mut self.memory)[..self.len]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.memory.len() >= SMALLEST {
            Pool::lock().take_back(std::mem::take(&mut self.memory));
        }
    }
}

impl AllocationController for Buffer {
    fn alloc_align(&self) -> usize {
        // Copies are made with it, and `Bytes` makes none for more.
        align_of::<u128>()
    }

    fn property(&self) -> AllocationProperty {
        AllocationProperty::Other
    }

    unsafe fn memory_mut(&mut self, _: AccessPolicy) -> Result<&mut [MaybeUninit<u8>], AccessError> {
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut self.memory);
        // SAFETY: both have the same layout, and the caller promises to write nothing uninitialised.
        Ok(unsafe { std::slice::from_raw_parts_mut(bytes.as_mut_ptr().cast(), bytes.len()) })
    }

    fn memory(&self, _: AccessPolicy) -> Result<&[MaybeUninit<u8>], AccessError> {
        let bytes: &[u8] = bytemuck::cast_slice(&self.memory);
        // SAFETY: both have the same layout, and nothing can be written through it.
        Ok(unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len()) })
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::backend::ops::FloatTensorOps;

    use super::*;

    /// One test at a time: the pool is the process's.
    static TURN: Mutex<()> = Mutex::new(());

    fn filled(len: usize, value: f32) -> Primitive {
        let mut buffer = Buffer::new(len);
        buffer.fill(value);
        buffer.into_tensor([len])
    }

    #[test]
    fn a_tensor_that_is_dropped_serves_the_next() {
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let len = 100_000;
        let first = filled(len, 1.0);
        let place = first.bytes().as_ptr();
        assert_eq!(place.align_offset(64), 0);
        drop(first);
        let second = filled(len, 2.0);
        assert_eq!(second.bytes().as_ptr(), place);
        // Burn checks that memory is as large as the tensor.
        assert_eq!(second.bytes().len(), 4 * len);
        assert_ne!(filled(len, 3.0).bytes().as_ptr(), place);
        assert!(second.as_slice::<f32>().is_some_and(|values| values.iter().all(|&value| value == 2.0)));
    }

    #[test]
    fn what_is_written_to_a_copy_stays_there() {
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        for len in [3, 100_000] {
            let first = filled(len, 1.0);
            let mut copy = first.clone();
            copy.storage_mut::<f32>().fill(5.0);
            assert_eq!(first.as_slice::<f32>().map(|values| values[len - 1]), Some(1.0));
            assert_eq!(copy.as_slice::<f32>().map(|values| values[len - 1]), Some(5.0));
            // In place, since nobody else has it.
            let place = copy.bytes().as_ptr();
            let sum = Flex::float_add(copy, first);
            assert_eq!(sum.bytes().as_ptr(), place);
            assert_eq!(sum.into_data().iter::<f32>().last(), Some(6.0));
        }
    }

    #[test]
    fn no_more_is_kept_than_was_in_use_at_once() {
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let held: Vec<Primitive> = (0..8).map(|_| filled(1 << 20, 0.0)).collect();
        drop(held);
        for size in 1..40 {
            drop(filled(size * 50_000, 0.0));
        }
        let pool = Pool::lock();
        assert!(pool.used + pool.kept <= pool.most + LEEWAY);
        assert_eq!(pool.kept, pool.free.iter().map(Vec::len).sum::<usize>());
    }
}
