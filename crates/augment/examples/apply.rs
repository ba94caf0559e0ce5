//! Applies pipelines to raw images, for comparison with other libraries (`tests/fixtures/compare_photos.py`).
//!
//! Reads a JSON list of jobs: the file of an image of H×W×3 bytes, a pipeline or the name and size of a preset, a sample
//! number. Writes the bytes H×W×3 of each view before its normalisation, and a JSON list of what was drawn.

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use slowburn_augment::presets::Preset;
use slowburn_augment::{Image, ImageSize, Key, Operation, Pipeline, View};

#[derive(Deserialize)]
struct Job {
    image: PathBuf,
    height: usize,
    width: usize,
    recipe: Recipe,
    sample: u64,
    output: PathBuf,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Recipe {
    Pipeline(Pipeline),
    Preset { name: String, size: u32 },
}

#[derive(Serialize)]
struct Applied {
    operations: Vec<Operation>,
    view: View,
    height: usize,
    width: usize,
}

fn apply(job: Job) -> Result<Applied, Box<dyn Error>> {
    let size = ImageSize::new(job.height, job.width, 3);
    let pixels = fs::read(&job.image)?;
    let pipeline = match job.recipe {
        Recipe::Pipeline(pipeline) => pipeline,
        Recipe::Preset { name, size } => name.parse::<Preset>()?.pipeline(Some(size))?,
    };
    let visible = |operation: &&Operation| !matches!(operation, Operation::Normalize { .. });
    let operations: Vec<Operation> = pipeline.operations().iter().filter(visible).cloned().collect();
    let pipeline = pipeline.with_operations(operations.clone())?;
    let view = pipeline.draw(Key { sample: job.sample, ..Key::default() }, size)?;
    let output = pipeline.output_size(size);
    let mut values = vec![0.0; output.values()];
    pipeline.apply(&view, Image::new(size, &pixels)?, &mut values)?;
    let plane = output.height * output.width;
    let byte = |place: usize| (values[place % 3 * plane + place / 3] * 255.0).round() as u8;
    fs::write(&job.output, (0..output.values()).map(byte).collect::<Vec<u8>>())?;
    Ok(Applied { operations, view, height: output.height, width: output.width })
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (jobs, applied) = (arguments.next().ok_or("JOBS.json VIEWS.json")?, arguments.next().ok_or("VIEWS.json")?);
    let jobs: Vec<Job> = serde_json::from_slice(&fs::read(jobs)?)?;
    let views = jobs.into_iter().map(apply).collect::<Result<Vec<_>, _>>()?;
    Ok(fs::write(applied, serde_json::to_vec(&views)?)?)
}
