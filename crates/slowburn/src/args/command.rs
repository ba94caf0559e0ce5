use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::{check, embed, evaluate, export, inspect, predict, pretrain, recipes, runs, sheet, suggest, train};

/// Mean Teacher, MoCo and their relatives on your own images: train with few labels or none, then use what was trained.
#[derive(Debug, Parser)]
#[command(name = "slowburn", version, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program does.
#[derive(Debug, Subcommand)]
pub enum Command {
    #[allow(missing_docs)]
    Train(Box<train::Cli>),
    #[allow(missing_docs)]
    Pretrain(Box<pretrain::Cli>),
    #[allow(missing_docs)]
    Evaluate(Box<evaluate::Cli>),
    #[allow(missing_docs)]
    Predict(Box<predict::Cli>),
    #[allow(missing_docs)]
    Embed(Box<embed::Cli>),
    #[allow(missing_docs)]
    Suggest(Box<suggest::Cli>),
    #[allow(missing_docs)]
    Export(Box<export::Cli>),
    #[allow(missing_docs)]
    Inspect(inspect::Cli),
    #[allow(missing_docs)]
    Check(check::Cli),
    #[allow(missing_docs)]
    Runs(runs::Cli),
    #[allow(missing_docs)]
    Views(Box<sheet::Cli>),
    #[allow(missing_docs)]
    Recipes(recipes::Cli),
    /// Print what makes a shell complete this program's commands and flags
    Completions {
        /// bash, elvish, fish, powershell or zsh
        shell: clap_complete::Shell,
    },
    /// Write a manual page a command
    Man {
        /// The folder
        folder: PathBuf,
    },
}
