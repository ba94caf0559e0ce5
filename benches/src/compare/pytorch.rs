//! The other side: a Python process that waits for work.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/pytorch/");

pub(super) struct PyTorch {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// Versions and settings, as JSON.
    pub(super) settings: String,
}

#[derive(Deserialize)]
struct Answer {
    images: usize,
    seconds: f64,
}

impl PyTorch {
    /// `gpu` is whether to work there, by whatever means this PyTorch has.
    pub(super) fn start(python: &Path, script: &str, folder: &Path, cores: usize, gpu: bool) -> Result<Self> {
        let mut child = Command::new(python)
            .arg(format!("{SCRIPTS}{script}"))
            .arg(folder)
            .arg(cores.to_string())
            .arg(if gpu { "gpu" } else { "cpu" })
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("--pytorch {}", python.display()))?;
        let requests = child.stdin.take().context("a pipe to Python")?;
        let answers = BufReader::new(child.stdout.take().context("a pipe from Python")?);
        let mut started = Self { child, requests, answers, settings: String::new() };
        started.settings = started.answer()?.trim().to_owned();
        Ok(started)
    }

    pub(super) fn seconds_each(&mut self, name: &str, seconds: f64) -> Result<f64> {
        writeln!(self.requests, "{}", serde_json::json!({ "name": name, "seconds": seconds }))?;
        let Answer { images, seconds } = serde_json::from_str(&self.answer()?)?;
        Ok(seconds / images as f64)
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
