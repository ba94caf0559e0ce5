//! What the machine can do at best: the floors that a method's costs are measured against.

use std::hint::black_box;

use burn::tensor::{Device, Distribution, Tensor};
use rayon::prelude::*;

use super::{Run, SEED};

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
