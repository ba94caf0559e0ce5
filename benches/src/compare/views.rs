//! Two views of each image, from memory and from files.

use std::path::{Path, PathBuf};

use anyhow::Result;
use slowburn_augment::loader::{
    Decoder, ImageFolder, Images, Source, ViewLoader, ViewLoaderConfig, has_image_extension,
};
use slowburn_augment::{Image, ImageSize, Operation, Pipeline, PixelArithmetic, Views, presets};
use slowburn_benches::work::Run;
use slowburn_benches::work::images::{key, rgb};

use super::files::{self, SIDES};
use super::task::Task;

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
    let task = |name: &str, params: String, threads, set_up: Box<dyn FnOnce() -> Result<Run>>| Task {
        threads: Some(threads),
        ..Task::new(name, SCRIPT, params, set_up)
    };
    let images = Images::new(rgb(32, 32), pixels.clone())?;
    let files = ImageFolder::files(paths.clone())?;
    let [first, second] = [paths.clone(), paths];
    Ok(vec![
        task("views/moco_cifar", small.to_owned(), 1, {
            let pixels = pixels.clone();
            Box::new(|| Ok(decoded(presets::moco_cifar(32), pixels)))
        }),
        task(
            "views/rand_augment",
            format!("{small}: shift, flip, RandAugment(2, 9)"),
            1,
            Box::new(|| Ok(decoded(rand_augment()?, pixels))),
        ),
        task("views/moco_v2", large.clone(), 1, Box::new(|| Ok(encoded(first, true)))),
        task(
            "decode",
            format!("JPEG of {width}×{height} alone: the floor of the row above"),
            1,
            Box::new(|| Ok(encoded(second, false))),
        ),
        task(
            "loader/moco_cifar",
            format!("{small}, batches of {}", BATCHES[0]),
            cores,
            Box::new(move || loaded(images, presets::moco_cifar(32), BATCHES[0], cores)),
        ),
        task(
            "loader/moco_v2",
            format!("{large}, batches of {}", BATCHES[1]),
            cores,
            Box::new(move || loaded(files, presets::moco_v2(224), BATCHES[1], cores)),
        ),
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

/// torchvision's RandAugment of shifted and flipped images, normalised as [`presets::moco_cifar`] does.
fn rand_augment() -> Result<Pipeline> {
    let weak = [Operation::Translate { max_pixels: 4 }, Operation::HorizontalFlip { probability: 0.5 }];
    let augment = Operation::torchvision_rand_augment(2, 9);
    let normalize = presets::moco_cifar(32).evaluation().operations().last().cloned();
    let operations = weak.into_iter().chain([augment]).chain(normalize).collect();
    Ok(Pipeline::new("rand_augment", operations)?.with_arithmetic(PixelArithmetic::Bytes))
}

fn decoded(pipeline: Pipeline, pixels: Vec<u8>) -> Run {
    let size = rgb(32, 32);
    let mut out = vec![0.0; size.values()];
    Box::new(move || {
        for (sample, pixels) in pixels.chunks_exact(size.values()).enumerate() {
            two_views(&pipeline, sample, Image::new(size, pixels)?, &mut out)?;
        }
        Ok(pixels.len() / size.values())
    })
}

/// Reads and decodes files, and makes views of them or not.
fn encoded(paths: Vec<PathBuf>, views: bool) -> Run {
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

fn loaded<S: Source + 'static>(source: S, pipeline: Pipeline, batch: usize, workers: usize) -> Result<Run> {
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
