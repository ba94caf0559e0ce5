use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::write_atomically;

const MAGIC: &[u8; 8] = b"SLOWBRN1";
const DIGEST: usize = 32;

/// Which names and shapes the records in checkpoints have: 1 since a classifier's encoder stands where the classifier does, 2
/// since the weights of temporal ensembling's predictions are a column, 3 since a selection counts predictions since a class was
/// last kept. A header without it is older.
pub const NAMES: u32 = 3;

/// A checkpoint's header.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header<M> {
    /// [`NAMES`] when it was written.
    #[serde(default)]
    pub names: u32,
    /// The part of the run that it belongs to.
    pub phase: String,
    /// The place of that part among the parts of the run.
    #[serde(default)]
    pub order: u8,
    /// Optimizer steps made in this part.
    pub step: u64,
    /// Epochs finished in this part.
    pub epoch: u64,
    /// The history so far, of this part and those before it.
    pub progress: History<M>,
}

/// The history of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct History<M> {
    /// Seconds of training, over all sittings.
    pub train_seconds: f64,
    /// Training images seen; two views of an image count once.
    pub images: u64,
    /// The metrics of every epoch.
    pub metrics: Vec<M>,
    /// The accuracy on all test images, as a fraction, of what the method is compared with, once it is known.
    pub baseline_accuracy: Option<f64>,
    /// The best epoch so far, where the task has a score.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best: Option<BestEpoch>,
}

/// The epoch with the best score; the last of them where several have it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BestEpoch {
    /// The epoch, counted from 1.
    pub epoch: u64,
    /// Optimizer steps made by its end.
    pub step: u64,
    /// Its score: higher is better.
    pub score: f64,
    /// The first epoch with this score, from which patience counts.
    #[serde(default)]
    pub improved: u64,
}

impl<M> Default for History<M> {
    fn default() -> Self {
        Self { train_seconds: 0.0, images: 0, metrics: Vec::new(), baseline_accuracy: None, best: None }
    }
}

/// The state of a run: all it depends on beside its recipe.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint<M> {
    /// What it is a checkpoint of.
    pub header: Header<M>,
    /// The method's record in Burn's burnpack format: student and teacher, say, and the step.
    pub method: Vec<u8>,
    /// The optimizer's record in the same format.
    pub optimizer: Vec<u8>,
}

/// Why a checkpoint cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The file cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file is not what was written.
    #[error("{path} is truncated or altered: {what}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        what: &'static str,
    },
}

impl<M: Serialize + DeserializeOwned> Checkpoint<M> {
    /// Writes the checkpoint: magic, three sections with their lengths (header, method, optimizer), SHA-256 of all
    /// before it. The file appears whole or not at all.
    ///
    /// # Errors
    /// [`CheckpointError::Io`], which names the file.
    pub fn write(&self, path: &Path) -> Result<(), CheckpointError> {
        let io = |source| CheckpointError::Io { path: path.to_owned(), source };
        let header = serde_json::to_vec(&self.header).map_err(|error| io(error.into()))?;
        let mut bytes = MAGIC.to_vec();
        for section in [&header, &self.method, &self.optimizer] {
            bytes.extend((section.len() as u64).to_le_bytes());
            bytes.extend(section);
        }
        let digest = Sha256::digest(&bytes);
        bytes.extend(digest);
        write_atomically(path, &bytes).map_err(io)
    }

    /// Reads a checkpoint and proves that it is what was written.
    ///
    /// # Errors
    /// [`CheckpointError::Damaged`] for anything but the bytes that were written.
    pub fn read(path: &Path) -> Result<Self, CheckpointError> {
        let bytes = fs::read(path).map_err(|source| CheckpointError::Io { path: path.to_owned(), source })?;
        Self::parse(&bytes).map_err(|what| CheckpointError::Damaged { path: path.to_owned(), what })
    }

    fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        let body_length = bytes.len().checked_sub(DIGEST).ok_or("it is too short")?;
        let (body, digest) = bytes.split_at(body_length);
        if body.get(..MAGIC.len()) != Some(MAGIC) {
            return Err("it does not start as a checkpoint does");
        }
        if Sha256::digest(body).as_slice() != digest {
            return Err("its checksum does not match");
        }
        let mut rest = &body[MAGIC.len()..];
        let mut section = || {
            let (length, after) = rest.split_first_chunk::<8>().ok_or("a section is missing")?;
            let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| "a section is too long")?;
            let (content, after) = after.split_at_checked(length).ok_or("a section is cut off")?;
            rest = after;
            Ok::<_, &'static str>(content.to_vec())
        };
        let header = section()?;
        let header = serde_json::from_slice(&header).map_err(|_| "its header is not understood")?;
        Ok(Self { header, method: section()?, optimizer: section()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint() -> Checkpoint<u8> {
        let header = Header {
            names: NAMES,
            phase: "baseline".to_owned(),
            order: 0,
            step: 7,
            epoch: 1,
            progress: History { train_seconds: 0.1 + 0.2, images: 224, ..History::default() },
        };
        Checkpoint { header, method: vec![1, 2, 3], optimizer: vec![4; 100] }
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.ckpt");
        checkpoint().write(&path).expect("there is space");
        assert_eq!(Checkpoint::read(&path).expect("intact"), checkpoint());
        assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 1, "no temporary file stays");
    }

    #[test]
    fn every_truncation_and_every_flipped_byte_is_recognised() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.ckpt");
        checkpoint().write(&path).expect("there is space");
        let whole = fs::read(&path).expect("readable");
        for length in 0..whole.len() {
            assert!(Checkpoint::<u8>::parse(&whole[..length]).is_err(), "cut to {length} bytes");
        }
        for at in 0..whole.len() {
            let mut altered = whole.clone();
            altered[at] ^= 1;
            assert!(Checkpoint::<u8>::parse(&altered).is_err(), "byte {at} altered");
        }
    }

    #[test]
    fn an_error_names_the_file() {
        let error = Checkpoint::<u8>::read(Path::new("/nowhere/a.ckpt")).expect_err("there is none").to_string();
        assert!(error.contains("/nowhere/a.ckpt"), "{error}");
    }
}
