//! The program `slowburn`. See `--help`.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use slowburn::args::Cli;
use slowburn::out::is_broken_pipe;
use slowburn::{note, run};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let ansi = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(ansi).without_time().with_target(false).init();
    match run(&cli.command) {
        Ok(code) => code,
        // Whoever reads has seen enough.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            note!("Error: {error:?}");
            ExitCode::FAILURE
        }
    }
}
