//! Weights out.

use std::path::Path;

use burn::module::Module;
use burn::tensor::{DType, TensorData};

use super::WeightsError;
use super::digest::Digest;
use super::format::{Written, write};
use super::metadata::{DIGEST, Metadata};
use crate::{StateDict, state_dict};

/// Writes weights and running statistics as safetensors, under PyTorch's names and in PyTorch's layout, as 32-bit floats.
///
/// A [`Classifier`](crate::Classifier) of a [`ResNet`](crate::ResNet) is what `load_state_dict(strict=True)` of torchvision's
/// network of that name takes. The file takes the place of an older one when it is whole.
///
/// # Errors
///
/// Input or output errors, which name the file.
pub fn save_safetensors<M: Module>(
    module: &M,
    path: impl AsRef<Path>,
    metadata: &Metadata,
) -> Result<(), WeightsError> {
    save_tensors(&state_dict(module), path, metadata)
}

/// As [`save_safetensors`], of tensors of any names: floats of 32 bits and integers of 64.
///
/// # Errors
///
/// [`WeightsError::Type`] for numbers of another type; input or output errors. Both name the file.
pub fn save_tensors(tensors: &StateDict, path: impl AsRef<Path>, metadata: &Metadata) -> Result<(), WeightsError> {
    let path = path.as_ref();
    let tensors: Vec<Written<'_>> =
        tensors.iter().map(|(name, data)| written(name, data, path)).collect::<Result<_, _>>()?;
    let mut map = metadata.to_map();
    let mut digest = Digest::of_metadata(map.iter());
    for tensor in &tensors {
        digest.begin(tensor.name, tensor.dtype, &tensor.shape);
        digest.values(tensor.bytes);
    }
    map.insert(DIGEST.to_owned(), digest.finish());
    write(path, &map, &tensors).map_err(|source| WeightsError::Io { path: path.to_owned(), source })
}

fn written<'a>(name: &'a str, data: &'a TensorData, path: &Path) -> Result<Written<'a>, WeightsError> {
    let wrong = || WeightsError::Type {
        path: path.to_owned(),
        name: name.to_owned(),
        found: format!("{:?}", data.dtype()).to_lowercase(),
    };
    let dtype = match data.dtype() {
        DType::F32 => "F32",
        DType::I64 => "I64",
        _ => return Err(wrong()),
    };
    Ok(Written { name, dtype, shape: data.shape().to_vec(), bytes: data.as_bytes() })
}

/// The entries of a checkpoint of MoCo's own code, which [`save_tensors`] writes.
///
/// | Name | What |
/// |---|---|
/// | `encoder_q.…`, `encoder_k.…` | `query` and `key`: a [`state_dict`] each, with torchvision's names and those of the head |
/// | `queue` | the keys, `[dim, keys]`; the argument is `[keys, dim]` |
/// | `queue_ptr` | the place of the next key, a 64-bit integer |
///
/// Three lines of Python make what MoCo's `main_lincls.py` loads:
///
/// ```python
/// from safetensors.torch import load_file
/// state = {"module." + name: tensor for name, tensor in load_file("moco.safetensors").items()}
/// torch.save({"arch": "resnet50", "state_dict": state}, "moco.pth.tar")
/// ```
///
/// # Panics
///
/// If the queue is not a matrix of `[keys, dim]`.
pub fn moco_checkpoint(query: StateDict, key: StateDict, queue: TensorData, pointer: usize) -> StateDict {
    let mut tensors = StateDict::new();
    for (prefix, state) in [("encoder_q.", query), ("encoder_k.", key)] {
        tensors.extend(state.into_iter().map(|(name, data)| (format!("{prefix}{name}"), data)));
    }
    tensors.insert("queue".to_owned(), crate::state_dict::transpose(queue.convert::<f32>()));
    tensors.insert("queue_ptr".to_owned(), TensorData::new(vec![pointer as i64], [1]));
    tensors
}
