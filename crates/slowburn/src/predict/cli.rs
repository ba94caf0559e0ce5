use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::activation::softmax;
use clap::{Args, ValueEnum};
use slowburn_models::Classifier;

use super::Confusion;
use super::rows::{Row, Rows};
use crate::args::{HelpAll, Machine};
use crate::images::{NamedImages, Prepared, TrainedNetwork, in_fixed_batches};
use crate::network::Backbone;
use crate::{device, note, say};

/// Classes and probabilities of new images, as CSV or JSON lines
///
/// Where the classes of images are known, from the names of their folders or by --labels, accuracy and a confusion matrix come
/// on top. With --labels-above, what is sure becomes a label file for `slowburn train --labels`.
#[derive(Debug, Clone, Args)]
#[command(args_override_self = true)]
pub struct Cli {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub trained: TrainedNetwork,
    /// How results are written
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    pub format: Format,
    /// Write results there instead of to standard output
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Write a label file of the images whose class has at least this probability, with those of --labels on top
    #[arg(long, value_name = "P")]
    pub labels_above: Option<f64>,
    /// The true classes of images: a label file, in the place of the names of their folders
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,
    /// Draw the confusion matrix there
    #[arg(long, value_name = "FILE.png")]
    pub confusion: Option<PathBuf>,
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

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A header, then a line an image: its name, its known class, the class found, its probability, those of all classes.
    Csv,
    /// One JSON object a line.
    Jsonl,
}

/// Which of a run's networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Network {
    /// The one that the optimizer trained.
    Student,
    /// Its average.
    Teacher,
}

/// Does what the command line says.
///
/// # Errors
/// Whatever is wrong with a flag, the weights or the images.
pub fn run(cli: &Cli) -> Result<()> {
    if let Some(above) = cli.labels_above {
        ensure!((0.0..=1.0).contains(&above), "--labels-above is {above}: it must be a probability, in [0, 1]");
        ensure!(cli.format == Format::Csv, "--labels-above writes a label file, which is no --format jsonl");
    }
    let device = device::parse(cli.machine.device())?;
    let weights = cli.trained.read()?;
    let classes = weights.class_names();
    let mut prepared = cli.trained.prepare(&weights, &cli.images, &cli.machine)?;
    if let Some(path) = &cli.labels {
        prepared.named = prepared.named.with_labels(path, Some(&classes))?;
    }
    if let Some(path) = &cli.confusion {
        let known = |truth: &Option<String>| truth.as_ref().is_some_and(|truth| classes.contains(truth));
        ensure!(
            prepared.named.truth.iter().any(known),
            "--confusion {} needs the classes of some images: folders with the names of the classes, or --labels",
            path.display()
        );
    }
    let classifier = weights.classifier(prepared.size, &device)?.valid();
    let out: Box<dyn Write> = match &cli.out {
        Some(path) => Box::new(File::create(path).with_context(|| format!("cannot write {}", path.display()))?),
        None => Box::new(io::stdout().lock()),
    };
    let csv_labels = cli.out.as_ref().is_some_and(|path| path.extension().is_some_and(|end| end == "csv"));
    let mut rows = Rows::new(BufWriter::new(out), cli.format, &classes, cli.labels_above, csv_labels)
        .keeping_known(cli.labels.is_some());
    let confusion = predict(&classifier, &prepared, &classes, &device, |row| rows.write(&row))?;
    let found = rows.labels_found();
    rows.end()?;
    if cli.labels_above.is_some() {
        note!("{found}");
    }
    report(cli, &prepared, &classes, &confusion)
}

/// Calls with a row for every image that can be decoded, in order.
fn predict(
    classifier: &Classifier<Backbone>,
    prepared: &Prepared,
    classes: &[String],
    device: &burn::tensor::Device,
    mut each: impl FnMut(Row<'_>) -> Result<()>,
) -> Result<Confusion> {
    let Prepared { named, set, .. } = prepared;
    let forward = |images: Tensor<4>| softmax(classifier.forward(images), 1);
    let mut confusion = Confusion::new(classes.len());
    for batch in set.batches(device)? {
        let batch = batch?;
        let probabilities: Vec<f32> = in_fixed_batches(batch.images, forward).into_data().iter::<f32>().collect();
        for (sample, probabilities) in batch.samples.iter().zip(probabilities.chunks_exact(classes.len())) {
            let name = &named.names[*sample];
            ensure!(probabilities.iter().all(|p| p.is_finite()), "{name}: the network's probabilities are no numbers");
            let truth = named.truth[*sample].as_ref().and_then(|truth| classes.iter().position(|class| class == truth));
            let row = Row { name, truth, probabilities };
            if let Some(truth) = truth {
                confusion.count(truth, row.class());
            }
            each(row)?;
        }
    }
    Ok(confusion)
}

/// Accuracy, confusion matrix, and what was left out: on standard error where predictions are on standard output.
fn report(cli: &Cli, prepared: &Prepared, classes: &[String], confusion: &Confusion) -> Result<()> {
    let left_out = prepared.set.report().skipped.len();
    if left_out > 0 {
        note!("{}", crate::out::left_out(left_out));
    }
    if confusion.total() > 0 {
        match &cli.out {
            Some(_) => say!("{confusion}"),
            None => note!("{confusion}"),
        }
    }
    if let Some(path) = &cli.confusion {
        crate::report::draw_confusion(confusion.counts(), classes, path)?;
        note!("{}", path.display());
    }
    Ok(())
}
