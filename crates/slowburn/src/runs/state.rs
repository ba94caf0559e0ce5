use std::path::Path;
use std::time::{Duration, SystemTime};

use serde::Serialize;

/// How far a run is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It has its summary.
    Finished,
    /// It has no summary, and has written something lately.
    Running,
    /// It has no summary.
    Stopped,
    /// A file of it cannot be understood.
    Broken {
        /// Which, and why.
        reason: String,
    },
}

/// Within this time after its last checkpoint a run counts as running, and for longer where its epochs take longer.
const QUIET: Duration = Duration::from_secs(120);
/// The same before the first checkpoint.
const FIRST: Duration = Duration::from_secs(600);
/// The time between the last two checkpoints, times this.
const EPOCHS: u32 = 3;

impl State {
    /// The state of a run that can be understood. Nobody holds a run by a lock: one that has no summary is running if it has
    /// written something lately.
    pub(super) fn of(folder: &Path, now: SystemTime) -> Self {
        if folder.join("summary.json").exists() {
            return Self::Finished;
        }
        let mut written = checkpoint_times(folder);
        let quiet = match *written.as_slice() {
            [] => FIRST,
            [.., before, last] => QUIET.max(last.duration_since(before).unwrap_or_default() * EPOCHS),
            [_] => FIRST,
        };
        written.extend(["config.json", "metrics.jsonl"].iter().filter_map(|name| modified(&folder.join(name))));
        // A time in the future is of another machine's clock.
        let since = written.into_iter().max().map(|last| now.duration_since(last).unwrap_or_default());
        if since.is_some_and(|since| since <= quiet) { Self::Running } else { Self::Stopped }
    }
}

/// When the checkpoints were written, the latest last.
fn checkpoint_times(folder: &Path) -> Vec<SystemTime> {
    let entries = std::fs::read_dir(folder.join("checkpoints")).into_iter().flatten().flatten();
    let mut times: Vec<SystemTime> = entries.filter_map(|entry| modified(&entry.path())).collect();
    times.sort_unstable();
    times
}

fn modified(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).ok()?.modified().ok()
}
