//! kNN and linear probe of a checkpoint. See `--help`.

use anyhow::Result;
use clap::Parser;
use slowburn::evaluate::{Cli, run};

fn main() -> Result<()> {
    print!("{}", run(&Cli::parse())?);
    Ok(())
}
