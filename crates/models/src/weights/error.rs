//! What can be wrong with a weights file.

use std::path::PathBuf;

use super::Differences;

/// Why weights cannot be read or written. Every message names the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// The file cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The file is none of the formats.
    #[error("{path} is no weights file: {reason}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The header of a safetensors file is wrong.
    #[error("{path} is no intact safetensors file: {source}")]
    Safetensors {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: safetensors::SafeTensorError,
    },
    /// A file of PyTorch's is damaged, or holds something else than tensors.
    #[error("{path} is no intact PyTorch checkpoint: {source}")]
    Pytorch {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: pytorch_reader::PytorchError,
    },
    /// There are no tensors in the file.
    #[error("there are no tensors in {path}")]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The values of a tensor cannot be read: the file was cut off or damaged.
    #[error("{path}: `{name}` cannot be read: {source}")]
    Tensor {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// What is wrong.
        source: std::io::Error,
    },
    /// There is no tensor of that name.
    #[error("{path} has no tensor `{name}`")]
    NoTensor {
        /// The file.
        path: PathBuf,
        /// What was asked for.
        name: String,
    },
    /// Numbers of a type that no network here computes with.
    #[error("{path}: `{name}` is of type {found}, wanted: f16, bf16, f32 or f64")]
    Type {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Its type.
        found: String,
    },
    /// Tensors or metadata are not those that were written.
    #[error("{path} is damaged: its tensors do not have the digest that its metadata state")]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// An entry of the metadata cannot be understood.
    #[error("{path}: the metadata's `{key}` cannot be read: {reason}")]
    Metadata {
        /// The file.
        path: PathBuf,
        /// The entry.
        key: String,
        /// What is wrong.
        reason: String,
    },
    /// No name of the network is in the file, under any prefix that is known.
    #[error(
        "nothing of {path} fits the network.\n  the file begins with:    {found}\n  the network begins with: {wanted}\nIf the \
         names differ by a prefix, name it as the branch."
    )]
    NotRecognised {
        /// The file.
        path: PathBuf,
        /// Its first names.
        found: String,
        /// The first names that were looked for.
        wanted: String,
    },
    /// The branch that was asked for is not in the file, or there are several of that name.
    #[error("{path} has {count} branch `{asked}`; its branches: {there}")]
    Branch {
        /// The file.
        path: PathBuf,
        /// How many: `no`, or `more than one`.
        count: &'static str,
        /// What was asked for.
        asked: String,
        /// What there is.
        there: String,
    },
    /// The weights are those of another network.
    #[error("{path}, {branch}, does not fit the network:{differences}")]
    Misfit {
        /// The file.
        path: PathBuf,
        /// The branch that was taken.
        branch: String,
        /// What does not fit.
        differences: Box<Differences>,
    },
}
