use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use super::{NamedImages, Prepared, SeenImages};
use crate::args::Machine;
use crate::network::Arch;
use crate::note;
use crate::predict::Network;
use crate::weights::{Choice, Weights};

/// The trained network of a command that uses one.
#[derive(Debug, Clone, Args)]
pub struct TrainedNetwork {
    /// A run folder or a weights file: safetensors, PyTorch's .pth, .pt, .pth.tar, .ckpt
    #[arg(value_name = "RUN|FILE")]
    pub weights: PathBuf,
    /// Which of a run's networks [default: the average, where the run has one]
    #[arg(long, value_enum)]
    pub network: Option<Network>,
    /// The network of a bare file
    #[arg(long)]
    pub arch: Option<Arch>,
    /// Which network of a file that holds several, by what stands before its names [default: the trained one]
    #[arg(long, value_name = "PREFIX")]
    pub branch: Option<String>,
    /// The preset of views whose fixed part images pass, for a bare file
    #[arg(long, value_name = "PRESET")]
    pub views: Option<String>,
}

impl TrainedNetwork {
    /// Reads the weights: of a run the average, where it has one, else the network that was trained.
    ///
    /// # Errors
    /// Those of [`Weights::read`].
    pub fn read(&self) -> Result<Weights> {
        let average = match self.network {
            Some(network) => network == Network::Teacher,
            None => ["teacher.safetensors", "key.safetensors"].iter().any(|name| self.weights.join(name).exists()),
        };
        let choice = Choice { average, branch: self.branch.as_deref(), arch: self.arch };
        let weights = Weights::read(&self.weights, choice)?;
        if let Some(taken) = weights.taken() {
            note!("{taken}");
        }
        Ok(weights)
    }

    /// Finds the images and prepares them for these weights.
    ///
    /// # Errors
    /// Those of [`SeenImages::prepare`].
    pub fn prepare(&self, weights: &Weights, images: &NamedImages, machine: &Machine) -> Result<Prepared> {
        SeenImages { weights, views: self.views.as_deref(), workers: machine.workers() }.prepare(images)
    }
}
