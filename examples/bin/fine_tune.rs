//! Pre-training without labels, then few labels: what each part brings. See `--help`.

use anyhow::Result;
use clap::Parser;
use slowburn::fine_tune::{Cli, run};

fn main() -> Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).without_time().with_target(false).init();
    run(&Cli::parse())
}
