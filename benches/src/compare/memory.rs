//! Memory: of streaming, which must not grow with the data set, and of single pieces of work. Linux only: `/proc` knows
//! a process's peak. A process of its own for each, since counting every allocation would disturb the timings.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use slowburn_augment::loader::{ImageFolder, ViewLoaderConfig};
use slowburn_augment::{Views, presets};
use slowburn_benches::backend::Backend;
use slowburn_benches::work::passes::{Network, Pass};
use slowburn_benches::work::{contrast, queue};

use super::row::{Row, Subject};
use super::task::{self, Memory};
use super::views::paths;
use crate::settings::Settings;
use crate::{measure, process};

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
    Ok(Row::of_memory(Subject { name, params, backend, device, kernels: None }, more, more as f64 / less as f64))
}

/// Of a process of its own, since a peak never falls.
fn peak(folder: &Path, times: usize) -> Result<u64> {
    printed(Command::new(std::env::current_exe()?).arg("stream").arg(folder).arg("--times").arg(times.to_string()))
}

/// How often the work is done: from the second time on an optimizer has all that it keeps.
pub(super) const REPETITIONS: usize = 3;

impl Memory {
    /// What a process that is measured has in its environment.
    pub(super) fn environment(self) -> &'static [(&'static str, &'static str)] {
        match self {
            // Every larger block has pages of its own, which go back to the system when it is freed.
            Self::InUse => &[("GLIBC_TUNABLES", "glibc.malloc.mmap_threshold=65536")],
            Self::Resident => &[],
        }
    }
}

/// The most memory that the work of this name takes beyond its inputs, where `/proc` can tell.
pub(super) fn peak_of(
    name: &str,
    backend: &Backend,
    memory: Memory,
    folder: &Path,
    settings: Settings,
) -> Result<Option<u64>> {
    if !cfg!(target_os = "linux") {
        return Ok(None);
    }
    let mut program = Command::new(std::env::current_exe()?);
    program.envs(memory.environment().iter().copied());
    program.args(["peak", name, "--backend", backend.name, "--folder"]).arg(folder).args(settings.options());
    printed(&mut program).map(Some)
}

fn printed(program: &mut Command) -> Result<u64> {
    let output = program.output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

/// Does the work a few times, after small pieces that start threads and read in code.
pub(crate) fn print_peak(name: &str, backend: &str, folder: &Path, settings: Settings) -> Result<()> {
    settings.apply()?;
    let backend = measure::backend(Some(backend))?;
    contrast::loss(8, 1024, &backend.device)()?;
    queue::enqueue(8, 64, &backend.device)?()?;
    Pass::ForwardBackward.run(Network::Small, 2, &backend.device)?()?;
    let task = task::tasks(&backend, folder).into_iter().find(|task| task.name == name);
    let mut run = (task.with_context(|| format!("no work is named {name}"))?.set_up)()?;
    process::forget_peak();
    let before = process::peak()?;
    for _ in 0..REPETITIONS {
        run()?;
    }
    println!("{}", process::peak()? - before);
    Ok(())
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
    println!("{}", process::peak()?);
    Ok(())
}
