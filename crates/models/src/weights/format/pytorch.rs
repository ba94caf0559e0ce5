//! PyTorch's checkpoints, read by `pytorch-reader`: no pickled code runs, what it would make is left out.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use pytorch_reader::{DType, FileFormat, PytorchReader, Tensor};

use super::{Format, Opened, Values};
use crate::weights::{TensorInfo, WeightsError};

pub(super) fn open(path: &Path) -> Result<Opened, WeightsError> {
    let reader = PytorchReader::new(path).map_err(|source| WeightsError::Pytorch { path: path.to_owned(), source })?;
    let format = match reader.metadata().format_type {
        FileFormat::Zip => Format::Zip,
        FileFormat::Tar => Format::Tar,
        FileFormat::Legacy => Format::Legacy,
        FileFormat::Pickle => Format::Pickle,
    };
    let tensors = reader.tensors().iter().map(|(name, tensor)| (name.clone(), info(tensor))).collect();
    Ok(Opened { format, tensors, metadata: Default::default(), values: Box::new(Checkpoint(reader.into_tensors())) })
}

fn info(tensor: &Tensor) -> TensorInfo {
    let dtype = match tensor.dtype() {
        DType::F64 => "f64",
        DType::F32 => "f32",
        DType::F16 => "f16",
        DType::BF16 => "bf16",
        DType::I64 => "i64",
        DType::I32 => "i32",
        DType::I16 => "i16",
        DType::I8 => "i8",
        DType::U64 => "u64",
        DType::U32 => "u32",
        DType::U16 => "u16",
        DType::U8 => "u8",
        DType::Bool => "bool",
    };
    TensorInfo { dtype: dtype.to_owned(), shape: tensor.shape().to_vec() }
}

struct Checkpoint(HashMap<String, Tensor>);

impl Values for Checkpoint {
    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        match self.0.get(name) {
            Some(tensor) => tensor.read(),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }
}
