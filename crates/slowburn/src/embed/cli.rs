use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;

use super::{Features, files, neighbours};
use crate::args::{HelpAll, Machine};
use crate::images::{NamedImages, Prepared, TrainedNetwork};
use crate::{device, note, say};

/// Features of images, for search, clusters or another program
///
/// With --neighbours it finds the images that are most alike, as a list or, with --sheet, as a picture.
#[derive(Debug, Clone, Args)]
#[command(args_override_self = true)]
pub struct Cli {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub trained: TrainedNetwork,
    /// Write features there: .safetensors or .npy (names beside in .names.txt), or .csv [default: CSV on standard output]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Features of unit length
    #[arg(long)]
    pub normalize: bool,
    /// What the projection head makes of the features below it
    #[arg(long)]
    pub embedding: bool,
    /// List the N images that are most alike to each, by the cosine of their features
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub neighbours: Option<u32>,
    /// Draw images beside those that are most alike there, in the place of a list
    #[arg(long, value_name = "FILE.png")]
    pub sheet: Option<PathBuf>,
    /// Images in the first column of the sheet, spread evenly
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=200))]
    pub queries: u32,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub images: NamedImages,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub machine: Machine,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub help: HelpAll,
}

/// Neighbours in a sheet where nobody says how many.
const SHOWN: u32 = 8;

/// Does what the command line says.
///
/// # Errors
/// Whatever is wrong with a flag, the weights or the images.
pub fn run(cli: &Cli) -> Result<()> {
    files::check(cli.out.as_deref())?;
    let device = device::parse(cli.machine.device())?;
    let weights = cli.trained.read()?;
    let prepared = cli.trained.prepare(&weights, &cli.images, &cli.machine)?;
    let mut features = Features::of(&weights, &prepared, cli.embedding, &device)?;
    let names: Vec<String> = features.samples.iter().map(|&sample| prepared.named.names[sample].clone()).collect();
    let left_out = prepared.named.names.len() - names.len();
    if left_out > 0 {
        note!("{}", crate::out::left_out(left_out));
    }
    let wants_neighbours = cli.neighbours.is_some() || cli.sheet.is_some();
    if wants_neighbours {
        alike(cli, &features, &names, &prepared)?;
    }
    if cli.normalize {
        normalize(&mut features);
    }
    match &cli.out {
        Some(path) => {
            files::write(path, &names, &features)?;
            note!("{}: {} features of length {}", path.display(), names.len(), features.dim);
        }
        None if !wants_neighbours => files::write_csv(std::io::stdout().lock(), &names, &features)?,
        None => {}
    }
    Ok(())
}

fn normalize(features: &mut Features) {
    for row in features.values.chunks_exact_mut(features.dim) {
        let length = row.iter().map(|value| value * value).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
        row.iter_mut().for_each(|value| *value /= length);
    }
}

/// Lists or draws which images are alike.
fn alike(cli: &Cli, features: &Features, names: &[String], prepared: &Prepared) -> Result<()> {
    if names.len() < 2 {
        bail!("--neighbours needs at least two images: there is one");
    }
    let count = cli.neighbours.unwrap_or(SHOWN) as usize;
    match &cli.sheet {
        Some(path) => {
            let (shown, total) = ((cli.queries as usize).min(names.len()), names.len());
            let queries: Vec<usize> = (0..shown).map(|query| query * total / shown).collect();
            let found = neighbours::nearest(features, &queries, count);
            neighbours::draw(path, &queries, &found, features, prepared)?;
            note!("{}", path.display());
        }
        None => {
            let queries: Vec<usize> = (0..names.len()).collect();
            let found = neighbours::nearest(features, &queries, count);
            say!("image,rank,neighbour,similarity");
            let mut out = csv::Writer::from_writer(std::io::stdout().lock());
            for (query, row) in queries.iter().zip(&found) {
                for (rank, near) in row.iter().enumerate() {
                    let (rank, similarity) = ((rank + 1).to_string(), near.similarity.to_string());
                    out.write_record([&names[*query], &rank, &names[near.place], &similarity])?;
                }
            }
            out.flush()?;
        }
    }
    Ok(())
}
