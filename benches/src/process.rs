//! What the system knows of this process. Linux only: `/proc` tells.

use std::fs;

use anyhow::{Context, Result};

/// Ticks of `/proc/self/stat` in a second, on every Linux.
const TICKS: f64 = 100.0;

/// What all threads of this process have used together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    /// Seconds that processors worked, to a hundredth.
    pub(crate) busy: f64,
    /// Pages that were touched for the first time since they came from the system.
    pub(crate) faults: f64,
}

impl Usage {
    /// Until now.
    pub(crate) fn now() -> Option<Self> {
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        // The program's name is in brackets and may hold blanks; the fields behind it begin with the third.
        let (_, fields) = stat.rsplit_once(") ")?;
        let fields: Vec<&str> = fields.split(' ').collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
        Some(Self { busy: (field(14)? + field(15)?) / TICKS, faults: field(10)? })
    }

    /// What was used since.
    pub(crate) fn since(self, before: Self) -> Self {
        Self { busy: self.busy - before.busy, faults: self.faults - before.faults }
    }
}

/// The most memory that was ever in use, in bytes.
pub(crate) fn peak() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM in /proc/self/status")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}

/// Has [`peak`] forget what is not in use any more; where it may not, the peak so far stands.
pub(crate) fn forget_peak() {
    if let Err(error) = fs::write("/proc/self/clear_refs", "5") {
        eprintln!("the peak of memory so far cannot be cleared: {error}");
    }
}
