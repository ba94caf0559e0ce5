//! Integration tests.

// In tests an unwrap is an assertion.
#![allow(clippy::unwrap_used)]

mod augment;
mod catalog;
mod device;
mod draws;
mod errors;
#[cfg(feature = "loader")]
mod exif;
mod fixture;
mod hue;
#[cfg(feature = "loader")]
mod loader;
#[cfg(feature = "loader")]
mod loader_files;
mod mixup;
mod oracles;
mod properties;
mod resize;
mod statistics;
mod torchvision;
#[cfg(feature = "whitening")]
mod whitening;

use slowburn_augment::{Drawn, Image, ImageSize, Key, Operation, Pipeline, View};

/// Key of sample `sample` of seed 1.
fn key(sample: u64) -> Key {
    Key { seed: 1, epoch: 2, sample, view: 3 }
}

/// A pipeline of `operations`.
fn pipeline(operations: Vec<Operation>) -> Pipeline {
    Pipeline::new("test", operations).unwrap()
}

/// The view of `image` with what was drawn written by hand.
fn apply(operations: Vec<Operation>, drawn: Vec<Drawn>, image: Image<'_>) -> Vec<f32> {
    let view = View { key: key(0), drawn };
    let pipeline = pipeline(operations);
    let mut out = vec![f32::NAN; pipeline.output_size(image.size()).values()];
    pipeline.apply(&view, image, &mut out).unwrap();
    out
}

/// Bytes that look random and are the same in each run.
fn bytes(size: ImageSize, seed: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    (0..size.values())
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect()
}
