//! Measures Slowburn on this machine, beside PyTorch if there is one. See `--help`.

mod compare;

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
    /// Runs the work of both sides in turn and prints one table.
    Compare(compare::Options),
    /// Streams files through the loader and prints the peak memory of this process in bytes.
    #[command(hide = true)]
    Stream {
        /// Folder of JPEG files.
        folder: PathBuf,
        /// How many times each file is in the data set.
        #[arg(long)]
        times: usize,
    },
}

fn main() -> Result<()> {
    match Cli::parse().command {
        Command::Compare(options) => compare::run(&options),
        Command::Stream { folder, times } => compare::memory::stream(&folder, times),
    }
}
