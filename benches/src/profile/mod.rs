//! Where the time of a full training step goes, and what a method costs beside the passes of its networks.
//!
//! Two kinds of steps take turns: the library's own, timed as a whole with the loader working ahead as in a training,
//! and one that does the same by public parts, each of them timed, with the batch made before it.

mod batches;
mod clock;
mod mean_teacher;
mod moco;
mod report;
mod sgd;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;

use crate::measure;
use report::Report;

#[derive(Args)]
pub(crate) struct Options {
    /// This backend, of those that were built in; the first without.
    #[arg(long, value_name = "NAME")]
    backend: Option<String>,
    /// Images in a batch.
    #[arg(long, default_value_t = 64)]
    batch: usize,
    /// Steps of either kind; medians over them count.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// A small batch once, to see whether it works.
    #[arg(long)]
    quick: bool,
    /// Also write the parts as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Profiles both methods, and the optimizer that neither uses.
pub(crate) fn run(options: &Options) -> Result<()> {
    let backend = measure::backend(options.backend.as_deref())?;
    let (batch, rounds) = if options.quick { (8, 1) } else { (options.batch, options.rounds) };
    let cores = measure::cores()?;
    println!("{}, {}, {cores} threads; medians of {rounds} steps", backend.name, measure::hardware(&backend));
    measure::warn_of_load();
    let device = &backend.device;
    let mut reports = Vec::new();
    for report in [moco::profile(batch, rounds, device), mean_teacher::profile(batch, rounds, device)] {
        let report: Report = report?;
        println!("\n{}", report.text());
        reports.push(report);
    }
    println!("\n{}", sgd::profile(rounds, device)?);
    match &options.json {
        Some(path) => {
            std::fs::write(path, serde_json::to_string_pretty(&reports)?).with_context(|| path.display().to_string())
        }
        None => Ok(()),
    }
}
