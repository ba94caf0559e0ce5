//! Both sides at work, in turn.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::Path;

use anyhow::Result;
use slowburn_benches::backend::Backend;

use super::floor::Floors;
use super::pytorch::{PyTorch, Start};
use super::row::{Row, Side, Subject};
use super::task::{Instructions, Task};
use super::{Options, memory, task};
use crate::{measure, settings};

/// Both sides, ready.
pub(super) struct Session<'a> {
    options: &'a Options,
    cores: usize,
    folder: &'a Path,
    /// By script, and whether on a GPU; nothing for one that did not start.
    others: BTreeMap<(&'static str, bool), Option<PyTorch>>,
}

impl<'a> Session<'a> {
    pub(super) fn new(options: &'a Options, cores: usize, folder: &'a Path) -> Self {
        Self { options, cores, folder, others: BTreeMap::new() }
    }

    pub(super) fn wants(&self, name: &str) -> bool {
        name.contains(&self.options.only)
    }

    /// All work on a backend, its floors first.
    pub(super) fn rows_of(&mut self, backend: &Backend) -> Result<Vec<Row>> {
        let tasks: Vec<Task> =
            task::tasks(backend, self.folder).into_iter().filter(|task| self.wants(&task.name)).collect();
        let (mut rows, mut floors) = (Vec::new(), Floors::default());
        for task in task::floors(backend) {
            if self.wants(&task.name) || tasks.iter().any(|other| other.is_held_against(&task)) {
                let (what, side) = (task.floor, self.ours(task, backend)?);
                floors.learn(what, side.1.median);
                rows.push(Row::new(side.0, &side.1, None));
            }
        }
        let kernels = settings::kernels(&backend.device).map(|kernels| format!(", {kernels}")).unwrap_or_default();
        println!("\n{}{kernels}{}", backend.name, floors.text());
        for task in tasks {
            rows.extend(self.row(task, Some(backend), Some(&floors))?);
        }
        Ok(rows)
    }

    /// Measures what no other side does.
    fn ours(&self, task: Task, backend: &Backend) -> Result<(Subject, Side)> {
        let subject = self.subject(&task, Some(backend));
        let mut run = (task.set_up)()?;
        let times = measure::times(&mut run, self.options.rounds, self.options.seconds)?;
        Ok((subject, Side::of(&times)))
    }

    /// Measures both sides in turn; nothing for work that was not asked for.
    pub(super) fn row(
        &mut self,
        task: Task,
        backend: Option<&Backend>,
        floors: Option<&Floors>,
    ) -> Result<Option<Row>> {
        if !self.wants(&task.name) {
            return Ok(None);
        }
        if self.options.settings.limits() && task.instructions == Instructions::Best {
            println!("{}: left out, --isa does not reach it", task.name);
            return Ok(None);
        }
        let subject = self.subject(&task, backend);
        let name = task.name.clone();
        let gpu = backend.is_some_and(|backend| !backend.is_cpu());
        let peaks = match backend {
            Some(backend) if !gpu => self.peaks(&task, backend),
            _ => [None; 2],
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
        let row = Row::new(subject, &Side::of(&ours), theirs.as_ref()).with_floor(floor).with_peaks(peaks);
        println!("{}", row.line());
        Ok(Some(row))
    }

    /// The memory of both sides, each in a process of its own: a peak never falls, and what is not measured is missing.
    fn peaks(&self, task: &Task, backend: &Backend) -> [Option<u64>; 2] {
        let Some(memory) = task.memory else { return [None; 2] };
        let settings = self.options.settings;
        let ours = memory::peak_of(&task.name, backend, memory, self.folder, settings);
        let theirs = match (&ours, self.start(), task.script) {
            (Ok(Some(_)), Some(start), Some(script)) => start.peak_of(script, &task.name, memory).map(Some),
            _ => Ok(None),
        };
        [ours, theirs].map(|peak| {
            peak.inspect_err(|error| eprintln!("{}: its memory cannot be measured: {error:#}", task.name))
                .unwrap_or_default()
        })
    }

    /// What the other side's scripts are started with, if there is another side.
    fn start(&self) -> Option<Start<'a>> {
        let python = self.options.pytorch.as_deref()?;
        Some(Start { python, folder: self.folder, cores: self.cores, settings: self.options.settings })
    }

    /// The other side of a script, started when it is first needed.
    fn other(&mut self, script: Option<&'static str>, gpu: bool) -> Result<Option<&mut PyTorch>> {
        let (Some(start), Some(script)) = (self.start(), script) else { return Ok(None) };
        let other = match self.others.entry((script, gpu)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                let started = start.script(script, gpu);
                match &started {
                    Ok(other) => println!("PyTorch, {script}: {}", other.settings),
                    // A PyTorch for the processor alone is no reason to stop: the rows have no baseline then.
                    Err(error) if gpu => eprintln!("PyTorch, {script}: {error:#}"),
                    Err(_) => {}
                }
                place.insert(if gpu { started.ok() } else { Some(started?) })
            }
        };
        Ok(other.as_mut())
    }

    fn subject(&self, task: &Task, on: Option<&Backend>) -> Subject {
        let threads = task.threads.unwrap_or(self.cores);
        let threads = format!("{threads} thread{}", if threads == 1 { "" } else { "s" });
        let (name, device, params) = match on {
            Some(backend) if backend.is_cpu() => {
                (backend.name, measure::processor(), format!("{}; {threads}", task.params))
            }
            Some(backend) => (backend.name, measure::hardware(backend), task.params.clone()),
            None => ("cpu", measure::processor(), format!("{}; {threads}", task.params)),
        };
        let kernels = on.and_then(|backend| settings::kernels(&backend.device));
        let kernels = kernels.filter(|_| task.instructions == Instructions::Layers);
        Subject { name: task.name.clone(), params, backend: name.to_owned(), device, kernels }
    }
}
