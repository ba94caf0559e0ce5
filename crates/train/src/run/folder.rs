use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::atomic::{is_leftover, remove_leftovers};
use super::diff::differences;
use super::{Checkpoint, CheckpointError, Header, write_atomically};

/// Checkpoints kept: the newest and, should it be damaged, the one before it.
const KEPT: usize = 2;

/// What can be wrong with a run folder.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// A file or folder cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The folder to write to holds a run.
    #[error("{path} already holds a run: choose another folder, or go on with that run")]
    Occupied {
        /// The folder.
        path: PathBuf,
    },
    /// The folder to write to holds something else.
    #[error("{path} is not empty: choose another folder")]
    NotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// The folder to resume from holds no run.
    #[error("{path} holds no run: it has no config.json")]
    NoRun {
        /// The folder.
        path: PathBuf,
    },
    /// The folder's description is damaged.
    #[error("{path} cannot be understood: {reason}")]
    Description {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The run was made with other settings than those asked for.
    #[error("{path} was made with other settings: take these, or another folder\n  {}", .differences.join("\n  "))]
    OtherRecipe {
        /// The folder.
        path: PathBuf,
        /// The settings that differ, with both values.
        differences: Vec<String>,
    },
    /// The data have changed since the run began.
    #[error("{data} are not those that the run in {path} began with: files came, went or changed")]
    OtherData {
        /// The folder.
        path: PathBuf,
        /// Which data.
        data: String,
    },
    /// A checkpoint failed.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

/// What `config.json` holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Description<R> {
    slowburn: String,
    recipe: R,
    data_sha256: String,
}

/// A folder with `config.json`, `metrics.jsonl`, `checkpoints/`, and at the end `summary.json`; a training may add more.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    /// The run that this one is part of, else itself.
    whole: PathBuf,
}

impl RunFolder {
    /// Checks that a run can begin in `path`, without writing anything: it is not there, is empty, or holds what
    /// [`create`](Self::create) leaves where it is killed.
    ///
    /// # Errors
    /// [`RunError::Occupied`] or [`RunError::NotEmpty`].
    pub fn check_free(path: &Path) -> Result<(), RunError> {
        if path.join("config.json").exists() {
            return Err(RunError::Occupied { path: path.to_owned() });
        }
        let io = |source| RunError::Io { path: path.to_owned(), source };
        let entries = match fs::read_dir(path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(source) => return Err(io(source)),
        };
        let folder = Self::at(path);
        for entry in entries {
            if !folder.is_left_by_create(&entry.map_err(io)?.path()) {
                return Err(RunError::NotEmpty { path: path.to_owned() });
            }
        }
        Ok(())
    }

    /// Whether this is what is there before `config.json`: the folder of checkpoints, without any, or that file's
    /// beginning.
    fn is_left_by_create(&self, entry: &Path) -> bool {
        let empty = || fs::read_dir(entry).is_ok_and(|mut entries| entries.next().is_none());
        (entry == self.checkpoints() && empty()) || is_leftover(entry, &self.file("config.json"))
    }

    fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), whole: path.to_owned() }
    }

    /// The same folder as a part of another run: that run is the one to resume.
    pub(super) fn part_of(self, whole: &Self) -> Self {
        Self { whole: whole.whole.clone(), ..self }
    }

    /// Begins a run. Where that fails, a full disk for one, no folder stays behind.
    ///
    /// # Errors
    /// As [`check_free`](Self::check_free), and input or output errors.
    pub fn create<R: Serialize>(path: &Path, recipe: &R, data_sha256: &str) -> Result<Self, RunError> {
        Self::check_free(path)?;
        let existed = path.exists();
        let folder = Self::at(path);
        let checkpoints = folder.checkpoints();
        let description =
            Description { slowburn: env!("CARGO_PKG_VERSION").to_owned(), recipe, data_sha256: data_sha256.to_owned() };
        let written = fs::create_dir_all(&checkpoints)
            .map_err(|source| RunError::Io { path: checkpoints.clone(), source })
            .and_then(|()| folder.write_json("config.json", &description))
            .and_then(|()| remove_leftovers(path).map_err(|source| RunError::Io { path: path.to_owned(), source }));
        if written.is_err() {
            // Best effort: the error above is the one to report.
            fs::remove_dir(&checkpoints).ok();
            if !existed {
                fs::remove_dir(path).ok();
            }
        }
        written.map(|()| folder)
    }

    /// Empties the folder of a run that has made no checkpoint, so that another can begin in it: `config.json`, TensorBoard's
    /// files, and these.
    ///
    /// # Errors
    /// Input or output errors.
    pub fn discard_unbegun(self, files: &[&str]) -> Result<(), RunError> {
        for name in ["config.json"].iter().chain(files) {
            let path = self.file(name);
            match fs::remove_file(&path) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => return Err(RunError::Io { path, source }),
                _ => {}
            }
        }
        let path = self.file("tensorboard");
        match fs::remove_dir_all(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(RunError::Io { path, source }),
            _ => Ok(()),
        }
    }

    /// Opens a run to resume it, and returns its recipe.
    ///
    /// # Errors
    /// [`RunError::NoRun`] or [`RunError::Description`].
    pub fn open<R: DeserializeOwned>(path: &Path) -> Result<(Self, R), RunError> {
        let folder = Self::at(path);
        let description = folder.description()?;
        Ok((folder, description.recipe))
    }

    /// Checks that the run began with this recipe and these data, which lie at `data` if that is given.
    ///
    /// # Errors
    /// [`RunError::OtherRecipe`] with every setting that differs, or [`RunError::OtherData`].
    pub fn check_same<R: Serialize + DeserializeOwned>(
        &self,
        asked: &R,
        data: &Path,
        data_sha256: &str,
    ) -> Result<(), RunError> {
        let description: Description<R> = self.description()?;
        let differences = differences(&description.recipe, asked);
        if !differences.is_empty() {
            return Err(RunError::OtherRecipe { path: self.path.clone(), differences });
        }
        if description.data_sha256 != data_sha256 {
            let data = match data.as_os_str().is_empty() {
                true => "the images".to_owned(),
                false => format!("the data at {}", data.display()),
            };
            return Err(RunError::OtherData { path: self.path.clone(), data });
        }
        Ok(())
    }

    fn description<R: DeserializeOwned>(&self) -> Result<Description<R>, RunError> {
        let path = self.path.join("config.json");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(RunError::NoRun { path: self.path.clone() });
            }
            Err(source) => return Err(RunError::Io { path, source }),
        };
        serde_json::from_str(&text).map_err(|error| RunError::Description { path, reason: error.to_string() })
    }

    /// Where the run is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder to resume: that of the run that this one is part of, else its own.
    pub fn resume_path(&self) -> &Path {
        &self.whole
    }

    /// The fingerprint of the data that the run began with.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn data_sha256(&self) -> Result<String, RunError> {
        Ok(self.description::<serde::de::IgnoredAny>()?.data_sha256)
    }

    /// Where a file of the run is.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    fn checkpoints(&self) -> PathBuf {
        self.path.join("checkpoints")
    }

    /// Writes a checkpoint and the metrics beside it, then removes all but the newest two checkpoints, and the parts of files
    /// that killed programs left.
    ///
    /// # Errors
    /// Input or output errors, which name the file.
    pub fn save<M: Serialize + DeserializeOwned>(&self, checkpoint: &Checkpoint<M>) -> Result<PathBuf, RunError> {
        let path = self.checkpoint_file(&checkpoint.header);
        checkpoint.write(&path)?;
        self.write_metrics(&checkpoint.header.progress.metrics)?;
        for folder in [self.path.clone(), self.checkpoints()] {
            remove_leftovers(&folder).map_err(|source| RunError::Io { path: folder, source })?;
        }
        let files = self.checkpoint_files()?;
        for old in files.iter().rev().skip(KEPT) {
            fs::remove_file(old).map_err(|source| RunError::Io { path: old.clone(), source })?;
        }
        Ok(path)
    }

    /// Where the checkpoint with this header is: names sort by age.
    fn checkpoint_file<M>(&self, header: &Header<M>) -> PathBuf {
        let Header { phase, order, step, .. } = header;
        self.checkpoints().join(format!("{order:03}-{phase}-{step:09}.ckpt"))
    }

    /// The newest checkpoint's file, intact or not, if there is one.
    ///
    /// # Errors
    /// Input or output errors.
    pub fn newest(&self) -> Result<Option<PathBuf>, RunError> {
        Ok(self.checkpoint_files()?.pop())
    }

    fn checkpoint_files(&self) -> Result<Vec<PathBuf>, RunError> {
        let folder = self.checkpoints();
        let io = |source| RunError::Io { path: folder.clone(), source };
        let mut files = Vec::new();
        for entry in fs::read_dir(&folder).map_err(io)? {
            let path = entry.map_err(io)?.path();
            if path.extension().is_some_and(|extension| extension == "ckpt") {
                files.push(path);
            }
        }
        files.sort();
        Ok(files)
    }

    /// The newest checkpoint that is intact, and its file. A damaged one is named in a warning and the one before it is used.
    ///
    /// # Errors
    /// [`CheckpointError::Damaged`] when there are checkpoints and none is intact.
    pub fn latest<M: Serialize + DeserializeOwned>(&self) -> Result<Option<(PathBuf, Checkpoint<M>)>, RunError> {
        let mut damage = None;
        for path in self.checkpoint_files()?.into_iter().rev() {
            match Checkpoint::read(&path) {
                Ok(checkpoint) => return Ok(Some((path, checkpoint))),
                Err(error @ CheckpointError::Damaged { .. }) => {
                    tracing::warn!("{error}; trying the checkpoint before it");
                    damage = Some(error);
                }
                Err(error) => return Err(error.into()),
            }
        }
        damage.map_or(Ok(None), |error| Err(error.into()))
    }

    /// Keeps a checkpoint as that of the best epoch, beside the newest.
    ///
    /// # Errors
    /// Input or output errors.
    pub fn save_best<M: Serialize + DeserializeOwned>(&self, checkpoint: &Checkpoint<M>) -> Result<(), RunError> {
        Ok(checkpoint.write(&self.best_file(&checkpoint.header.phase))?)
    }

    /// The checkpoint of the best epoch of one part of the run.
    ///
    /// # Errors
    /// [`RunError::Checkpoint`] if there is none, or it is damaged.
    pub fn best<M: Serialize + DeserializeOwned>(&self, phase: &str) -> Result<Checkpoint<M>, RunError> {
        Ok(Checkpoint::read(&self.best_file(phase))?)
    }

    /// A part that was killed before its first checkpoint leaves the best one of the part before it as it was.
    fn best_file(&self, phase: &str) -> PathBuf {
        self.file(&format!("best-{phase}.ckpt"))
    }

    fn write_metrics<M: Serialize>(&self, metrics: &[M]) -> Result<(), RunError> {
        let path = self.file("metrics.jsonl");
        let mut text = Vec::new();
        for row in metrics {
            serde_json::to_writer(&mut text, row)
                .map_err(|error| RunError::Io { path: path.clone(), source: error.into() })?;
            text.push(b'\n');
        }
        write_atomically(&path, &text).map_err(|source| RunError::Io { path, source })
    }

    /// Writes the summary: its presence says that the run is complete.
    ///
    /// # Errors
    /// Input or output errors.
    pub fn write_summary<S: Serialize>(&self, summary: &S) -> Result<(), RunError> {
        self.write_json("summary.json", summary)
    }

    fn write_json<T: Serialize>(&self, name: &str, value: &T) -> Result<(), RunError> {
        let path = self.file(name);
        let io = |source| RunError::Io { path: path.clone(), source };
        let mut text = serde_json::to_vec_pretty(value).map_err(|error| io(error.into()))?;
        text.push(b'\n');
        write_atomically(&path, &text).map_err(io)
    }
}

