//! Two views of each image, from memory and from files.

use std::path::{Path, PathBuf};

use anyhow::Result;
use slowburn_augment::loader::{
    Decoder, ImageFolder, Images, Source, ViewLoader, ViewLoaderConfig, has_image_extension,
};
use slowburn_augment::{Image, ImageSize, Pipeline, Views, presets};
use slowburn_benches::{key, rgb};

use super::Task;
use super::files::{self, SIDES};

/// The other side.
const SCRIPT: &str = "views.py";

/// Images in a batch: of 32×32, and of 224×224.
const BATCHES: [usize; 2] = [256, 32];

pub(super) fn tasks(folder: &Path, cores: usize) -> Result<Vec<Task>> {
    let paths = paths(folder)?;
    let pixels = std::fs::read(folder.join(files::DECODED))?;
    let small = "two views of decoded 32×32";
    let (height, width) = SIDES;
    let large = format!("two views of 224×224, JPEG of {width}×{height} decoded");
    Ok(vec![
        Task {
            name: "views/moco_cifar",
            script: SCRIPT,
            params: small.to_owned(),
            threads: 1,
            work: decoded(pixels.clone()),
        },
        Task {
            name: "views/moco_v2",
            script: SCRIPT,
            params: large.clone(),
            threads: 1,
            work: encoded(paths.clone(), true),
        },
        Task {
            name: "decode",
            script: SCRIPT,
            params: format!("JPEG of {width}×{height} alone: the floor of the row above"),
            threads: 1,
            work: encoded(paths.clone(), false),
        },
        Task {
            name: "loader/moco_cifar",
            script: SCRIPT,
            params: format!("{small}, batches of {}", BATCHES[0]),
            threads: cores,
            work: loaded(Images::new(rgb(32, 32), pixels)?, presets::moco_cifar(32), BATCHES[0], cores)?,
        },
        Task {
            name: "loader/moco_v2",
            script: SCRIPT,
            params: format!("{large}, batches of {}", BATCHES[1]),
            threads: cores,
            work: loaded(ImageFolder::files(paths)?, presets::moco_v2(224), BATCHES[1], cores)?,
        },
    ])
}

pub(super) fn paths(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.retain(|path| has_image_extension(path));
    paths.sort();
    Ok(paths)
}

/// Draws and applies two views on this thread.
fn two_views(pipeline: &Pipeline, sample: usize, image: Image<'_>, out: &mut [f32]) -> Result<()> {
    for view in 0..2 {
        let drawn = pipeline.draw(key(sample, view), image.size())?;
        pipeline.apply(&drawn, image, out)?;
        std::hint::black_box(&mut *out);
    }
    Ok(())
}

fn decoded(pixels: Vec<u8>) -> Box<dyn FnMut() -> Result<usize>> {
    let (pipeline, size) = (presets::moco_cifar(32), rgb(32, 32));
    let mut out = vec![0.0; size.values()];
    Box::new(move || {
        for (sample, pixels) in pixels.chunks_exact(size.values()).enumerate() {
            two_views(&pipeline, sample, Image::new(size, pixels)?, &mut out)?;
        }
        Ok(pixels.len() / size.values())
    })
}

/// Reads and decodes files, and makes views of them or not.
fn encoded(paths: Vec<PathBuf>, views: bool) -> Box<dyn FnMut() -> Result<usize>> {
    let (pipeline, decoder) = (presets::moco_v2(224), Decoder::rgb());
    let mut out = vec![0.0; ImageSize::new(224, 224, 3).values()];
    let mut pixels = Vec::new();
    Box::new(move || {
        for (sample, path) in paths.iter().enumerate() {
            let size = decoder.decode(&std::fs::read(path)?, &mut pixels)?;
            std::hint::black_box(&mut pixels);
            if views {
                two_views(&pipeline, sample, Image::new(size, &pixels)?, &mut out)?;
            }
        }
        Ok(paths.len())
    })
}

fn loaded<S: Source + 'static>(
    source: S,
    pipeline: Pipeline,
    batch: usize,
    workers: usize,
) -> Result<Box<dyn FnMut() -> Result<usize>>> {
    let loader: ViewLoader<S> =
        ViewLoaderConfig::new(batch).with_workers(workers).init(source, Views::two(pipeline))?;
    let mut epoch = 0;
    Ok(Box::new(move || {
        epoch += 1;
        let mut images = 0;
        for batch in loader.epoch(epoch) {
            images += std::hint::black_box(batch?).len();
        }
        Ok(images)
    }))
}
