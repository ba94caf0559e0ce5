//! MoCo's queue as a file of a run, for who goes on with it in another program.

use std::path::Path;

use burn::tensor::TensorData;
use slowburn_contrastive::KeyQueue;
use slowburn_models::StateDict;
use slowburn_models::weights::{Metadata, WeightsError, WeightsFile, save_tensors};

const KEYS: &str = "queue";
const POINTER: &str = "queue_ptr";

/// Writes the keys, `[keys, dim]`, and the place of the next one.
///
/// # Errors
/// Input or output errors, which name the file.
pub fn save_queue(queue: &KeyQueue, path: &Path) -> Result<(), WeightsError> {
    let pointer = TensorData::new(vec![queue.pointer() as f32], [1]);
    let keys = queue.rows().into_data().convert::<f32>();
    let tensors = StateDict::from([(KEYS.to_owned(), keys), (POINTER.to_owned(), pointer)]);
    save_tensors(&tensors, path, &Metadata { role: Some("queue".to_owned()), ..Metadata::default() })
}

/// Reads what [`save_queue`] writes.
///
/// # Errors
/// What cannot be read, and damaged files.
pub fn read_queue(path: &Path) -> Result<(TensorData, usize), WeightsError> {
    let mut tensors = WeightsFile::open(path)?.state_dict()?;
    let mut take = |name: &str| {
        let missing = || WeightsError::NoTensor { path: path.to_owned(), name: name.to_owned() };
        tensors.remove(name).ok_or_else(missing)
    };
    let pointer = take(POINTER)?.iter::<f32>().next().unwrap_or(0.0) as usize;
    Ok((take(KEYS)?, pointer))
}
