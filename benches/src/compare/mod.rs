//! The same work by Slowburn and by PyTorch, in turn (A B A B), on one machine.

mod chart;
mod files;
mod floor;
pub(crate) mod memory;
mod pytorch;
mod row;
mod session;
mod task;
mod views;

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::Args;
use slowburn_benches::backend::{built_in, open};

use crate::settings::{self, Settings};
use crate::{measure, picture};
use chart::Chart;
use session::Session;
use task::LOAD_CHECKPOINT;

#[derive(Args)]
pub(crate) struct Options {
    /// A Python with torch and torchvision, for the other side: the path of its interpreter.
    #[arg(long, value_name = "PYTHON")]
    pytorch: Option<PathBuf>,
    /// Rounds; the table has medians over them.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Only work whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
    /// Only this backend, of those that were built in, and not the views, which are made on the processor; or `cpu`
    /// for the views alone.
    #[arg(long, value_name = "NAME")]
    backend: Option<String>,
    /// Also write the rows as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Also draw the ratios, or without `--pytorch` the times: an SVG, or a PNG where the name ends so.
    #[arg(long, value_name = "FILE")]
    chart: Option<PathBuf>,
    #[command(flatten)]
    settings: Settings,
}

/// Runs everything and prints the table.
pub(crate) fn run(options: &Options) -> Result<()> {
    let cores = measure::cores()?;
    let folder = files::write()?;
    options.settings.apply()?;
    // The backend of the kernels, if it is there at all: a GPU is not opened to ask.
    let flex = built_in().into_iter().find(|name| *name == "flex").map(open).transpose()?;
    let kernels = flex.and_then(|backend| settings::kernels(&backend.device));
    let kernels = kernels.map(|kernels| format!(", {kernels}")).unwrap_or_default();
    println!("{}, {cores} threads{kernels}; {} rounds of {} s", measure::processor(), options.rounds, options.seconds);
    measure::warn_of_load();
    if options.pytorch.is_none() {
        println!("without --pytorch there is nothing to compare with");
    }
    if let Some(python) = options.pytorch.as_deref().filter(|_| LOAD_CHECKPOINT.contains(&options.only)) {
        pytorch::write_files(python, "load.py", folder.path())?;
    }
    let mut session = Session::new(options, cores, folder.path());
    let mut rows = Vec::new();
    let named = options.backend.as_deref();
    if named.is_none_or(|name| name == "cpu") {
        for task in views::tasks(folder.path(), cores)? {
            rows.extend(session.row(task, None, None)?);
        }
        if session.wants("memory") {
            rows.push(memory::row(folder.path(), &measure::processor())?);
        }
    }
    if named != Some("cpu") {
        for backend in measure::backends(named)? {
            rows.extend(session.rows_of(&backend)?);
        }
    }
    ensure!(!rows.is_empty(), "--only {}: no work has this in its name", options.only);
    println!("\n{}", row::table(&rows));
    if let Some(path) = &options.json {
        std::fs::write(path, serde_json::to_string_pretty(&rows)?).with_context(|| path.display().to_string())?;
    }
    match &options.chart {
        Some(path) => picture::write(&Chart::new(&rows), path),
        None => Ok(()),
    }
}
