//! What the machine can do at best: the floors that a method's costs are measured against.

use std::hint::black_box;

use burn::tensor::{Device, Distribution, Tensor};
use rayon::prelude::*;

use super::{Run, SEED};

/// What the machine needs at the least for a piece of work.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Floor {
    /// Moves so many bytes, reading and writing taken together.
    Bytes(f64),
    /// Does so many floating-point operations.
    Operations(f64),
}

/// Bytes that a copy reads, and again as many that it writes: more than the caches of servers hold (480 MiB have been
/// seen).
pub const COPIED: usize = 1 << 30;

/// Side of the square matrices.
pub const SIDE: usize = 1024;

/// Floating-point operations of one product.
pub fn operations() -> f64 {
    2.0 * (SIDE as f64).powi(3)
}

/// Copies [`COPIED`] bytes with all cores.
pub fn copy_on_cores() -> Run {
    let (from, mut to) = (vec![1f32; COPIED / 4], vec![0f32; COPIED / 4]);
    let share = from.len().div_ceil(rayon::current_num_threads());
    Box::new(move || {
        let parts = to.par_chunks_mut(share).zip(from.par_chunks(share));
        parts.for_each(|(to, from)| to.copy_from_slice(black_box(from)));
        black_box(&mut to);
        Ok(1)
    })
}

/// Bytes that [`fresh_memory`] takes: more than any allocator keeps.
pub const FRESH: usize = 1 << 26;

/// Takes [`FRESH`] bytes from the system, touches every page with all cores, and gives them back.
pub fn fresh_memory() -> Run {
    const PAGE: usize = 4096;
    Box::new(|| {
        let mut memory = vec![0u8; FRESH];
        memory.par_chunks_mut(64 * PAGE).for_each(|pages| pages.iter_mut().step_by(PAGE).for_each(|byte| *byte = 1));
        black_box(memory);
        Ok(1)
    })
}

/// Reads and writes [`COPIED`] bytes by the device's simplest operation.
pub fn copy_on_device(device: &Device) -> Run {
    let from = Tensor::<1>::ones([COPIED / 4], device);
    let device = device.clone();
    Box::new(move || {
        let to = from.clone().neg();
        device.sync()?;
        black_box(to);
        Ok(1)
    })
}

/// Multiplies two square matrices of f32.
pub fn product(device: &Device) -> Run {
    device.seed(SEED);
    let matrix = || Tensor::<2>::random([SIDE, SIDE], Distribution::Default, device);
    let (left, right) = (matrix(), matrix());
    let device = device.clone();
    Box::new(move || {
        let product = left.clone().matmul(right.clone());
        device.sync()?;
        black_box(product);
        Ok(1)
    })
}
