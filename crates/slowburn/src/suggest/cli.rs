use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use burn::module::Module;
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor};
use clap::Args;
use slowburn_augment::loader::ReadBuffers;

use super::{By, Choice, Rows, automatic, typical, uncertain};
use crate::args::{HelpAll, Machine};
use crate::embed::Features;
use crate::images::{NamedImages, Prepared, TrainedNetwork, in_fixed_batches};
use crate::sheet::contact::{Thumb, write_grid};
use crate::weights::Weights;
use crate::{device, note};

/// Which images to label next, as a list and a contact sheet
///
/// While few have a label: those that are typical of their group and unlike each other. Later: those that the network is least
/// certain of, unlike each other too. The list is a table with an empty column `label`: filled in, it is a label file for
/// `slowburn train --labels`.
#[derive(Debug, Clone, Args)]
#[command(args_override_self = true)]
pub struct Cli {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub trained: TrainedNetwork,
    /// How many images
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub count: u32,
    /// Which images have a label already: a label file
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,
    /// By what they are chosen [default: typical below 10 labels a class, and for a network without classes]
    #[arg(long, value_enum)]
    pub by: Option<By>,
    /// Write the list there instead of to standard output
    #[arg(long, value_name = "FILE.csv")]
    pub out: Option<PathBuf>,
    /// Draw the images there
    #[arg(long, value_name = "FILE.png")]
    pub sheet: Option<PathBuf>,
    /// Seed of the groups
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
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

/// Columns of the contact sheet.
const COLUMNS: usize = 6;

/// Does what the command line says.
///
/// # Errors
/// Whatever is wrong with a flag, the weights or the images.
pub fn run(cli: &Cli) -> Result<()> {
    if let Some(out) = cli.out.as_deref().filter(|out| holds_labels(out)) {
        bail!("--out {}: the file has labels in it, which would be lost: name another", out.display());
    }
    let device = device::parse(cli.machine.device())?;
    let weights = cli.trained.read()?;
    let mut prepared = cli.trained.prepare(&weights, &cli.images, &cli.machine)?;
    let features = Features::of(&weights, &prepared, false, &device)?;
    let labeled = match &cli.labels {
        Some(path) => {
            prepared.named = prepared.named.with_labels(path, None)?;
            labeled(&prepared, &features)
        }
        None => Labeled::default(),
    };
    let candidates = features.samples.len() - labeled.places.len();
    if candidates == 0 {
        bail!("every image has a label: there is nothing to suggest");
    }
    let by = match (cli.by, weights.classes()) {
        (Some(By::Uncertain), None) => {
            bail!("--by uncertain needs a network that tells classes apart: a run of `slowburn train`")
        }
        (Some(by), _) => by,
        (None, None) => By::Typical,
        (None, Some(classes)) => automatic(labeled.places.len(), classes.max(labeled.classes)),
    };
    let rows = Rows::new(&features.values, features.dim)?;
    let count = cli.count as usize;
    let choices = match by {
        By::Typical => typical(rows, &labeled.places, count, cli.seed)?,
        By::Uncertain => {
            let classes = weights.class_names();
            let probabilities = probabilities(&weights, &prepared, &device)?;
            let probabilities = Rows::new(&probabilities, classes.len())?;
            uncertain(rows, probabilities, &classes, &labeled.places, count, cli.seed)?
        }
    };
    write(cli, &choices, &features, &prepared)?;
    if let Some(path) = &cli.sheet {
        sheet(path, &choices, &features, &prepared)?;
        note!("{}", path.display());
    }
    let how = match by {
        By::Typical => "typical of their group",
        By::Uncertain => "uncertain",
    };
    note!("{} of {candidates} images without a label, the most {how}, unlike each other", choices.len());
    Ok(())
}

/// Which of the features are of images with a label.
#[derive(Debug, Default)]
struct Labeled {
    places: Vec<usize>,
    classes: usize,
}

fn labeled(prepared: &Prepared, features: &Features) -> Labeled {
    let truth = |&place: &usize| prepared.named.truth[features.samples[place]].as_deref();
    let places: Vec<usize> = (0..features.samples.len()).filter(|place| truth(place).is_some()).collect();
    let classes = places.iter().filter_map(truth).collect::<HashSet<_>>().len();
    Labeled { places, classes }
}

/// Of each class, of the images that can be decoded, rows first.
fn probabilities(weights: &Weights, prepared: &Prepared, device: &Device) -> Result<Vec<f32>> {
    let classifier = weights.classifier(prepared.size, device)?.valid();
    let mut values = Vec::new();
    for batch in prepared.set.batches(device)? {
        let images = batch?.images;
        let forward = |images: Tensor<4>| softmax(classifier.forward(images), 1);
        values.extend(in_fixed_batches(images, forward).into_data().iter::<f32>());
    }
    Ok(values)
}

/// Whether there is a file that is no list of this command with its labels still empty.
fn holds_labels(path: &Path) -> bool {
    let Ok(mut table) = csv::Reader::from_path(path) else { return false };
    let ours = table.headers().is_ok_and(|header| header.iter().eq(COLUMN_NAMES));
    !ours || table.records().any(|record| !record.is_ok_and(|record| record.get(1) == Some("")))
}

/// The columns of the list.
const COLUMN_NAMES: [&str; 4] = ["filename", "label", "reason", "score"];

/// The list, with an empty column for the label.
fn write(cli: &Cli, choices: &[Choice], features: &Features, prepared: &Prepared) -> Result<()> {
    let out: Box<dyn Write> = match &cli.out {
        Some(path) => Box::new(File::create(path).with_context(|| format!("cannot write {}", path.display()))?),
        None => Box::new(io::stdout().lock()),
    };
    let mut csv = csv::Writer::from_writer(BufWriter::new(out));
    csv.write_record(COLUMN_NAMES)?;
    for choice in choices {
        let name = &prepared.named.names[features.samples[choice.index]];
        csv.write_record([name.as_str(), "", &choice.reason, &choice.score.to_string()])?;
    }
    Ok(csv.flush()?)
}

/// The longest line of a caption, in letters.
const LETTERS: usize = 20;

/// Text in lines of a caption, broken between words.
fn lines(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= LETTERS => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

fn sheet(path: &Path, choices: &[Choice], features: &Features, prepared: &Prepared) -> Result<()> {
    let mut buffers = ReadBuffers::default();
    let mut thumbs = Vec::new();
    for (rank, choice) in choices.iter().enumerate() {
        let sample = features.samples[choice.index];
        let image = prepared.named.source.read(sample, &mut buffers)?.image;
        let name = prepared.named.names[sample].clone();
        let mut caption = vec![format!("{}. {name}", rank + 1)];
        caption.extend(lines(&choice.reason));
        thumbs.push(Thumb::new(image, caption)?);
    }
    write_grid(path, "images to label next", &thumbs, COLUMNS)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_somebody_filled_in_is_not_written_over() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("label-these.csv");
        assert!(!holds_labels(&file), "there is none");
        for (text, holds) in [
            ("filename,label,reason,score\na.jpg,,far,0.5\n", false),
            ("filename,label,reason,score\na.jpg,,far,0.5\nb.jpg,cat,far,0.5\n", true),
            ("filename,label\na.jpg,cat\n", true),
            ("a.jpg cat\n", true),
        ] {
            std::fs::write(&file, text).expect("written");
            assert_eq!(holds_labels(&file), holds, "{text}");
        }
    }
}
