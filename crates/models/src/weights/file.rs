//! What is in a weights file, and one tensor at a time.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use burn::tensor::TensorData;

use super::format::{self, Format, Opened, Values};
use super::metadata::{DIGEST, Metadata};
use super::{TensorInfo, WeightsError, digest::Digest};
use crate::StateDict;

/// A weights file whose tensors are listed; their values stay in the file until they are asked for.
///
/// It reads safetensors and every form that `torch.save` has had: zip (`.pth`, `.pt`, `.ckpt`), the pickles of PyTorch 0.1.10 to
/// 1.5, and the tar archive before it; what is inside tells, not the name. Tensors within dictionaries have the keys on the way
/// to them, with dots between, in front of their names: `state_dict.conv1.weight`. A pickled network (`torch.save(model)`) is
/// read as its state dict.
///
/// No pickled code runs. What it would have made is left out, and if it would have made the tensors, there are none.
pub struct WeightsFile {
    path: PathBuf,
    format: Format,
    tensors: BTreeMap<String, TensorInfo>,
    metadata: Metadata,
    /// The whole map, for the digest.
    map: BTreeMap<String, String>,
    values: Box<dyn Values>,
}

impl WeightsFile {
    /// Opens a file and reads what it says of its tensors.
    ///
    /// # Errors
    ///
    /// For a file that cannot be read, is cut off or damaged where it describes its tensors, or holds none.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, WeightsError> {
        let path = path.as_ref().to_owned();
        let Opened { format, tensors, metadata: map, values } = format::open(&path)?;
        if tensors.is_empty() {
            return Err(WeightsError::Empty { path });
        }
        let metadata = Metadata::of_map(map.clone(), &path)?;
        Ok(Self { path, format, tensors, metadata, map, values })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its format.
    pub fn format(&self) -> Format {
        self.format
    }

    /// The tensors by name.
    pub fn tensors(&self) -> &BTreeMap<String, TensorInfo> {
        &self.tensors
    }

    /// What the file says of its network.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Reads a tensor as 32-bit floats.
    ///
    /// # Errors
    ///
    /// For a tensor that is not there, holds no floats, or cannot be read: zip files have a checksum of each.
    pub fn read(&self, name: &str) -> Result<TensorData, WeightsError> {
        let info = self.tensors.get(name);
        let info = info.ok_or_else(|| WeightsError::NoTensor { path: self.path.clone(), name: name.to_owned() })?;
        // Told before the values are read.
        let wrong = || WeightsError::Type { path: self.path.clone(), name: name.to_owned(), found: info.dtype.clone() };
        info.float().ok_or_else(wrong)?;
        info.floats(self.bytes(name)?).ok_or_else(wrong)
    }

    /// Reads every tensor, under the names of the file.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read), and [`verify`](Self::verify).
    pub fn state_dict(&self) -> Result<StateDict, WeightsError> {
        self.verify()?;
        self.tensors.keys().map(|name| Ok((name.clone(), self.read(name)?))).collect()
    }

    fn bytes(&self, name: &str) -> Result<Vec<u8>, WeightsError> {
        self.values.read(name).map_err(|source| self.unreadable(name, source))
    }

    fn unreadable(&self, name: &str, source: std::io::Error) -> WeightsError {
        WeightsError::Tensor { path: self.path.clone(), name: name.to_owned(), source }
    }

    /// Compares the digest in the metadata with the tensors, a part of one at a time. True if it holds; false if there is none.
    ///
    /// # Errors
    ///
    /// [`WeightsError::Damaged`] if it does not hold, and errors of reading.
    pub fn verify(&self) -> Result<bool, WeightsError> {
        let Some(stated) = self.map.get(DIGEST) else {
            return Ok(false);
        };
        let mut digest = Digest::of_metadata(self.map.iter().filter(|(key, _)| *key != DIGEST));
        for (name, info) in &self.tensors {
            digest.begin(name, &info.dtype.to_uppercase(), &info.shape);
            let hashed = self.values.stream(name, &mut |part| digest.values(part));
            hashed.map_err(|source| self.unreadable(name, source))?;
        }
        match digest.finish() == *stated {
            true => Ok(true),
            false => Err(WeightsError::Damaged { path: self.path.clone() }),
        }
    }
}

impl fmt::Debug for WeightsFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeightsFile")
            .field("path", &self.path)
            .field("format", &self.format)
            .field("tensors", &self.tensors.len())
            .field("metadata", &self.metadata)
            .finish_non_exhaustive()
    }
}
