//! MoCo on images: pre-training without labels. See `--help`.

use anyhow::Result;
use clap::Parser;
use slowburn::moco::{Cli, run};

fn main() -> Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).without_time().with_target(false).init();
    run(&Cli::parse())
}
