use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use super::{NamedImages, Prepared, SeenImages};
use crate::args::Machine;
use crate::network::Arch;
use crate::predict::{Network, read_weights};
use crate::weights::Weights;

/// The trained network of a command that uses one.
#[derive(Debug, Clone, Args)]
pub struct TrainedNetwork {
    /// A run, or a weights file with --arch
    #[arg(value_name = "RUN|FILE")]
    pub weights: PathBuf,
    /// Which of a run's networks [default: the average, where the run has one]
    #[arg(long, value_enum)]
    pub network: Option<Network>,
    /// The network of a bare file
    #[arg(long)]
    pub arch: Option<Arch>,
    /// The preset of views whose fixed part images pass, for a bare file
    #[arg(long, value_name = "PRESET")]
    pub views: Option<String>,
}

impl TrainedNetwork {
    /// Reads the weights.
    ///
    /// # Errors
    /// Those of [`Weights::read`].
    pub fn read(&self) -> Result<Weights> {
        read_weights(&self.weights, self.network, self.arch)
    }

    /// Finds the images and prepares them for these weights.
    ///
    /// # Errors
    /// Those of [`SeenImages::prepare`].
    pub fn prepare(&self, weights: &Weights, images: &NamedImages, machine: &Machine) -> Result<Prepared> {
        SeenImages { weights, views: self.views.as_deref(), workers: machine.workers() }.prepare(images)
    }
}
