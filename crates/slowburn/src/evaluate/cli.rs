use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use serde::Serialize;
use slowburn_augment::{Pipeline, WhiteningConfig};
use slowburn_contrastive::evaluation::{
    Fingerprint, KnnConfig, KnnReport, ProbeConfig, ProbeReport, ProbeSchedule, Representation, Spread, SweepConfig,
    SweepReport, spread,
};

use crate::args::{HelpAll, Machine, Reading, ReadingFlags};
use crate::network::Arch;
use crate::scoring::{test_images, training_images};
use crate::weights::{CheckpointError, Choice, Weights};
use crate::{data, device, note};
use slowburn_train::defaults::pretrain;
use slowburn_train::monitor::features;
use slowburn_train::run::write_atomically;

/// Score an encoder: weighted kNN and a linear probe, every parameter beside the score
///
/// Features are computed once, with the encoder frozen. Nothing is chosen by a test image.
#[derive(Debug, Clone, Args)]
#[command(args_override_self = true)]
pub struct Cli {
    /// A run folder or a weights file: safetensors, PyTorch's .pth, .pt, .pth.tar, .ckpt
    #[arg(value_name = "RUN|FILE")]
    pub weights: PathBuf,
    /// The images, with labels for training and test [default: the run's]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Which of a run's networks
    #[arg(long, value_enum, default_value_t = Encoding::Trained)]
    pub encoder: Encoding,
    /// The encoder in a bare file
    #[arg(long)]
    pub arch: Option<Arch>,
    /// Which network of a file that holds several, by what stands before its names [default: the trained one]
    #[arg(long, value_name = "PREFIX")]
    pub branch: Option<String>,
    /// Score the projection head's output instead of the features below it
    #[arg(long)]
    pub embedding: bool,
    /// The views whose fixed part (resizing, normalisation) images pass; needed for a bare file of colour images
    /// [default: the run's; `fashion` for a bare file of grey images]; not for a run on whitened images
    #[arg(long, value_name = "PRESET")]
    pub views: Option<String>,
    /// Neighbours that vote [default: 200, or a tenth of the labelled training images]
    #[arg(long, value_name = "K")]
    pub knn: Option<usize>,
    /// τ of their weights
    #[arg(long, default_value_t = 0.1, value_name = "τ")]
    pub temperature: f64,
    /// How the linear probe is trained
    #[arg(long, value_enum, default_value_t = Protocol::Sweep)]
    pub protocol: Protocol,
    /// The probe's learning rate, where a protocol's own is not wanted
    #[arg(long)]
    pub lr: Option<f64>,
    /// The probe's epochs, where a protocol's own are not wanted; its learning rate falls at the same shares of them
    #[arg(long)]
    pub epochs: Option<usize>,
    /// Scale each feature to mean 0 and deviation 1 for the probe
    #[arg(long)]
    pub standardize: bool,
    /// Seed of the probe's weights and order
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Write the report there as JSON
    #[arg(long, value_name = "FILE", alias = "output")]
    pub out: Option<PathBuf>,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub reading: ReadingFlags,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub machine: Machine,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub help: HelpAll,
}

/// Which of the two networks that a run leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// The one that the optimizer trained: query, or student.
    Trained,
    /// Its average: key, or teacher.
    Average,
}

/// How a linear probe is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// A learning rate chosen on a held-out part of the training images.
    Sweep,
    /// MoCo's: learning rate 30, a tenth at epochs 60 and 80 of 100.
    Moco,
    /// SimCLR's as lightly has it: learning rate 0.1, cosine over 90 epochs.
    Simclr,
}

impl std::fmt::Display for Protocol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Sweep => "sweep",
            Self::Moco => "moco",
            Self::Simclr => "simclr",
        })
    }
}

/// A linear probe of either kind.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::large_enum_variant)] // one value exists
pub enum Linear {
    /// With a protocol's learning rate.
    Probe(ProbeReport),
    /// With a chosen one.
    Sweep(SweepReport),
}

