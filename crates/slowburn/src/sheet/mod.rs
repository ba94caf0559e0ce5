//! Contact sheets: images beside their views with what was drawn beneath each, and thumbnails with captions.

mod canvas;
pub mod contact;
mod recipe;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::Args;
use serde::Serialize;
use slowburn_augment::loader::{Decoder, ImageFolder, OnCorrupt, ReadBuffers, Source};
use slowburn_augment::{AugmentError, Drawn, Image, ImageSize, Operation, Pipeline, View, Views};

use crate::args::{HelpAll, Reading, ReadingFlags};
use canvas::{Cell, Picture, Style};
pub use recipe::preset_list;

/// How images and their views are shown.
const STYLE: Style = Style { side: 192, wrap: true };

/// Draw random views of images beside the originals, as one PNG file
#[derive(Debug, Args)]
pub struct Cli {
    /// Images (JPEG or PNG), and folders of them at any depth.
    #[arg(required_unless_present = "list")]
    images: Vec<PathBuf>,
    /// Recipe to draw from; `--list` shows all.
    #[arg(long, default_value = "moco_v2", conflicts_with = "pipeline")]
    preset: String,
    /// JSON file of a pipeline, as serde writes it, instead of a preset.
    #[arg(long)]
    pipeline: Option<PathBuf>,
    /// Side of the views in pixels, for presets that crop.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=4096), conflicts_with = "pipeline")]
    size: Option<u32>,
    /// Views of each image.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=32))]
    views: u16,
    /// Seed of the draws.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Epoch of the draws: other views in each.
    #[arg(long, default_value_t = 0)]
    epoch: u64,
    /// The most images to show, in the order of their names.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    limit: u16,
    /// The picture to write.
    #[arg(long, default_value = "views.png", alias = "output", value_name = "FILE.png")]
    out: PathBuf,
    /// Write the pipeline and the drawn views there as JSON, for replay.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Print every preset with its operations and end.
    #[arg(long)]
    list: bool,
    #[command(flatten)]
    reading: ReadingFlags,
    #[command(flatten)]
    help: HelpAll,
}

/// What `--json` writes.
#[derive(Debug, Serialize)]
struct Replay<'a> {
    pipeline: &'a Pipeline,
    images: Vec<ReplayImage>,
}

#[derive(Debug, Serialize)]
struct ReplayImage {
    path: String,
    size: ImageSize,
    views: Vec<View>,
}

