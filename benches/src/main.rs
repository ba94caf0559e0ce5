//! Measures Slowburn on this machine, beside PyTorch if there is one. See `--help`.

mod compare;
mod measure;
mod picture;
mod process;
mod profile;
mod prove;
mod settings;
mod sweep;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Measures Slowburn on this machine, beside PyTorch if there is one")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the work of both sides in turn on every backend that was built in, and prints one table.
    Compare(compare::Options),
    /// How cost grows with the queue, the batch and the network: fitted exponents, plotted.
    Sweep(sweep::Options),
    /// Where the time of a full step goes, and what the method costs beside its networks.
    Profile(profile::Options),
    /// Streams files through the loader and prints the peak memory of this process in bytes.
    #[command(hide = true)]
    Stream {
        /// Folder of JPEG files.
        folder: PathBuf,
        /// How many times each file is in the data set.
        #[arg(long)]
        times: usize,
    },
    /// Does a piece of work a few times and prints the most memory that it took beyond its inputs, in bytes.
    #[command(hide = true)]
    Peak {
        /// Name of the work.
        name: String,
        /// On this backend.
        #[arg(long)]
        backend: String,
        /// Of files that it reads.
        #[arg(long)]
        folder: PathBuf,
        #[command(flatten)]
        settings: settings::Settings,
    },
    /// One side of `benches/pytorch/weights/prove.py`.
    #[command(hide = true, subcommand)]
    Prove(prove::Command),
}

fn main() -> Result<()> {
    match Cli::parse().command {
        Command::Compare(options) => compare::run(&options),
        Command::Sweep(options) => sweep::run(&options),
        Command::Profile(options) => profile::run(&options),
        Command::Stream { folder, times } => compare::memory::stream(&folder, times),
        Command::Peak { name, backend, folder, settings } => {
            compare::memory::print_peak(&name, &backend, &folder, settings)
        }
        Command::Prove(command) => prove::run(&command),
    }
}
