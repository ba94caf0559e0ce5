//! The same work by Slowburn and by PyTorch, in turn (A B A B), on one machine.

mod chart;
mod files;
mod floor;
pub(crate) mod memory;
mod pytorch;
mod row;
mod task;
mod views;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Args;
use slowburn_benches::backend::Backend;

use crate::{measure, picture};
use chart::Chart;
use floor::Floors;
use pytorch::PyTorch;
use row::{Row, Side, Subject};
use task::Task;

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
    /// Only this backend, of those that were built in, and not the views, which are made on the processor; or `cpu`
    /// for the views alone.
    #[arg(long, value_name = "NAME")]
    backend: Option<String>,
    /// Also write the rows as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Also draw the ratios, or without `--pytorch` the times: an SVG, or a PNG where the name ends so.
    #[arg(long, value_name = "FILE")]
    chart: Option<PathBuf>,
}

/// Runs everything and prints the table.
pub(crate) fn run(options: &Options) -> Result<()> {
    let cores = measure::cores()?;
    let folder = files::write()?;
    println!("{}, {cores} threads; {} rounds of {} s", measure::processor(), options.rounds, options.seconds);
    measure::warn_of_load();
    if options.pytorch.is_none() {
        println!("without --pytorch there is nothing to compare with");
    }
    let mut session = Session { options, cores, folder: folder.path(), others: BTreeMap::new() };
    let mut rows = Vec::new();
    let named = options.backend.as_deref();
    if named.is_none_or(|name| name == "cpu") {
        for task in views::tasks(folder.path(), cores)? {
            rows.extend(session.row(task, None, None)?);
        }
        if session.wants("memory") {
            rows.push(memory::row(folder.path(), &measure::processor())?);
        }
    }
    if named != Some("cpu") {
        for backend in measure::backends(named)? {
            rows.extend(session.rows_of(&backend)?);
        }
    }
    ensure!(!rows.is_empty(), "--only {}: no work has this in its name", options.only);
    println!("\n{}", row::table(&rows));
    if let Some(path) = &options.json {
        std::fs::write(path, serde_json::to_string_pretty(&rows)?).with_context(|| path.display().to_string())?;
    }
    match &options.chart {
        Some(path) => picture::write(&Chart::new(&rows), path),
        None => Ok(()),
    }
}

/// Both sides, ready.
struct Session<'a> {
    options: &'a Options,
    cores: usize,
    folder: &'a Path,
    /// By script, and whether on a GPU; nothing for one that did not start.
    others: BTreeMap<(&'static str, bool), Option<PyTorch>>,
}

impl Session<'_> {
    fn wants(&self, name: &str) -> bool {
        name.contains(&self.options.only)
    }

    /// All work on a backend, its floors first.
    fn rows_of(&mut self, backend: &Backend) -> Result<Vec<Row>> {
        let tasks: Vec<Task> = task::tasks(backend).into_iter().filter(|task| self.wants(&task.name)).collect();
        let (mut rows, mut floors) = (Vec::new(), Floors::default());
        for task in task::floors(backend) {
            if self.wants(&task.name) || tasks.iter().any(|other| other.is_held_against(&task)) {
                let (what, side) = (task.floor, self.ours(task, backend)?);
                floors.learn(what, side.1.median);
                rows.push(Row::new(side.0, &side.1, None));
            }
        }
        println!("\n{}{}", backend.name, floors.text());
        for task in tasks {
            rows.extend(self.row(task, Some(backend), Some(&floors))?);
        }
        Ok(rows)
    }

    /// Measures what no other side does.
    fn ours(&self, task: Task, backend: &Backend) -> Result<(Subject, Side)> {
        let subject = self.subject(&task, Some(backend));
        let mut run = (task.set_up)()?;
        let seconds: Vec<f64> =
            (0..self.options.rounds).map(|_| measure::time(&mut run, self.options.seconds)).collect::<Result<_>>()?;
        Ok((subject, Side::new(&seconds)))
    }

    /// Measures both sides in turn; nothing for work that was not asked for.
    fn row(&mut self, task: Task, backend: Option<&Backend>, floors: Option<&Floors>) -> Result<Option<Row>> {
        if !self.wants(&task.name) {
            return Ok(None);
        }
        let subject = self.subject(&task, backend);
        let name = task.name.clone();
        let gpu = backend.is_some_and(|backend| !backend.is_cpu());
        let peak = match backend {
            Some(backend) if task.peak && !gpu => memory::peak_of(&name, backend.name)
                .inspect_err(|error| eprintln!("{name}: its memory cannot be measured: {error:#}"))
                .unwrap_or_default(),
            _ => None,
        };
        let (rounds, length) = (self.options.rounds, self.options.seconds);
        let mut run = (task.set_up)()?;
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        let mut other = self.other(task.script, gpu)?;
        for _ in 0..rounds {
            ours.push(measure::time(&mut run, length)?);
            if let Some(other) = other.as_deref_mut() {
                theirs.push(other.seconds_each(&name, length)?);
            }
        }
        let theirs = (!theirs.is_empty()).then(|| Side::new(&theirs));
        let floor = task.floor.zip(floors).and_then(|(floor, floors)| floors.seconds(floor));
        let row = Row::new(subject, &Side::new(&ours), theirs.as_ref()).with_floor(floor).with_peak(peak);
        println!("{}", row.line());
        Ok(Some(row))
    }

    /// The other side of a script, started when it is first needed.
    fn other(&mut self, script: Option<&'static str>, gpu: bool) -> Result<Option<&mut PyTorch>> {
        let (Some(python), Some(script)) = (&self.options.pytorch, script) else { return Ok(None) };
        if !self.others.contains_key(&(script, gpu)) {
            let started = PyTorch::start(python, script, self.folder, self.cores, gpu);
            match &started {
                Ok(other) => println!("PyTorch, {script}: {}", other.settings),
                // A PyTorch for the processor alone is no reason to stop: the rows have no baseline then.
                Err(error) if gpu => eprintln!("PyTorch, {script}: {error:#}"),
                Err(_) => {}
            }
            let other = if gpu { started.ok() } else { Some(started?) };
            self.others.insert((script, gpu), other);
        }
        Ok(self.others.get_mut(&(script, gpu)).and_then(Option::as_mut))
    }

    fn subject(&self, task: &Task, backend: Option<&Backend>) -> Subject {
        let threads = task.threads.unwrap_or(self.cores);
        let threads = format!("{threads} thread{}", if threads == 1 { "" } else { "s" });
        let (backend, device, params) = match backend {
            Some(backend) if backend.is_cpu() => {
                (backend.name, measure::processor(), format!("{}; {threads}", task.params))
            }
            Some(backend) => (backend.name, measure::hardware(backend), task.params.clone()),
            None => ("cpu", measure::processor(), format!("{}; {threads}", task.params)),
        };
        let backend = backend.to_owned();
        Subject { name: task.name.clone(), params, backend, device }
    }
}
