use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::tensor::TensorData;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use slowburn_models::{ModelError, StateDict, state_dict};

use crate::run::write_atomically;

/// Why weights cannot be written or read.
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
    /// The file is not in the safetensors format.
    #[error("{path} is no safetensors file: {source}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: safetensors::SafeTensorError,
    },
    /// A tensor of another type than 32-bit floats.
    #[error("{path}: `{name}` is {found}, allowed: F32")]
    Type {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Its type.
        found: String,
    },
    /// The weights are those of another network.
    #[error("{path} does not fit the network: {source}")]
    Misfit {
        /// The file.
        path: PathBuf,
        /// The first name or shape that does not fit.
        source: ModelError,
    },
}

/// Writes weights and running statistics under PyTorch's names, in PyTorch's layout, as 32-bit floats.
///
/// # Errors
/// Input or output errors, which name the file.
pub fn save_safetensors<M: Module>(module: &M, path: &Path) -> Result<(), WeightsError> {
    let state = state_dict(module);
    let format = |source| WeightsError::Format { path: path.to_owned(), source };
    let tensors = state.iter().map(|(name, data)| {
        let shape = data.shape().to_vec();
        TensorView::new(Dtype::F32, shape, data.as_bytes()).map(|view| (name, view))
    });
    let tensors: Vec<_> = tensors.collect::<Result<_, _>>().map_err(format)?;
    let bytes = safetensors::serialize(tensors, None).map_err(format)?;
    write_atomically(path, &bytes).map_err(|source| WeightsError::Io { path: path.to_owned(), source })
}

/// Reads what [`save_safetensors`] writes, or PyTorch's own tools do.
///
/// # Errors
/// [`WeightsError`], which names the file.
pub fn read_safetensors(path: &Path) -> Result<StateDict, WeightsError> {
    let bytes = std::fs::read(path).map_err(|source| WeightsError::Io { path: path.to_owned(), source })?;
    let tensors =
        SafeTensors::deserialize(&bytes).map_err(|source| WeightsError::Format { path: path.to_owned(), source })?;
    let read = tensors.iter().filter(|(name, _)| !name.ends_with("num_batches_tracked")).map(|(name, view)| {
        if view.dtype() != Dtype::F32 {
            let found = format!("{:?}", view.dtype());
            return Err(WeightsError::Type { path: path.to_owned(), name: name.to_owned(), found });
        }
        let values =
            view.data().chunks_exact(4).map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
        let data = TensorData::new(values.collect::<Vec<f32>>(), view.shape().to_vec());
        Ok((name.to_owned(), data))
    });
    read.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::nn::LinearConfig;
    use burn::tensor::Device;

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.safetensors");
        let linear = LinearConfig::new(3, 2).init(&Device::flex());
        save_safetensors(&linear, &path).expect("written");
        assert_eq!(read_safetensors(&path).expect("intact"), state_dict(&linear));
        std::fs::write(&path, b"nothing").expect("written");
        assert!(matches!(read_safetensors(&path), Err(WeightsError::Format { .. })));
    }
}
