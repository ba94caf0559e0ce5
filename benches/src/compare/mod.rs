//! The same work by Slowburn and by PyTorch, in turn (A B A B), on one machine.

mod average;
mod files;
mod info_nce;
pub(crate) mod memory;
mod pytorch;
mod row;
mod views;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;
use pytorch::PyTorch;
use row::{Row, Side};

#[derive(Args)]
pub(crate) struct Options {
    /// A Python with torch and torchvision, for the other side: the path of its interpreter.
    #[arg(long, value_name = "PYTHON")]
    pytorch: Option<PathBuf>,
    /// Rounds; the table has medians over them.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Only work whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
    /// Also write the rows as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// A piece of work that can be repeated.
struct Task {
    /// Name, the same on both sides.
    name: &'static str,
    /// The program of the other side, in `benches/pytorch`.
    script: &'static str,
    /// What a reader needs to know besides the name.
    params: String,
    threads: usize,
    /// Does it once; the number of images, updates or losses that were.
    work: Box<dyn FnMut() -> Result<usize>>,
}

/// Runs everything and prints the table.
pub(crate) fn run(options: &Options) -> Result<()> {
    let cores = std::thread::available_parallelism()?.get();
    let folder = files::write()?;
    let mut tasks = views::tasks(folder.path(), cores)?;
    tasks.extend(average::tasks(cores)?);
    tasks.extend(info_nce::tasks(cores));
    tasks.retain(|task| task.name.contains(&options.only));
    let mut others = BTreeMap::new();
    if let Some(python) = &options.pytorch {
        for task in &tasks {
            if !others.contains_key(task.script) {
                others.insert(task.script, PyTorch::start(python, task.script, folder.path(), cores)?);
            }
        }
    }
    let device = row::processor();
    println!("{device}, {cores} threads; {} rounds of {} s", options.rounds, options.seconds);
    match others.values().next() {
        Some(other) => println!("PyTorch: {}\n", other.versions),
        None => println!("without --pytorch there is nothing to compare with\n"),
    }
    let mut rows = Vec::new();
    for task in &mut tasks {
        let row = measure(task, others.get_mut(task.script), options, &device)?;
        println!("{}", row.line());
        rows.push(row);
    }
    if "memory".contains(&options.only) {
        rows.push(memory::row(folder.path(), &device)?);
    }
    println!("\n{}", row::table(&rows));
    if let Some(path) = &options.json {
        std::fs::write(path, serde_json::to_string_pretty(&rows)?).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

fn measure(task: &mut Task, mut other: Option<&mut PyTorch>, options: &Options, device: &str) -> Result<Row> {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        ours.push(time(&mut task.work, options.seconds)?);
        if let Some(other) = other.as_deref_mut() {
            theirs.push(other.seconds_each(task.name, options.seconds)?);
        }
    }
    let theirs = (!theirs.is_empty()).then(|| Side::new(theirs));
    Ok(Row::new(task.name, &task.params, task.threads, device, Side::new(ours), theirs))
}

/// Seconds each, over at least `seconds` of work, after one time to warm up.
fn time(work: &mut dyn FnMut() -> Result<usize>, seconds: f64) -> Result<f64> {
    work()?;
    let (start, mut done) = (Instant::now(), 0);
    while start.elapsed() < Duration::from_secs_f64(seconds) {
        done += work()?;
    }
    Ok(start.elapsed().as_secs_f64() / done as f64)
}
