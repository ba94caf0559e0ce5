use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;

use super::Inspection;

/// What a weights file is: tensors, whose names they have, which network fits, what would be left out
///
/// It reads safetensors and PyTorch's checkpoints of every form, and runs no code in them. Of a run folder it shows every
/// network.
#[derive(Debug, Clone, Args)]
#[command(args_override_self = true)]
pub struct Cli {
    /// A weights file, or a run folder
    #[arg(value_name = "FILE|RUN")]
    pub file: PathBuf,
    /// Look at this network of the file, by what stands before its names
    #[arg(long, value_name = "PREFIX")]
    pub branch: Option<String>,
    /// Print everything as JSON
    #[arg(long)]
    pub json: bool,
}

/// The networks that a run leaves.
const NETWORKS: [&str; 4] = ["student", "teacher", "query", "key"];

/// Does what the command line says and returns what to print.
///
/// # Errors
/// Files that are no weights, or damaged, and branches that are not there.
pub fn run(cli: &Cli) -> Result<String> {
    let files: Vec<PathBuf> = match cli.file.is_dir() {
        false => vec![cli.file.clone()],
        true => {
            let files = NETWORKS.map(|name| cli.file.join(format!("{name}.safetensors")));
            files.into_iter().filter(|file| file.exists()).collect()
        }
    };
    if files.is_empty() {
        bail!("{} holds no networks: the run has not ended, or it is none", cli.file.display());
    }
    let found = files.iter().map(|file| Inspection::of(file, cli.branch.as_deref())).collect::<Result<Vec<_>>>()?;
    match cli.json {
        true => Ok(serde_json::to_string_pretty(&found)? + "\n"),
        false => Ok(found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
    }
}
