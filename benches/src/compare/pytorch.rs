//! The other side: a Python process that waits for work.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::memory::REPETITIONS;
use super::task::Memory;
use crate::settings::Settings;

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/pytorch/");

pub(super) struct PyTorch {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// Versions and settings, as JSON.
    pub(super) settings: String,
}

#[derive(Deserialize)]
struct Timed {
    images: usize,
    seconds: f64,
}

#[derive(Deserialize)]
struct Peak {
    bytes: u64,
}

/// What a script is started with.
#[derive(Clone, Copy)]
pub(super) struct Start<'a> {
    pub(super) python: &'a Path,
    /// Of inputs.
    pub(super) folder: &'a Path,
    pub(super) cores: usize,
    pub(super) settings: Settings,
}

/// Has PyTorch write the files that both sides read.
pub(super) fn write_files(python: &Path, script: &str, folder: &Path) -> Result<()> {
    let mut program = Command::new(python);
    let status = program.arg(format!("{SCRIPTS}{script}")).arg(folder).arg("--write").status();
    let status = status.with_context(|| format!("--pytorch {}", python.display()))?;
    ensure!(status.success(), "{script} could not write its files, see its message above");
    Ok(())
}

impl Start<'_> {
    /// `gpu` is whether to work there, by whatever means this PyTorch has.
    pub(super) fn script(&self, script: &str, gpu: bool) -> Result<PyTorch> {
        self.with_environment(script, gpu, &[])
    }

    /// The most memory that the work of this name takes beyond its inputs: a process of its own tells, on the processor.
    pub(super) fn peak_of(&self, script: &str, name: &str, memory: Memory) -> Result<u64> {
        let mut other = self.with_environment(script, false, memory.environment())?;
        let Peak { bytes } = other.ask(&json!({ "name": name, "repetitions": REPETITIONS }))?;
        Ok(bytes)
    }

    fn with_environment(&self, script: &str, gpu: bool, environment: &[(&str, &str)]) -> Result<PyTorch> {
        let mut child = Command::new(self.python)
            .arg(format!("{SCRIPTS}{script}"))
            .arg(self.folder)
            .arg(self.cores.to_string())
            .arg(if gpu { "gpu" } else { "cpu" })
            .envs(self.settings.environment().iter().chain(environment).copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("--pytorch {}", self.python.display()))?;
        let requests = child.stdin.take().context("a pipe to Python")?;
        let answers = BufReader::new(child.stdout.take().context("a pipe from Python")?);
        let mut started = PyTorch { child, requests, answers, settings: String::new() };
        started.settings = started.answer()?.trim().to_owned();
        Ok(started)
    }
}

impl PyTorch {
    pub(super) fn seconds_each(&mut self, name: &str, seconds: f64) -> Result<f64> {
        let Timed { images, seconds } = self.ask(&json!({ "name": name, "seconds": seconds }))?;
        Ok(seconds / images as f64)
    }

    fn ask<T: DeserializeOwned>(&mut self, request: &Value) -> Result<T> {
        writeln!(self.requests, "{request}")?;
        Ok(serde_json::from_str(&self.answer()?)?)
    }

    fn answer(&mut self) -> Result<String> {
        let mut line = String::new();
        ensure!(self.answers.read_line(&mut line)? > 0, "Python ended, see its message above");
        Ok(line)
    }
}

impl Drop for PyTorch {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
