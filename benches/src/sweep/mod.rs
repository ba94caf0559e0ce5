//! How cost grows: the same work at several sizes, and the exponent of its growth.

mod axis;
mod chart;
#[cfg(feature = "flex")]
mod convolution;
mod series;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;

use crate::settings::Settings;
use crate::{measure, picture};
use axis::Axis;
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
    /// Only series whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
    #[command(flatten)]
    settings: Settings,
}

/// How long each size is measured.
#[derive(Debug, Clone, Copy)]
struct Effort {
    quick: bool,
    rounds: u32,
    seconds: f64,
}

/// Measures every series and prints its exponent.
pub(crate) fn run(options: &Options) -> Result<()> {
    let backend = measure::backend(options.backend.as_deref())?;
    options.settings.apply()?;
    let (rounds, seconds) = if options.quick { (1, 0.0) } else { (options.rounds, options.seconds) };
    println!("{}; {rounds} rounds of {seconds} s", measure::machine(&backend)?);
    measure::warn_of_load();
    let effort = Effort { quick: options.quick, rounds, seconds };
    let wanted = |name: &str| name.contains(&options.only);
    let mut all: Vec<Series> = Vec::new();
    for axis in Axis::on(&backend).filter(|axis| wanted(axis.words().name)) {
        let series = axis.measure(&backend, effort)?;
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
