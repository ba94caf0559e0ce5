use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Checkpoint, RunError, RunFolder};

/// A run that is part of another one, in a folder of its own: finished, begun or not begun.
#[derive(Debug)]
pub enum Part<M, S> {
    /// It has its summary.
    Finished(S),
    /// It is to be trained, from the checkpoint if there is one.
    Open(RunFolder, Option<Box<(PathBuf, Checkpoint<M>)>>),
}

impl<M: Serialize + DeserializeOwned, S: DeserializeOwned> Part<M, S> {
    /// Looks in the folder `name` of the run `whole`, and makes it where it is not there. `data` says where the images are and
    /// what they are known by.
    ///
    /// # Errors
    /// [`RunError`] for a part of another recipe or other data; input or output errors.
    pub fn find<R: Serialize + DeserializeOwned>(
        whole: &RunFolder,
        name: &str,
        recipe: &R,
        data: (&Path, &str),
    ) -> Result<Self, RunError> {
        let path = whole.file(name);
        let summary = path.join("summary.json");
        if summary.exists() {
            return Ok(Self::Finished(read_json(&summary)?));
        }
        if path.join("config.json").exists() {
            let (folder, _): (_, R) = RunFolder::open(&path)?;
            folder.check_same(recipe, data.0, data.1)?;
            let checkpoint = folder.latest()?.map(Box::new);
            return Ok(Self::Open(folder.part_of(whole), checkpoint));
        }
        Ok(Self::Open(RunFolder::create(&path, recipe, data.1)?.part_of(whole), None))
    }
}

/// Reads a file of JSON.
fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, RunError> {
    let text = std::fs::read(path).map_err(|source| RunError::Io { path: path.to_owned(), source })?;
    serde_json::from_slice(&text)
        .map_err(|error| RunError::Description { path: path.to_owned(), reason: error.to_string() })
}
