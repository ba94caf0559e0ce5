//! Why a student should agree with an averaged teacher, in five panels. See `--help`.

use anyhow::Result;
use clap::Parser;
use slowburn_examples::why::{Cli, run};

fn main() -> Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).without_time().with_target(false).init();
    run(&Cli::parse())
}