/// Does what the command line says and returns what to print.
///
/// # Errors
///
/// Whatever is wrong with an argument, a file or an image, with its name and what is allowed.
pub fn run(cli: &Cli) -> anyhow::Result<String> {
    if cli.list {
        return Ok(preset_list());
    }
    let pipeline = match &cli.pipeline {
        Some(path) => read_pipeline(path)?,
        None => recipe::preset(&cli.preset, cli.size)?,
    };
    let reading = cli.reading.on(Reading::PHOTOS);
    let images = ImageFolder::files(find(&cli.images, usize::from(cli.limit))?)?
        .with_decoder(decoder(&pipeline).with_exif(reading.exif));
    let views = Views::repeat(pipeline.clone(), usize::from(cli.views))?;
    let shown = Views::repeat(without_normalisation(&pipeline)?, usize::from(cli.views))?;

    let mut buffers = ReadBuffers::default();
    let (mut rows, mut replay) = (Vec::new(), Replay { pipeline: &pipeline, images: Vec::new() });
    for index in 0..images.len() {
        let path = images.name(index);
        let image = match images.read(index, &mut buffers) {
            Ok(read) => read.image,
            Err(error) if reading.broken == OnCorrupt::Skip => {
                tracing::warn!("{error}: left out");
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let sample = index as u64;
        let drawn = views.draw(cli.seed, cli.epoch, sample, image.size()).with_context(|| path.clone())?;
        rows.push(row(&shown, &shown.draw(cli.seed, cli.epoch, sample, image.size())?, image, &path)?);
        replay.images.push(ReplayImage { path, size: image.size(), views: drawn });
    }
    ensure!(!rows.is_empty(), "none of the images can be read");
    let title = format!("seed {}, epoch {}, {pipeline}", cli.seed, cli.epoch);
    let rows_shown: Vec<&[Cell]> = rows.iter().map(Vec::as_slice).collect();
    let size = canvas::write(&cli.out, &title, &rows_shown, STYLE)?;
    if let Some(path) = &cli.json {
        fs::write(path, serde_json::to_vec_pretty(&replay)?)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(format!(
        "{pipeline}\n{}: {} images with {} views each, {}×{} pixels\n",
        cli.out.display(),
        rows.len(),
        cli.views,
        size.0,
        size.1
    ))
}

fn read_pipeline(path: &Path) -> anyhow::Result<Pipeline> {
    let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} is no pipeline", path.display()))
}

/// The first `limit` images of the paths: files as they are, folders by their content.
fn find(paths: &[PathBuf], limit: usize) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in paths {
        ensure!(path.exists(), "{} does not exist, allowed: image files and folders of them", path.display());
        if path.is_dir() {
            let folder = ImageFolder::flat(path)?;
            found.extend((0..folder.len()).map_while(|index| folder.path(index)).take(limit));
        } else {
            found.push(path.clone());
        }
    }
    found.truncate(limit);
    Ok(found)
}

/// Grey files become RGB for a recipe of colour.
fn decoder(pipeline: &Pipeline) -> Decoder {
    let color = |operation: &Operation| matches!(operation, Operation::Normalize { mean, .. } if mean.len() == 3);
    Decoder { rgb: pipeline.operations().iter().any(color), ..Decoder::default() }
}

/// The same pipeline up to its normalisation, whose values are not made to be seen. The draws are the same: each
/// operation draws from a stream of its own.
fn without_normalisation(pipeline: &Pipeline) -> Result<Pipeline, AugmentError> {
    let normalises =
        |operation: &Operation| matches!(operation, Operation::Normalize { .. } | Operation::Standardize { .. });
    let operations = pipeline.operations();
    let shown = operations.iter().rposition(|operation| !normalises(operation)).map_or(0, |last| last + 1);
    pipeline.clone().with_operations(operations[..shown].to_vec())
}

/// The original and its views.
fn row(shown: &Views, drawn: &[View], image: Image<'_>, path: &str) -> anyhow::Result<Vec<Cell>> {
    let size = image.size();
    let name = Path::new(path).file_name().map_or_else(|| path.to_owned(), |name| name.to_string_lossy().into_owned());
    let mut row =
        vec![Cell { picture: Picture::of_bytes(image).shrunk(STYLE.side), lines: vec![name, size.to_string()] }];
    let values = shown.apply(drawn, image)?;
    for ((pipeline, view), values) in shown.pipelines().zip(drawn).zip(values) {
        let mut lines = vec![format!("view {}", view.key.view)];
        lines.extend(
            pipeline.operations().iter().zip(&view.drawn).filter_map(|(operation, drawn)| said(operation, drawn)),
        );
        let picture = Picture::of_values(pipeline.output_size(size), &values).shrunk(STYLE.side);
        row.push(Cell { picture, lines });
    }
    Ok(row)
}

/// What an operation drew, in words; nothing of one that has no choice.
fn said(operation: &Operation, drawn: &Drawn) -> Option<String> {
    match (operation, drawn) {
        (_, Drawn::Deterministic) => None,
        (Operation::RandomApply { operations, .. }, Drawn::RandomApply { drawn: None }) => {
            let names: Vec<&str> = operations.iter().map(word).collect();
            Some(format!("{} not applied", names.join(", ")))
        }
        (_, drawn) => Some(drawn.to_string()),
    }
}

/// An operation's name as what it drew is written: in lower case, one or two words.
fn word(operation: &Operation) -> &'static str {
    match operation {
        Operation::RandomResizedCrop { .. } | Operation::CenterCrop { .. } => "crop",
        Operation::Resize { .. } => "resize",
        Operation::HorizontalFlip { .. } => "flip",
        Operation::Translate { .. } => "shift",
        Operation::Rotate { .. } => "rotation",
        Operation::ColorJitter { .. } => "jitter",
        Operation::Grayscale { .. } => "grey",
        Operation::Solarize { .. } => "solarise",
        Operation::GaussianBlur { .. } => "blur",
        Operation::Cutout { .. } => "cutout",
        Operation::GaussianNoise { .. } => "noise",
        other => other.name(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use slowburn_augment::Key;

    #[test]
    fn what_is_shown_has_the_draws_of_the_whole_recipe() {
        let pipeline = slowburn_augment::presets::mean_teacher_cifar();
        let shown = without_normalisation(&pipeline).expect("a pipeline's beginning is one");
        assert_eq!(shown.operations(), &pipeline.operations()[..2]);
        let (key, size) = (Key { seed: 1, epoch: 2, sample: 3, view: 4 }, ImageSize::new(32, 32, 3));
        let whole = pipeline.draw(key, size).expect("fits");
        assert_eq!(shown.draw(key, size).expect("fits").drawn, whole.drawn[..2]);
        assert!(decoder(&pipeline).rgb && !decoder(&slowburn_augment::presets::fashion()).rgb);
    }

    #[test]
    fn what_is_not_applied_has_a_name() {
        let jitter = Operation::ColorJitter { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1 };
        let grey = Operation::Grayscale { probability: 0.5 };
        let sometimes = Operation::RandomApply { probability: 0.5, operations: vec![jitter, grey.clone()] };
        let none = Drawn::RandomApply { drawn: None };
        assert_eq!(said(&sometimes, &none).as_deref(), Some("jitter, grey not applied"));
        let some = Drawn::RandomApply { drawn: Some(vec![Drawn::Grayscale { gray: true }]) };
        assert_eq!(said(&sometimes, &some).as_deref(), Some("grey"));
        assert_eq!(said(&grey, &Drawn::Grayscale { gray: false }).as_deref(), Some("in colour"));
        assert_eq!(said(&Operation::Standardize { epsilon: 1e-6 }, &Drawn::Deterministic), None);
    }

    /// No preset has a line that leaves open what it speaks of.
    #[test]
    fn every_line_of_every_preset_names_its_operation() {
        let mut left_out = 0;
        for preset in slowburn_augment::presets::Preset::ALL {
            let pipeline = preset.pipeline(None).expect("a pipeline");
            let size = [3, 1].map(|channels| ImageSize::new(64, 64, channels));
            let views = Views::repeat(pipeline.clone(), 64).expect("views");
            let Some(drawn) = size.into_iter().find_map(|size| views.draw(0, 0, 0, size).ok()) else {
                panic!("{pipeline} draws nothing");
            };
            for view in &drawn {
                for (operation, drawn) in pipeline.operations().iter().zip(&view.drawn) {
                    let line = said(operation, drawn).unwrap_or_default();
                    assert!(!line.starts_with("not applied"), "{pipeline}");
                    left_out += usize::from(line.ends_with(" not applied"));
                }
            }
        }
        assert!(left_out > 0, "nothing was looked at");
    }
}
