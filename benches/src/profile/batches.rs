//! Batches of two views of CIFAR's size, from the loader as in a training.

use anyhow::{Context, Result};
use slowburn_augment::loader::{Images, ViewBatch, ViewLoader, ViewLoaderConfig};
use slowburn_augment::{Pipeline, Views};
use slowburn_benches::work::images::{SIDE, picture, rgb};

/// Images that batches are made of.
const IMAGES: usize = 2048;

/// Batches behind the last step: the loader still works ahead of that one.
const BEHIND: usize = 16;

/// Batches, made ahead of the training or while nothing else runs.
pub(super) struct Batches {
    loader: ViewLoader<Images>,
    batch: usize,
    made: u64,
    /// Each batch taken lets the workers make another, beside the step that takes it; in between they wait.
    stream: Box<dyn Iterator<Item = Result<ViewBatch>>>,
}

impl Batches {
    /// For so many steps behind a first one.
    pub(super) fn new(pipeline: Pipeline, batch: usize, steps: usize) -> Result<Self> {
        let pixels: Vec<u8> = (0..IMAGES).flat_map(|seed| picture(SIDE, SIDE, seed as u32)).collect();
        let images = Images::new(rgb(SIDE, SIDE), pixels)?;
        let loader: ViewLoader<Images> = ViewLoaderConfig::new(batch).init(images, Views::two(pipeline))?;
        let chosen = (0..1 + steps + BEHIND).map(|index| samples(batch, index)).collect();
        let stream = Box::new(loader.sampled(0, chosen)?.map(|batch| Ok(batch?)));
        Ok(Self { loader, batch, made: 0, stream })
    }

    /// Makes one batch while nothing else runs.
    pub(super) fn alone(&mut self) -> Result<ViewBatch> {
        self.made += 1;
        let chosen = vec![samples(self.batch, self.made as usize)];
        Ok(self.loader.sampled(self.made, chosen)?.next().context("one batch was asked for")??)
    }

    /// The next of the batches that are made ahead.
    pub(super) fn next(&mut self) -> Result<ViewBatch> {
        self.stream.next().context("as many batches as steps")?
    }
}

/// The samples of a batch, in turn.
fn samples(batch: usize, index: usize) -> Vec<usize> {
    (0..batch).map(|row| (index * batch + row) % IMAGES).collect()
}
