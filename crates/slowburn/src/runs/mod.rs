//! `runs [FOLDER]`: the runs below a folder as a table: what they are, what they differ in, how far they are, what came out.

mod curves;
mod find;
mod info;
mod plot;
mod scores;
mod settings;
mod state;
mod table;

#[cfg(test)]
mod tests;

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;

pub use curves::curves;
pub use find::find;
pub use info::{RunInfo, Score};
pub use settings::{Setting, Settings, differing};
pub use state::State;

/// List the runs below a folder, with the settings in which they differ and their scores.
///
/// A run that has stopped is told from one that is training by its files: one that has just written a checkpoint, or does so
/// within three times the time between its last two, counts as running.
#[derive(Debug, Clone, Args)]
pub struct Cli {
    /// Where the runs are
    #[arg(value_name = "FOLDER", default_value = "runs")]
    pub folder: PathBuf,
    /// Print everything as JSON
    #[arg(long)]
    pub json: bool,
    /// Show every setting that differs, in full, however wide the table gets
    #[arg(long)]
    pub all_settings: bool,
    /// Draw the runs' curves into one picture
    #[arg(long, value_name = "FILE.png")]
    pub plot: Option<PathBuf>,
    /// What --plot draws, `loss` or `student accuracy` for example [default: an accuracy that half of the runs have, else the loss]
    #[arg(long, value_name = "NAME", requires = "plot")]
    pub figure: Option<String>,
}

/// Width of the table where standard output is no terminal.
const WIDTH: usize = 80;

/// Prints the table on standard output, and draws the picture.
///
/// # Errors
/// For a folder that cannot be read, a figure that no run has, and where standard output or the picture cannot be written: a
/// closed pipe is an [`std::io::Error`] of kind [`BrokenPipe`](std::io::ErrorKind::BrokenPipe).
pub fn run(cli: &Cli) -> Result<()> {
    let runs = find(&cli.folder)?;
    let mut out = std::io::stdout().lock();
    if cli.json {
        serde_json::to_writer_pretty(&mut out, &table::json(&runs)).map_err(std::io::Error::from)?;
        writeln!(out)?;
    } else {
        let width = if cli.all_settings { usize::MAX } else { terminal_width() };
        out.write_all(table::text(&runs, &cli.folder, width).as_bytes())?;
    }
    out.flush().context("standard output")?;
    drop(out);
    match &cli.plot {
        Some(file) => plot::plot(&runs, cli.figure.as_deref(), file),
        None => Ok(()),
    }
}

fn terminal_width() -> usize {
    let width = || terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
    std::io::stdout().is_terminal().then(width).flatten().unwrap_or(WIDTH)
}