/// Where a run is written by default: `runs/<method>-<time>`.
pub fn default_folder(method: &str) -> PathBuf {
    let millis = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis());
    PathBuf::from("runs").join(format!("{method}-{millis}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{History, NAMES};

    #[test]
    fn a_folder_whose_creation_was_killed_is_free_and_one_with_anything_else_is_not() {
        let outer = tempfile::tempdir().expect("a temporary folder");
        let path = outer.path().join("run");
        fs::create_dir_all(path.join("checkpoints")).expect("made");
        for begun in [".config.json.tmp", "config.json.123-0.tmp"] {
            fs::write(path.join(begun), "{\"slow").expect("written");
        }
        RunFolder::check_free(&path).expect("nothing of a run is in it");
        RunFolder::create(&path, &1, "digest").expect("free");
        assert_eq!(fs::read_dir(&path).expect("readable").count(), 2, "config.json and checkpoints");
        assert!(matches!(RunFolder::check_free(&path), Err(RunError::Occupied { .. })));

        fs::remove_file(path.join("config.json")).expect("written");
        RunFolder::check_free(&path).expect("as after the first step of its creation");
        fs::write(path.join("checkpoints/000-baseline-000000001.ckpt"), "").expect("written");
        assert!(matches!(RunFolder::check_free(&path), Err(RunError::NotEmpty { .. })));
        fs::remove_dir_all(path.join("checkpoints")).expect("removed");
        fs::write(path.join("letter.txt"), "mine").expect("written");
        assert!(matches!(RunFolder::check_free(&path), Err(RunError::NotEmpty { .. })));
    }

    #[test]
    fn each_part_keeps_its_own_best_epoch() {
        let outer = tempfile::tempdir().expect("a temporary folder");
        let folder = RunFolder::create(&outer.path().join("run"), &1, "digest").expect("free");
        let of = |phase: &str, step| {
            let header =
                Header { names: NAMES, phase: phase.into(), order: 0, step, epoch: 1, progress: History::default() };
            Checkpoint::<i32> { header, method: vec![], optimizer: vec![] }
        };
        // Killed behind the second line, a run goes on from the baseline's last checkpoint, and needs its best.
        folder.save_best(&of("baseline", 7)).expect("written");
        folder.save_best(&of("fixmatch", 9)).expect("written");
        for (phase, step) in [("baseline", 7), ("fixmatch", 9)] {
            assert_eq!(folder.best::<i32>(phase).expect("kept").header.step, step);
        }
        assert!(folder.best::<i32>("pi").is_err());
    }

    #[test]
    fn a_part_is_gone_on_with_by_the_whole_run() {
        let outer = tempfile::tempdir().expect("a temporary folder");
        let whole = RunFolder::create(&outer.path().join("run"), &1, "digest").expect("free");
        assert_eq!(whole.resume_path(), whole.path());
        let part = RunFolder::create(&whole.file("part"), &2, "digest").expect("free").part_of(&whole);
        assert_eq!(part.part_of(&whole).resume_path(), whole.path());
        let opened = RunFolder::open::<i32>(whole.path()).expect("there").0;
        assert_eq!((opened.resume_path(), opened.data_sha256().expect("there").as_str()), (whole.path(), "digest"));
    }
}
