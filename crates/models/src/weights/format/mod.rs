//! The formats that weights come in.

mod pytorch;
mod safetensors;

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

pub(super) use self::safetensors::{Written, write};

use super::{TensorInfo, WeightsError};

/// The format of a weights file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// `https://github.com/huggingface/safetensors`.
    Safetensors,
    /// PyTorch 1.6 and later: a zip archive.
    Zip,
    /// PyTorch 0.1.10 to 1.5: pickles one after another.
    Legacy,
    /// PyTorch before 0.1.10: a tar archive.
    Tar,
    /// A pickle without tensors beside it.
    Pickle,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Safetensors => "safetensors",
            Self::Zip => "PyTorch, zip",
            Self::Legacy => "PyTorch before 1.6",
            Self::Tar => "PyTorch before 0.1.10, tar",
            Self::Pickle => "pickle",
        })
    }
}

/// What opening a file gives.
pub(super) struct Opened {
    pub(super) format: Format,
    pub(super) tensors: BTreeMap<String, TensorInfo>,
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) values: Box<dyn Values>,
}

/// Where the values of tensors come from: nothing is read before it is asked for.
pub(super) trait Values: Send + Sync {
    /// The values of a tensor that [`Opened::tensors`] lists: row-major, little-endian.
    fn read(&self, name: &str) -> io::Result<Vec<u8>>;

    /// The same, handed on in parts, of which a format may hold one at a time.
    fn stream(&self, name: &str, each: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        self.read(name).map(|values| each(&values))
    }
}

/// Opens a file of any format, told by its first bytes.
pub(super) fn open(path: &Path) -> Result<Opened, WeightsError> {
    let failed = |source| WeightsError::Io { path: path.to_owned(), source };
    let mut first = Vec::with_capacity(9);
    File::open(path).and_then(|file| file.take(9).read_to_end(&mut first)).map_err(failed)?;
    match first.get(8) {
        // Behind the length of the header comes its JSON.
        Some(b'{') => self::safetensors::open(path),
        Some(_) => pytorch::open(path),
        None => Err(WeightsError::Format { path: path.to_owned(), reason: format!("it has {} bytes", first.len()) }),
    }
}
