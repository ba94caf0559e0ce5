//! How cost grows: the same work at several sizes, and the exponent of its growth.

mod chart;
mod series;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;

use crate::{measure, picture};
use chart::Chart;
use series::Series;

#[derive(Args)]
pub(crate) struct Options {
    /// This backend, of those that were built in; the first without.
    #[arg(long, value_name = "NAME")]
    backend: Option<String>,
    /// Rounds; medians over them count.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 0.5)]
    seconds: f64,
    /// Small sizes once, to see whether it works.
    #[arg(long)]
    quick: bool,
    /// Also write the measurements and fits as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Also plot them: an SVG, or a PNG where the name ends so.
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

/// Measures every series and prints its exponent.
pub(crate) fn run(options: &Options) -> Result<()> {
    let backend = measure::backend(options.backend.as_deref())?;
    let (rounds, seconds) = if options.quick { (1, 0.0) } else { (options.rounds, options.seconds) };
    println!(
        "{}, {}, {} threads; {rounds} rounds of {seconds} s",
        backend.name,
        measure::hardware(&backend),
        measure::cores()?
    );
    measure::warn_of_load();
    let mut all: Vec<Series> = Vec::new();
    for axis in series::Axis::ALL {
        let series = axis.measure(&backend, options.quick, rounds, seconds)?;
        println!("\n{}", series.text());
        all.push(series);
    }
    if let Some(path) = &options.json {
        std::fs::write(path, serde_json::to_string_pretty(&all)?).with_context(|| path.display().to_string())?;
    }
    match &options.plot {
        Some(path) => picture::write(&Chart(&all), path),
        None => Ok(()),
    }
}
