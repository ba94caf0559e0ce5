use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{ArgGroup, Args, ValueEnum};
use slowburn_augment::ImageSize;

use super::{graph, tensors};
use crate::images::TrainedNetwork;
use crate::{device, note};

/// Write a trained network for other programs: as ONNX, to run it; as safetensors, to train on
///
/// What the file needs to be used rightly is in its metadata: size and normalisation of images, classes, recipe.
#[derive(Debug, Clone, Args)]
#[command(args_override_self = true, group(ArgGroup::new("to").args(["onnx", "safetensors"]).required(true).multiple(true)))]
pub struct Cli {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub trained: TrainedNetwork,
    /// Write an ONNX model there: images to probabilities, features or embeddings, of any batch size
    #[arg(long, value_name = "FILE.onnx")]
    pub onnx: Option<PathBuf>,
    /// Write safetensors there, under torchvision's names
    #[arg(long, value_name = "FILE.safetensors")]
    pub safetensors: Option<PathBuf>,
    /// What the ONNX model makes of images [default: probabilities where there are classes, else features]
    #[arg(long, value_enum, requires = "onnx")]
    pub output: Option<Output>,
    /// Whether the ONNX model takes pixels in [0, 1] and normalises them, or takes what is normalised
    #[arg(long, value_enum, default_value_t = Normalise::Inside, requires = "onnx", value_name = "WHERE")]
    pub normalise: Normalise,
    /// Make the batch normalisations of the ONNX model part of its convolutions: faster, the same up to rounding
    #[arg(long, requires = "onnx")]
    pub fold: bool,
    /// Whose names the safetensors have
    #[arg(long, value_enum, default_value_t = Names::Torchvision, requires = "safetensors")]
    pub names: Names,
    /// Side of the images in pixels as the network sees them, for a bare file
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u32).range(8..=1024))]
    pub size: Option<u32>,
}

/// What an ONNX model makes of images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Probabilities of the classes.
    Probabilities,
    /// What the softmax is taken of.
    Logits,
    /// Features, below any head.
    Features,
    /// The projection head's output, not normalised.
    Embeddings,
}

/// Where an ONNX model's images are normalised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Normalise {
    /// In the model: it takes pixels in [0, 1].
    Inside,
    /// Before it: it takes what is normalised, by the mean and deviation in its metadata.
    Outside,
}

/// Whose names safetensors have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Names {
    /// torchvision's: `load_state_dict(strict=True)` takes them.
    Torchvision,
    /// MoCo's: both encoders, queue and pointer, of a run of `pretrain`.
    Moco,
}

/// Does what the command line says.
///
/// # Errors
/// Whatever is wrong with a flag or the weights, and networks that cannot be exported.
pub fn run(cli: &Cli) -> Result<()> {
    let device = device::parse("cpu")?;
    let weights = cli.trained.read()?;
    let side = |side: u32| ImageSize { height: side as usize, width: side as usize, channels: weights.channels() };
    let asked = cli.size.map(side);
    let about = weights.about(cli.trained.views.as_deref(), asked)?;
    if let (Some(size), Some([_, height, width])) = (cli.size, about.image)
        && [height, width] != [size as usize; 2]
    {
        bail!("--size is {size}, but {} says that its images are {height}×{width}", weights.file.display());
    }
    if let Some(path) = &cli.safetensors {
        match cli.names {
            Names::Torchvision => tensors::write(&weights, &about, path, &device)?,
            Names::Moco => tensors::write_moco(&cli.trained.weights, &about, path)?,
        }
        note!("{}", path.display());
    }
    let Some(path) = &cli.onnx else { return Ok(()) };
    if weights.whitening.is_some() && cli.normalise == Normalise::Inside {
        bail!(
            "{} was trained on whitened images, and an ONNX model here holds no whitening: whiten and normalise them \
             before, and export with --normalise outside",
            weights.file.display()
        );
    }
    let written = graph::write(&weights, &about, cli, path, &device)?;
    note!("{written}");
    Ok(())
}
