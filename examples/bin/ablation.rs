//! What MoCo's parts bring, one at a time. See `--help`.

use anyhow::Result;
use clap::Parser;
use slowburn_examples::ablation::{Cli, run};

fn main() -> Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).without_time().with_target(false).init();
    run(&Cli::parse())
}
