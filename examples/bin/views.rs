//! A contact sheet of images and their views, with the drawn parameters. See `--help`.

use anyhow::Result;
use clap::Parser;
use slowburn::sheet::{Cli, run};

fn main() -> Result<()> {
    print!("{}", run(&Cli::parse())?);
    Ok(())
}