/// Scores, and all that they depend on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    /// The weights.
    pub weights: PathBuf,
    /// SHA-256 of that file.
    pub weights_sha256: String,
    /// The encoder.
    pub arch: Arch,
    /// The images.
    pub data: PathBuf,
    /// A fingerprint of the images.
    pub data_sha256: String,
    /// How images were whitened, fitted on the training images, before they passed the pipeline.
    pub whitening: Option<WhiteningConfig>,
    /// What images pass before the encoder.
    pub pipeline: Pipeline,
    /// The device, as on the command line.
    pub device: String,
    /// Whether the encoder's tensors were found unchanged, bit for bit.
    pub encoder_unchanged: bool,
    /// How far test features of unit length are spread.
    pub spread: Spread,
    /// Weighted nearest neighbours.
    pub knn: KnnReport,
    /// How the linear probe was trained.
    pub protocol: Protocol,
    /// The linear probe.
    pub linear: Linear,
}

impl Cli {
    fn probe(&self) -> ProbeConfig {
        let mut probe = match self.protocol {
            Protocol::Moco => ProbeConfig::moco(),
            Protocol::Simclr | Protocol::Sweep => ProbeConfig::simclr(),
        };
        probe.learning_rate = self.lr.unwrap_or(probe.learning_rate);
        if let Some(epochs) = self.epochs {
            set_epochs(&mut probe, epochs);
        }
        probe.standardize = self.standardize;
        probe.seed = self.seed;
        probe
    }

    fn sweep(&self) -> SweepConfig {
        let sweep = SweepConfig { probe: self.probe(), ..SweepConfig::default() };
        match self.lr {
            Some(rate) => SweepConfig { learning_rates: vec![rate], ..sweep },
            None => sweep,
        }
    }
}

/// Changes a probe's length; steps of its schedule stay at the same share of it.
fn set_epochs(probe: &mut ProbeConfig, epochs: usize) {
    let before = std::mem::replace(&mut probe.epochs, epochs);
    if let ProbeSchedule::Steps { at, .. } = &mut probe.schedule {
        at.iter_mut().for_each(|start| *start = (*start as f64 * epochs as f64 / before as f64).round() as usize);
    }
}

/// Does what the command line says and returns what to print.
///
/// # Errors
/// As [`evaluate`].
pub fn run(cli: &Cli) -> Result<String> {
    let evaluation = evaluate(cli)?;
    match cli.json {
        true => Ok(serde_json::to_string_pretty(&evaluation)? + "\n"),
        false => Ok(evaluation.to_string()),
    }
}

/// Does what the command line says and returns the report.
///
/// # Errors
/// Whatever is wrong with a flag, the checkpoint or the data.
pub fn evaluate(cli: &Cli) -> Result<Evaluation> {
    let device = device::parse(cli.machine.device())?;
    KnnConfig { k: cli.knn.unwrap_or(1), temperature: cli.temperature }.validate(usize::MAX)?;
    cli.sweep().validate()?;
    let average = cli.encoder == Encoding::Average;
    let checkpoint = Weights::read(&cli.weights, Choice { average, branch: cli.branch.as_deref(), arch: cli.arch })?;
    if let Some(taken) = checkpoint.taken() {
        note!("{taken}");
    }
    let facts = checkpoint.facts.as_ref();
    let none = || CheckpointError::NoData { path: checkpoint.file.clone() };
    let path = cli.data.clone().or_else(|| checkpoint.data.clone()).ok_or_else(none)?;
    let reading = cli.reading.on(facts.map_or_else(Reading::default, |facts| facts.reading));
    let data = data::load(&path, reading)?;
    let data_sha256 = data.fingerprint()?;
    let pipeline = checkpoint.pipeline(cli.views.as_deref(), data.image_size())?;
    let data = checkpoint.prepare(data)?;
    let network = checkpoint.network(pipeline.output_size(data.image_size()), cli.embedding, &device)?;
    let representation = if cli.embedding { Representation::Embedding } else { Representation::Features };

    let before = Fingerprint::of(&network);
    let train = training_images(&data, &pipeline, reading.broken)?;
    let test = test_images(&data, &pipeline, usize::MAX, reading.broken)?;
    let (Some(train), Some(test)) = (train, test) else {
        bail!("{} has no labels of training images or no test images: scores need both", path.display());
    };
    let train = features(&network, &train, representation, &device)?;
    let test = features(&network, &test, representation, &device)?;
    let k = cli.knn.unwrap_or_else(|| pretrain(data.train.len(), train.samples()).k);
    let knn = KnnConfig { k, temperature: cli.temperature }.evaluate(&train, &test)?;
    let linear = match cli.protocol {
        Protocol::Sweep => Linear::Sweep(cli.sweep().evaluate(&train, &test)?),
        Protocol::Moco | Protocol::Simclr => Linear::Probe(cli.probe().evaluate(&train, &test)?),
    };
    let encoder_unchanged = before.unchanged(&network).map(|()| true)?;
    let evaluation = Evaluation {
        weights: checkpoint.file,
        weights_sha256: checkpoint.sha256,
        arch: checkpoint.arch,
        data: data.path.clone(),
        data_sha256,
        whitening: checkpoint.whitening,
        pipeline: pipeline.evaluation(),
        device: cli.machine.device().to_owned(),
        encoder_unchanged,
        spread: spread(test.features()),
        knn,
        protocol: cli.protocol,
        linear,
    };
    if let Some(path) = &cli.out {
        let mut text = serde_json::to_vec_pretty(&evaluation)?;
        text.push(b'\n');
        write_atomically(path, &text).with_context(|| path.display().to_string())?;
    }
    Ok(evaluation)
}

