use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::tensor::TensorData;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use slowburn_models::{ModelError, StateDict, load_state_dict, parameters, state_dict};

use super::write_atomically;

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
    #[error("{path} does not fit the network:{differences}")]
    Misfit {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        differences: Differences,
    },
}

/// How weights differ from those that a network needs: names with shapes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Differences {
    /// What the network needs and the file lacks.
    pub missing: Vec<String>,
    /// What the file has and the network does not know.
    pub unexpected: Vec<String>,
    /// What has another shape in the file.
    pub reshaped: Vec<String>,
}

/// Differences of a kind that a message shows.
const SHOWN: usize = 6;

impl std::fmt::Display for Differences {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kinds = [("missing", &self.missing), ("unexpected", &self.unexpected), ("another shape", &self.reshaped)];
        for (kind, names) in kinds {
            for name in names.iter().take(SHOWN) {
                write!(f, "\n  {kind}: {name}")?;
            }
            if names.len() > SHOWN {
                write!(f, "\n  {kind}: and {} more", names.len() - SHOWN)?;
            }
        }
        Ok(())
    }
}

/// What PyTorch's programs put before the names of the encoder that is evaluated: MoCo's on several GPUs and on one,
/// `DistributedDataParallel`, and lightly and solo-learn.
const PREFIXES: [&str; 4] = ["module.encoder_q.", "encoder_q.", "module.", "backbone."];

/// Writes weights and running statistics under PyTorch's names, in PyTorch's layout, as 32-bit floats.
///
/// # Errors
/// Input or output errors, which name the file.
pub fn save_safetensors<M: Module>(module: &M, path: impl AsRef<Path>) -> Result<(), WeightsError> {
    let path = path.as_ref();
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
/// Where names begin with `module.encoder_q.`, `encoder_q.`, `module.` or `backbone.` (the first of them that occurs),
/// the prefix is taken off, and tensors without it are left out: the key encoder and the queue of MoCo's checkpoints.
///
/// # Errors
/// [`WeightsError`], which names the file.
pub fn read_safetensors(path: &Path) -> Result<StateDict, WeightsError> {
    let bytes = std::fs::read(path).map_err(|source| WeightsError::Io { path: path.to_owned(), source })?;
    parse_safetensors(&bytes, path)
}

/// As [`read_safetensors`], of bytes read before; `path` is for the errors.
///
/// # Errors
/// [`WeightsError`], which names the file.
pub fn parse_safetensors(bytes: &[u8], path: &Path) -> Result<StateDict, WeightsError> {
    let tensors =
        SafeTensors::deserialize(bytes).map_err(|source| WeightsError::Format { path: path.to_owned(), source })?;
    let occurs = |prefix: &&str| tensors.names().iter().any(|name| name.starts_with(prefix));
    let prefix = PREFIXES.into_iter().find(occurs).unwrap_or("");
    let named = tensors.iter().filter_map(|(name, view)| Some((name.strip_prefix(prefix)?, view)));
    let read = named.filter(|(name, _)| !name.ends_with("num_batches_tracked")).map(|(name, view)| {
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

/// Replaces a module's weights by those that [`read_safetensors`] read; `path` is for the errors.
///
/// # Errors
/// [`WeightsError::Misfit`] with every difference; the module is then as it was.
pub fn load_weights<M: Module>(module: M, weights: &StateDict, path: &Path) -> Result<M, WeightsError> {
    let misfit = |differences| WeightsError::Misfit { path: path.to_owned(), differences };
    let differences = differences(&module, weights);
    if differences != Differences::default() {
        return Err(misfit(differences));
    }
    let other = |error: ModelError| misfit(Differences { unexpected: vec![error.to_string()], ..Default::default() });
    load_state_dict(module, weights).map_err(other)
}

fn differences<M: Module>(module: &M, weights: &StateDict) -> Differences {
    let wanted: BTreeMap<String, Vec<usize>> = parameters(module).into_iter().map(|p| (p.name, p.shape)).collect();
    let missing = wanted.iter().filter(|(name, _)| !weights.contains_key(*name));
    let unexpected = weights.iter().filter(|(name, _)| !wanted.contains_key(*name));
    let reshaped = wanted.iter().filter_map(|(name, shape)| {
        let found = weights.get(name)?.shape().to_vec();
        (found != *shape).then(|| format!("`{name}` is {found:?}, wanted: {shape:?}"))
    });
    Differences {
        missing: missing.map(|(name, shape)| format!("`{name}` {shape:?}")).collect(),
        unexpected: unexpected.map(|(name, data)| format!("`{name}` {:?}", data.shape().to_vec())).collect(),
        reshaped: reshaped.collect(),
    }
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

    /// A file of floats and, as in MoCo's checkpoints, an integer pointer.
    fn file(names: &[&str]) -> Vec<u8> {
        let (numbers, pointer) = ([0u8; 8], [0u8; 8]);
        let numbers = TensorView::new(Dtype::F32, vec![2], &numbers).expect("two numbers");
        let pointer = TensorView::new(Dtype::I64, vec![1], &pointer).expect("a pointer");
        let tensors = names.iter().map(|&name| (name, if name.ends_with("ptr") { &pointer } else { &numbers }));
        safetensors::serialize(tensors.collect::<Vec<_>>(), None).expect("serialises")
    }

    #[test]
    fn the_prefixes_of_pytorchs_programs_are_taken_off_and_the_rest_is_left_out() {
        for (names, expected) in [
            (
                &["module.encoder_q.a", "module.encoder_q.fc.b", "module.encoder_k.a", "module.queue_ptr"][..],
                &["a", "fc.b"][..],
            ),
            (&["encoder_q.a", "encoder_k.a", "queue"], &["a"]),
            (&["module.a", "module.fc.b"], &["a", "fc.b"]),
            (&["backbone.a", "momentum_backbone.a", "projector.0"], &["a"]),
            (&["a", "encoder.b"], &["a", "encoder.b"]),
        ] {
            let read = parse_safetensors(&file(names), Path::new("x")).expect("intact");
            assert!(read.keys().eq(expected), "{names:?}: {:?}", read.keys());
        }
    }

    #[test]
    fn a_misfit_lists_what_is_missing_unexpected_and_of_another_shape() {
        let linear = || LinearConfig::new(3, 2).init(&Device::flex());
        let mut weights = state_dict(&linear());
        assert!(load_weights(linear(), &weights, Path::new("x")).is_ok());
        weights.remove("bias");
        weights.insert("weight".to_owned(), TensorData::zeros::<f32, _>([2, 4]));
        let unexpected = (0..12).map(|i| (format!("other.{i:02}"), TensorData::zeros::<f32, _>([1])));
        weights.extend(unexpected);
        let said = load_weights(linear(), &weights, Path::new("x")).expect_err("a misfit").to_string();
        for part in ["x does not fit", "missing: `bias` [2]", "unexpected: `other.00` [1]", "and 6 more"] {
            assert!(said.contains(part), "{part} is not in\n{said}");
        }
        weights.retain(|name, _| !name.starts_with("other"));
        let said = load_weights(linear(), &weights, Path::new("x")).expect_err("a misfit").to_string();
        assert!(said.contains("another shape: `weight` is [2, 4], wanted: [2, 3]"), "{said}");
        assert!(!said.contains("more"), "{said}");
    }
}
