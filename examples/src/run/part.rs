use anyhow::{Context, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Checkpoint, RunFolder};
use crate::data::Dataset;

/// A run that is part of another one, in a folder of its own: finished, begun or not begun.
#[derive(Debug)]
pub enum Part<M, S> {
    /// It has its summary.
    Finished(S),
    /// It is to be trained, from the checkpoint if there is one.
    Open(RunFolder, Option<Checkpoint<M>>),
}

impl<M: Serialize + DeserializeOwned, S: DeserializeOwned> Part<M, S> {
    /// Looks in the folder `name` of the run `whole`, and makes it where it is not there.
    ///
    /// # Errors
    /// [`RunError`](super::RunError) for a part of another recipe or other data; input or output errors.
    pub fn find<R: Serialize + DeserializeOwned>(
        whole: &RunFolder,
        name: &str,
        recipe: &R,
        data: &Dataset,
    ) -> Result<Self> {
        let path = whole.file(name);
        let summary = path.join("summary.json");
        if summary.exists() {
            let text = std::fs::read(&summary).with_context(|| summary.display().to_string())?;
            return Ok(Self::Finished(serde_json::from_slice(&text).with_context(|| summary.display().to_string())?));
        }
        if path.join("config.json").exists() {
            let (folder, _): (_, R) = RunFolder::open(&path)?;
            folder.check_same(recipe, &data.path, &data.fingerprint())?;
            let checkpoint = folder.latest()?;
            return Ok(Self::Open(folder.part_of(whole), checkpoint));
        }
        Ok(Self::Open(RunFolder::create(&path, recipe, &data.fingerprint())?.part_of(whole), None))
    }
}
