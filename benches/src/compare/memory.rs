//! Memory of streaming, which must not grow with the data set. Linux only: `/proc` knows a process's peak.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use slowburn_augment::loader::{ImageFolder, ViewLoaderConfig};
use slowburn_augment::{Views, presets};

use super::row::Row;
use super::views::paths;

/// How many times each file is in the smaller and in the larger data set.
const TIMES: [usize; 2] = [60, 120];

/// The peak with the larger data set, and its ratio to that with the smaller.
pub(super) fn row(folder: &Path, device: &str) -> Result<Row> {
    let [small, large] = TIMES;
    let (less, more) = (peak(folder, small)?, peak(folder, large)?);
    let files = paths(folder)?.len();
    let params =
        format!("an epoch of {} files, ratio to that of {} files: the process's peak", large * files, small * files);
    Ok(Row::of_memory(params, device, more, more as f64 / less as f64))
}

/// Of a process of its own, since a peak never falls.
fn peak(folder: &Path, times: usize) -> Result<u64> {
    let program = std::env::current_exe()?;
    let output = Command::new(program).arg("stream").arg(folder).arg("--times").arg(times.to_string()).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

/// One epoch of the files, each `times` times, with nothing kept.
pub(crate) fn stream(folder: &Path, times: usize) -> Result<()> {
    let paths = paths(folder)?;
    let source = ImageFolder::files((0..times).flat_map(|_| paths.iter().cloned()))?;
    let loader = ViewLoaderConfig::new(32).init(source, Views::two(presets::moco_v2(224)))?;
    let mut images = 0;
    for batch in loader.epoch(0) {
        images += batch?.len();
    }
    ensure!(images > 0, "no batch: {} files are fewer than 32", times * paths.len());
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM in /proc/self/status")?;
    let kibibytes: u64 = peak.trim().trim_end_matches(" kB").parse()?;
    println!("{}", kibibytes * 1024);
    Ok(())
}
