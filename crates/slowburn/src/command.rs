//! From the command line to the commands.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::CommandFactory;

use crate::args::{Cli, Command};
use crate::{check, data, embed, evaluate, export, inspect, predict, pretrain, recipes, runs, sheet, suggest, train};

/// Does what was said.
///
/// # Errors
/// Whatever is wrong with a flag, a file or the data.
pub fn run(command: &Command) -> Result<ExitCode> {
    match command {
        Command::Train(cli) => {
            cli.machine.limit_threads()?;
            data::unpack_shipped()?;
            train::run(cli)?;
        }
        Command::Pretrain(cli) => {
            cli.machine.limit_threads()?;
            data::unpack_shipped()?;
            pretrain::run(cli)?;
        }
        Command::Evaluate(cli) => {
            cli.machine.limit_threads()?;
            write(&evaluate::run(cli)?)?;
        }
        Command::Predict(cli) => {
            cli.machine.limit_threads()?;
            predict::run(cli)?;
        }
        Command::Embed(cli) => {
            cli.machine.limit_threads()?;
            embed::run(cli)?;
        }
        Command::Suggest(cli) => {
            cli.machine.limit_threads()?;
            suggest::run(cli)?;
        }
        Command::Export(cli) => export::run(cli)?,
        Command::Inspect(cli) => write(&inspect::run(cli)?)?,
        Command::Check(cli) => return Ok(check::run(cli)?.exit_code().into()),
        Command::Runs(cli) => runs::run(cli)?,
        Command::Views(cli) => write(&sheet::run(cli)?)?,
        Command::Recipes(cli) => write(&recipes::run(cli)?)?,
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "slowburn", &mut text);
            std::io::stdout().write_all(&text)?;
        }
        Command::Man { folder } => man(folder)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes to standard output; where nobody reads, the error says so.
fn write(text: &str) -> Result<()> {
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}

fn man(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    clap_mangen::generate_to(Cli::command(), folder).with_context(|| folder.display().to_string())?;
    write(&format!("{}\n", folder.display()))
}
