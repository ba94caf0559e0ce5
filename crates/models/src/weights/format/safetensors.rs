//! The safetensors format: the length of a header, the header in JSON, the values of all tensors.
//!
//! Reading leaves the header to the crate `safetensors` and the values in the file. Writing is done here, because that crate
//! writes metadata in the order of a hash map, which is another in every run: files of equal runs would not be equal.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use safetensors::tensor::Metadata;
use serde::Serialize;

use super::{Format, Opened, Values};
use crate::weights::{TensorInfo, WeightsError};
use crate::whole_file::write_whole;

/// Bytes that hold the length of the header.
const LENGTH: u64 = 8;
/// The longest header that is read, in bytes: that of the crate `safetensors`.
const LONGEST_HEADER: u64 = 100_000_000;
/// Bytes that are streamed at once: the cache holds them.
const PART: usize = 256 << 10;

pub(super) fn open(path: &Path) -> Result<Opened, WeightsError> {
    let failed = |source| WeightsError::Io { path: path.to_owned(), source };
    let wrong = |reason| WeightsError::Format { path: path.to_owned(), reason };
    let mut file = File::open(path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    let mut length = [0; LENGTH as usize];
    file.read_exact(&mut length).map_err(failed)?;
    let header = u64::from_le_bytes(length);
    if header > LONGEST_HEADER || LENGTH + header > size {
        return Err(wrong(format!("it claims a header of {header} bytes and has {size} bytes in all")));
    }
    let mut text = vec![0; header as usize];
    file.read_exact(&mut text).map_err(failed)?;
    let header = parse(&text).map_err(|source| WeightsError::Safetensors { path: path.to_owned(), source })?;

    let values = size - LENGTH - text.len() as u64;
    if header.data_len() as u64 != values {
        let claimed = header.data_len();
        return Err(wrong(format!("its tensors need {claimed} bytes, but {values} bytes follow the header")));
    }
    let start = LENGTH + text.len() as u64;
    let places = header.tensors().into_iter().map(|(name, tensor)| {
        let (from, to) = tensor.data_offsets;
        (name, (start + from as u64, to - from))
    });
    Ok(Opened {
        format: Format::Safetensors,
        tensors: header.tensors().into_iter().map(|(name, tensor)| (name, info(tensor))).collect(),
        metadata: header.metadata().iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect(),
        values: Box::new(Section { file: Mutex::new(file), places: places.collect() }),
    })
}

/// Checks the header alone: the crate's own reader wants the values behind it in memory.
fn parse(header: &[u8]) -> Result<Metadata, safetensors::SafeTensorError> {
    let text = std::str::from_utf8(header).map_err(safetensors::SafeTensorError::InvalidHeader)?;
    serde_json::from_str(text).map_err(safetensors::SafeTensorError::InvalidHeaderDeserialization)
}

fn info(tensor: &safetensors::tensor::TensorInfo) -> TensorInfo {
    TensorInfo { dtype: tensor.dtype.to_string().to_lowercase(), shape: tensor.shape.clone() }
}

struct Section {
    file: Mutex<File>,
    /// Of each tensor: where it begins in the file, and its length in bytes.
    places: BTreeMap<String, (u64, usize)>,
}

impl Section {
    fn place(&self, name: &str) -> io::Result<(u64, usize)> {
        self.places.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Reads what begins there. Threads take turns.
    fn fill(&self, start: u64, bytes: &mut [u8]) -> io::Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(bytes)
    }
}

impl Values for Section {
    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let (start, length) = self.place(name)?;
        let mut bytes = vec![0; length];
        self.fill(start, &mut bytes)?;
        Ok(bytes)
    }

    fn stream(&self, name: &str, each: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        let (start, length) = self.place(name)?;
        let mut part = vec![0; PART.min(length)];
        let mut done = 0;
        while done < length {
            let part = &mut part[..PART.min(length - done)];
            self.fill(start + done as u64, part)?;
            each(part);
            done += part.len();
        }
        Ok(())
    }
}

/// What the header has under a name.
#[derive(Serialize)]
#[serde(untagged)]
enum Entry<'a> {
    Metadata(&'a BTreeMap<String, String>),
    Tensor { dtype: &'a str, shape: &'a [usize], data_offsets: [usize; 2] },
}

/// A tensor to be written.
pub(in crate::weights) struct Written<'a> {
    pub(in crate::weights) name: &'a str,
    /// In the format's words.
    pub(in crate::weights) dtype: &'static str,
    pub(in crate::weights) shape: Vec<usize>,
    pub(in crate::weights) bytes: &'a [u8],
}

/// Writes a file beside `path` and puts it in its place when it is whole.
pub(in crate::weights) fn write(
    path: &Path,
    metadata: &BTreeMap<String, String>,
    tensors: &[Written<'_>],
) -> io::Result<()> {
    write_whole(path, |file| {
        file.write_all(&header(metadata, tensors)?)?;
        tensors.iter().try_for_each(|tensor| file.write_all(tensor.bytes))
    })
}

/// The header with its length: a multiple of eight bytes, so that values behind it are aligned.
fn header(metadata: &BTreeMap<String, String>, tensors: &[Written<'_>]) -> io::Result<Vec<u8>> {
    let mut entries = BTreeMap::new();
    if !metadata.is_empty() {
        entries.insert("__metadata__", Entry::Metadata(metadata));
    }
    let mut start = 0;
    for tensor in tensors {
        let end = start + tensor.bytes.len();
        let entry = Entry::Tensor { dtype: tensor.dtype, shape: &tensor.shape, data_offsets: [start, end] };
        entries.insert(tensor.name, entry);
        start = end;
    }
    let mut text = serde_json::to_vec(&entries)?;
    text.resize(text.len().next_multiple_of(LENGTH as usize), b' ');
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.append(&mut text);
    Ok(bytes)
}