impl std::fmt::Display for Evaluation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (knn, spread) = (&self.knn, self.spread);
        writeln!(f, "{} ({:?}), SHA-256 {}", self.weights.display(), self.arch, self.weights_sha256)?;
        writeln!(f, "{:?} of length {}, computed on {}", knn.representation, knn.dim, self.device)?;
        writeln!(f, "{}, {} training and {} test images", self.data.display(), knn.bank, knn.queries)?;
        if let Some(WhiteningConfig { preparation, bias }) = &self.whitening {
            writeln!(f, "whitened as fitted on the training images, bias {bias}, after {preparation}")?;
        }
        writeln!(f, "{}", self.pipeline)?;
        let accuracy = 100.0 * knn.accuracy;
        writeln!(f, "\n  kNN           {accuracy:6.2} %   k {}, τ {}, {}", knn.k, knn.temperature, knn.similarity)?;
        let (probe, chosen) = match &self.linear {
            Linear::Probe(probe) => (probe, String::new()),
            Linear::Sweep(sweep) => {
                let (tried, held_out) = (sweep.candidates.len(), sweep.held_out_samples);
                (&sweep.probe, format!(" (best of {tried} on {held_out} training images held out)"))
            }
        };
        let (accuracy, config) = (100.0 * probe.accuracy, &probe.config);
        writeln!(
            f,
            "  linear probe  {accuracy:6.2} %   protocol {}, learning rate {}{chosen}, {:?}, {} epochs, batch {}, \
             momentum {}, weight decay {}, standardised {}, seed {}",
            self.protocol,
            config.learning_rate,
            config.schedule,
            config.epochs,
            config.batch,
            config.momentum,
            config.weight_decay,
            config.standardize,
            config.seed
        )?;
        // An encoder that changed has no evaluation.
        writeln!(f, "  feature std   {:.4}     evenly spread {:.4}; the encoder is unchanged", spread.std, spread.even)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Program {
        #[command(flatten)]
        cli: Cli,
    }

    fn parse(flags: &[&str]) -> Cli {
        let line = ["evaluate", "run", "--data", "data", "--protocol", "moco"];
        <Program as clap::Parser>::parse_from(line.into_iter().chain(flags.iter().copied())).cli
    }

    #[test]
    fn a_shorter_probe_has_its_steps_at_the_same_shares() {
        for (flags, epochs, expected) in [
            (&[][..], 100, [60, 80]),
            (&["--epochs", "50"], 50, [30, 40]),
            (&["--epochs", "200"], 200, [120, 160]),
            (&["--epochs", "7"], 7, [4, 6]),
        ] {
            let probe = parse(flags).probe();
            assert_eq!(probe.epochs, epochs);
            assert_eq!(probe.schedule, ProbeSchedule::Steps { at: expected.to_vec(), factor: 0.1 }, "{epochs} epochs");
        }
    }
}
