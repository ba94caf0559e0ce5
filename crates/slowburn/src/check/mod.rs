//! `check DATA`: what is in a folder before training: broken files, copies, images of the test set among the training images,
//! classes that one side lacks, and what the defaults would choose.
//!
//! The folder is walked as [`ImageFolder`](slowburn_augment::loader::ImageFolder) walks it, images are decoded by the decoder
//! that training uses, and at the end the folder is loaded as training loads it, so that an error there is a finding here.

mod counts;
mod find;
mod finding;
mod format;
mod idx;
mod inspect;
mod item;
mod report;
mod similar;
mod text;
mod walk;

#[cfg(test)]
mod tests;

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;

pub use counts::{ClassCount, Colors, Sizes};
pub use finding::{Finding, Severity, Subject};
pub use report::{Defaults, Layout, Near, PretrainSettings, Report, TrainSettings};
pub(crate) use walk::{name_below, path_as_text};

/// Look at a folder of images before training with it.
///
/// Prints what is wrong first: broken files, test images that are training images too, copies with different labels. The exit
/// code is 0 where there is no problem and 1 where there is one; with --strict, warnings count as well.
#[derive(Debug, Clone, Args)]
pub struct Cli {
    /// A folder with `train/<class>/` and `test/<class>/`, with IDX files, or of images at any depth
    #[arg(value_name = "DATA")]
    pub data: PathBuf,
    /// Print everything as JSON
    #[arg(long)]
    pub json: bool,
    /// List every file of a finding instead of the first three
    #[arg(long)]
    pub all: bool,
    /// End with exit code 1 for warnings too
    #[arg(long)]
    pub strict: bool,
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Findings that stop a training or make its scores wrong.
    pub problems: usize,
    /// Findings that are probably not meant.
    pub warnings: usize,
    /// Whether warnings count.
    pub strict: bool,
}

impl Verdict {
    /// The exit code for scripts: 1 where there are problems, or warnings that count; else 0.
    pub fn exit_code(&self) -> u8 {
        u8::from(self.problems > 0 || (self.strict && self.warnings > 0))
    }
}

/// Checks the folder and prints what was found on standard output.
///
/// # Errors
/// For a folder that cannot be read, and where standard output cannot be written: a closed pipe is an
/// [`std::io::Error`] of kind [`BrokenPipe`](std::io::ErrorKind::BrokenPipe).
pub fn run(cli: &Cli) -> Result<Verdict> {
    let report = Report::of(&cli.data)?;
    let mut out = std::io::stdout().lock();
    match cli.json {
        true => {
            serde_json::to_writer_pretty(&mut out, &report).map_err(std::io::Error::from)?;
            writeln!(out)?;
        }
        false => report.write(&mut out, if cli.all { usize::MAX } else { EXAMPLES })?,
    }
    out.flush().context("standard output")?;
    Ok(Verdict {
        problems: report.count(Severity::Problem),
        warnings: report.count(Severity::Warning),
        strict: cli.strict,
    })
}

/// Files that are shown of a finding.
const EXAMPLES: usize = 3;
