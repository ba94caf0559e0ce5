use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Serialize;
use serde_json::Value;

use super::scores::scores;
use super::settings::{Settings, flatten};
use super::state::State;
use crate::check::path_as_text;

/// An accuracy of a run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Score {
    /// Whose or of what: `teacher`, `kNN`.
    pub name: &'static str,
    /// As a fraction of the images.
    pub accuracy: f64,
}

/// What is known of a run from its folder.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunInfo {
    /// Its folder.
    #[serde(serialize_with = "path_as_text")]
    pub path: PathBuf,
    /// The path below the folder that was searched, with `/` between folders.
    pub name: String,
    /// The method; nothing of a broken run.
    pub method: Option<String>,
    /// Where its images are, or how many, as far as it says.
    pub data: Option<String>,
    /// How far it is.
    #[serde(flatten)]
    pub state: Progress,
    /// Its scores, the one that it is judged by first. Of a run that is not finished they are those of its last epoch.
    pub scores: Vec<Score>,
    /// Its settings.
    pub settings: Settings,
}

/// State, and epochs of how many.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Progress {
    /// Finished, running, stopped or broken.
    pub state: State,
    /// The part of the run that it is in, where metrics say it: `baseline`, or the method.
    pub phase: Option<String>,
    /// Epochs finished of that part.
    pub epoch: Option<u64>,
    /// Epochs in all; nothing where only steps are given, before the first epoch.
    pub epochs: Option<u64>,
}

impl RunInfo {
    /// Reads a run's folder.
    pub(super) fn read(path: &Path, name: String, now: SystemTime) -> Self {
        let none = Progress { state: State::Stopped, phase: None, epoch: None, epochs: None };
        let mut run = Self {
            path: path.to_owned(),
            name,
            method: None,
            data: None,
            state: none,
            scores: Vec::new(),
            settings: Settings::new(),
        };
        if let Err(reason) = run.fill(now) {
            run.state.state = State::Broken { reason };
        }
        run
    }

    fn fill(&mut self, now: SystemTime) -> Result<(), String> {
        let config = json(&self.path.join("config.json"))?.ok_or("config.json: it is not there")?;
        let recipe = config.get("recipe").filter(|recipe| recipe.is_object()).ok_or("config.json: it has no recipe")?;
        self.settings = flatten(recipe);
        self.method = method(recipe);
        self.data = data(recipe);
        let last = metrics(&self.path)?.pop();
        self.state.phase = last.as_ref().and_then(|row| row.get("phase")?.as_str()).map(str::to_owned);
        self.state.epoch = last.as_ref().and_then(|row| row.get("epoch")?.as_u64());
        self.state.epochs = epochs(recipe, last.as_ref());
        let summary = json(&self.path.join("summary.json"))?;
        self.scores = summary.as_ref().or(last.as_ref()).map_or_else(Vec::new, scores);
        self.state.state = State::of(&self.path, now);
        Ok(())
    }
}

/// A file of JSON; nothing where it is not there.
fn json(path: &Path) -> Result<Option<Value>, String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    match std::fs::read(path) {
        Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|error| format!("{name}: {error}")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("{name}: {error}")),
    }
}

/// The lines of `metrics.jsonl`; none where it is not there.
pub(super) fn metrics(folder: &Path) -> Result<Vec<Value>, String> {
    let text = match std::fs::read_to_string(folder.join("metrics.jsonl")) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(format!("metrics.jsonl: {error}")),
    };
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(index, line)| {
            serde_json::from_str(line).map_err(|error| format!("metrics.jsonl, line {}: {error}", index + 1))
        })
        .collect()
}

fn method(recipe: &Value) -> Option<String> {
    if recipe.get("tuning").is_some() {
        return Some("fine-tune".to_owned());
    }
    let method = recipe.get("method").or_else(|| recipe.pointer("/task/method"))?;
    method.as_str().map(str::to_owned)
}

fn data(recipe: &Value) -> Option<String> {
    let path = recipe.get("data").or_else(|| recipe.pointer("/tuning/data"));
    let images = || recipe.pointer("/task/images")?.as_u64().map(|images| format!("{images} images"));
    path.and_then(Value::as_str).map(str::to_owned).or_else(images)
}

/// Epochs in all: as the length says, or by the steps of an epoch.
fn epochs(recipe: &Value, last: Option<&Value>) -> Option<u64> {
    if let Some(timeline) = recipe.get("timeline") {
        let of = |name: &str| timeline.get(name).and_then(Value::as_u64);
        return Some(of("total")?.div_ceil(of("per_epoch").filter(|&steps| steps > 0)?));
    }
    let length = recipe.get("length")?;
    if let Some(epochs) = length.get("epochs").and_then(Value::as_f64) {
        return Some(epochs.ceil() as u64);
    }
    let steps = length.get("steps")?.as_u64()?;
    let (epoch, step) = (last?.get("epoch")?.as_u64()?, last?.get("step")?.as_u64()?);
    Some((steps * epoch).div_ceil(step.max(1)))
}
