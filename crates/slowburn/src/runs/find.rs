use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};

use super::info::RunInfo;
use super::state::State;
use crate::check::name_below;

/// Folders below the one that is searched, at most.
const DEPTH: usize = 8;

/// The runs below a folder and those that are parts of them, by name; the folder itself, where it is a run. A run that cannot be
/// understood is among them.
///
/// # Errors
/// For a folder that cannot be read.
pub fn find(folder: &Path) -> Result<Vec<RunInfo>> {
    std::fs::read_dir(folder).with_context(|| format!("cannot read the folder {}", folder.display()))?;
    let mut found = Vec::new();
    walk(folder, 0, &mut BTreeSet::new(), &mut found);
    let now = SystemTime::now();
    let mut runs: Vec<RunInfo> =
        found.into_iter().map(|path| RunInfo::read(&path, name_below(folder, &path), now)).collect();
    runs.sort_by(|a, b| a.path.cmp(&b.path));
    whole_runs(&mut runs);
    Ok(runs)
}

fn walk(folder: &Path, depth: usize, seen: &mut BTreeSet<PathBuf>, found: &mut Vec<PathBuf>) {
    let Ok(itself) = folder.canonicalize() else { return };
    if depth > DEPTH || !seen.insert(itself) {
        return;
    }
    if is_run(folder) {
        found.push(folder.to_owned());
    }
    // A folder that cannot be read has no runs for us.
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = entries
        .filter(|entry| !entry.file_name().as_encoded_bytes().starts_with(b".") && entry.file_name() != "checkpoints")
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort_unstable();
    for path in folders {
        walk(&path, depth + 1, seen, found);
    }
}

/// Whether there is a `config.json` of ours: with checkpoints beside it, or with our name in it.
fn is_run(folder: &Path) -> bool {
    let config = folder.join("config.json");
    config.is_file()
        && (folder.join("checkpoints").is_dir()
            || std::fs::read(&config).is_ok_and(|text| text.windows(10).any(|word| word == b"\"slowburn\"")))
}

/// A run of several parts is running while one of its parts is.
fn whole_runs(runs: &mut [RunInfo]) {
    let running: Vec<PathBuf> =
        runs.iter().filter(|run| run.state.state == State::Running).map(|run| run.path.clone()).collect();
    for run in runs.iter_mut().filter(|run| run.state.state == State::Stopped) {
        if running.iter().any(|part| part.starts_with(&run.path)) {
            run.state.state = State::Running;
        }
    }
}
