//! A finished graph.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use onnx_ir::{Message, ModelProto};

use super::OnnxError;
use crate::whole_file::write_whole;

/// A network as ONNX, in memory.
pub struct Onnx {
    model: ModelProto,
}

impl Onnx {
    pub(super) fn new(model: ModelProto) -> Self {
        Self { model }
    }

    /// How many nodes there are of each operation: `Conv`, `Relu`, …
    pub fn operations(&self) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        for node in &self.model.graph.node {
            *counts.entry(node.op_type.as_str()).or_default() += 1;
        }
        counts
    }

    /// The weights and other constants: name and shape, in the order of the file.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, Vec<usize>)> {
        let shape = |dims: &[i64]| dims.iter().map(|&dim| dim as usize).collect();
        self.model.graph.initializer.iter().map(move |tensor| (tensor.name.as_str(), shape(&tensor.dims)))
    }

    /// What the file says of the network: see the [module](super).
    pub fn metadata(&self) -> BTreeMap<&str, &str> {
        self.model.metadata_props.iter().map(|entry| (entry.key.as_str(), entry.value.as_str())).collect()
    }

    /// The bytes of the file, which hold all weights once more.
    ///
    /// # Errors
    ///
    /// [`OnnxError::Protobuf`] for what the format cannot hold: 2 GiB and more.
    pub fn to_bytes(&self) -> Result<Vec<u8>, OnnxError> {
        let written = self.model.write_to_bytes();
        written.map_err(|error| OnnxError::Protobuf { what: "written", reason: error.to_string() })
    }

    /// Writes the file, which takes the place of an older one when it is whole.
    ///
    /// # Errors
    ///
    /// [`OnnxError::Io`], which names the file.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<(), OnnxError> {
        let path = path.as_ref();
        let written = write_whole(path, |file| Ok(self.model.write_to_writer(file)?));
        written.map_err(|source| OnnxError::Io { path: path.to_owned(), source })
    }
}

impl fmt::Debug for Onnx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Onnx")
            .field("operations", &self.operations())
            .field("metadata", &self.metadata())
            .finish_non_exhaustive()
    }
}
