//! `inspect FILE`: what a weights file is.

mod cli;
mod text;

pub use cli::{Cli, run};

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::Serialize;
use slowburn_models::weights::{Differences, Fit, WeightsFile};

use crate::weights::{Candidate, fitting};

/// What was found in a weights file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inspection {
    /// The file.
    pub path: PathBuf,
    /// Its format.
    pub format: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// Whether it states a digest of its tensors, which then holds.
    pub digest: bool,
    /// What it says of its network, by key; nothing in other programs' files.
    pub says: Vec<(String, String)>,
    /// The networks that fit, or the closest if none does.
    pub networks: Vec<Network>,
    /// Why none was recognised.
    pub not_recognised: Option<String>,
    /// The tensors.
    pub tensors: Vec<Tensor>,
}

/// A tensor of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tensor {
    /// Its name.
    pub name: String,
    /// The type of its numbers.
    pub dtype: String,
    /// Its shape.
    pub shape: Vec<usize>,
}

/// A network whose tensors the file has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Network {
    /// Its name for --arch.
    pub arch: String,
    /// Channels of its images.
    pub channels: usize,
    /// Whether every tensor below the head is there, and no other.
    pub whole: bool,
    /// What stands before the names in the file.
    pub branch: String,
    /// How many tensors are taken.
    pub taken: usize,
    /// Other networks in the file that fit as well, by what --branch takes.
    pub others: Vec<String>,
    /// What does not fit below the head.
    pub differences: Vec<String>,
    /// Tensors of the file's head.
    pub head: Vec<String>,
    /// Tensors outside the branch, which are left out.
    pub outside: usize,
}

impl Inspection {
    /// Looks at a file, under a branch if one is named.
    ///
    /// # Errors
    /// Files that are no weights, or damaged, and branches that are not there.
    pub fn of(path: &Path, branch: Option<&str>) -> Result<Self> {
        let file = WeightsFile::open(path)?;
        let found = fitting(&file, branch, None)?;
        let not_recognised = match found.is_empty() {
            true => Some(reason(&file, branch)),
            false => None,
        };
        let tensors = file.tensors().iter().map(|(name, info)| Tensor {
            name: name.clone(),
            dtype: info.dtype.clone(),
            shape: info.shape.clone(),
        });
        Ok(Self {
            path: path.to_owned(),
            format: file.format().to_string(),
            bytes: std::fs::metadata(path)?.len(),
            digest: file.verify()?,
            says: text::says(file.metadata()),
            networks: found.into_iter().map(|(candidate, fit)| Network::of(candidate, fit)).collect(),
            not_recognised,
            tensors: tensors.collect(),
        })
    }
}

impl Network {
    fn of(candidate: Candidate, fit: Fit) -> Self {
        let whole = fit.is_whole();
        let Fit { branch, taken, body, head, others, outside } = fit;
        let Differences { missing, unexpected, reshaped } = body;
        let marked = |kind: &str, names: Vec<String>| {
            names.into_iter().map(|name| format!("{kind}: {name}")).collect::<Vec<String>>()
        };
        Self {
            arch: candidate.arch.name(),
            channels: candidate.channels,
            whole,
            branch: branch.to_string(),
            taken: taken.len(),
            others: others.iter().map(|other| other.prefix().to_owned()).collect(),
            differences: [
                marked("another shape", reshaped),
                marked("missing", missing),
                marked("unexpected", unexpected),
            ]
            .concat(),
            head: head.unexpected,
            outside,
        }
    }
}

/// Why no network fits, in the words of one that was tried.
fn reason(file: &WeightsFile, branch: Option<&str>) -> String {
    let wanted = Candidate::resnet18().parameters().unwrap_or_default();
    match file.fit(&wanted, branch) {
        Err(error) => error.to_string(),
        Ok(fit) => fit.body.to_string(),
    }
}
