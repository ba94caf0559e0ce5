//! Memory: of streaming, which must not grow with the data set, and of single pieces of work. Linux only: `/proc` knows
//! a process's peak. A process of its own for each, since counting every allocation would disturb the timings.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use slowburn_augment::loader::{ImageFolder, ViewLoaderConfig};
use slowburn_augment::{Views, presets};
use slowburn_benches::work::{contrast, queue};

use super::row::{Row, Subject};
use super::task;
use super::views::paths;
use crate::measure;

/// How many times each file is in the smaller and in the larger data set.
const TIMES: [usize; 2] = [60, 120];

/// The peak with the larger data set, and its ratio to that with the smaller.
pub(super) fn row(folder: &Path, device: &str) -> Result<Row> {
    let [small, large] = TIMES;
    let (less, more) = (peak(folder, small)?, peak(folder, large)?);
    let files = paths(folder)?.len();
    let params =
        format!("an epoch of {} files, ratio to that of {} files: the process's peak", large * files, small * files);
    let (name, backend, device) = ("memory/loader".to_owned(), "cpu".to_owned(), device.to_owned());
    Ok(Row::of_memory(Subject { name, params, backend, device }, more, more as f64 / less as f64))
}

/// Of a process of its own, since a peak never falls.
fn peak(folder: &Path, times: usize) -> Result<u64> {
    printed(Command::new(std::env::current_exe()?).arg("stream").arg(folder).arg("--times").arg(times.to_string()))
}

/// The most memory that the work of this name takes beyond its inputs, where `/proc` can tell.
pub(super) fn peak_of(name: &str, backend: &str) -> Result<Option<u64>> {
    if !cfg!(target_os = "linux") {
        return Ok(None);
    }
    let mut program = Command::new(std::env::current_exe()?);
    // Every larger block has pages of its own, which go back to the system when it is freed: what is resident is then
    // what is in use.
    program.env("GLIBC_TUNABLES", "glibc.malloc.mmap_threshold=65536");
    printed(program.arg("peak").arg(name).arg("--backend").arg(backend)).map(Some)
}

fn printed(program: &mut Command) -> Result<u64> {
    let output = program.output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

/// Does the work once, after a small piece that starts threads and reads in code.
pub(crate) fn print_peak(name: &str, backend: &str) -> Result<()> {
    let backend = measure::backend(Some(backend))?;
    contrast::loss(8, 1024, &backend.device)()?;
    queue::enqueue(8, 64, &backend.device)?()?;
    let task = task::tasks(&backend).into_iter().find(|task| task.name == name);
    let mut run = (task.with_context(|| format!("no work is named {name}"))?.set_up)()?;
    std::fs::write("/proc/self/clear_refs", "5").context("the peak so far cannot be cleared")?;
    let before = status("VmRSS:")?;
    run()?;
    println!("{}", status("VmHWM:")?.saturating_sub(before));
    Ok(())
}

/// A figure of `/proc/self/status`, in bytes.
fn status(name: &str) -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kibibytes: u64 =
        line.with_context(|| format!("no {name} in /proc/self/status"))?.trim().trim_end_matches(" kB").parse()?;
    Ok(kibibytes * 1024)
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
    println!("{}", status("VmHWM:")?);
    Ok(())
}
