//! What is known of a tensor before its values are read.

use std::fmt;

use burn::tensor::{DType, TensorData};

/// Type and shape of a tensor in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// The type of its numbers, in Rust's words: `f32`, `bf16`, `i64`, `bool`.
    pub dtype: String,
    /// Its shape, outermost axis first; empty for a single number.
    pub shape: Vec<usize>,
}

impl TensorInfo {
    /// The type in Burn's words, where it is one that weights can have.
    pub(super) fn float(&self) -> Option<DType> {
        match self.dtype.as_str() {
            "f16" => Some(DType::F16),
            "bf16" => Some(DType::BF16),
            "f32" => Some(DType::F32),
            "f64" => Some(DType::F64),
            _ => None,
        }
    }

    /// Makes 32-bit floats of what a file holds; nothing if its numbers are no floats.
    pub(super) fn floats(&self, bytes: Vec<u8>) -> Option<TensorData> {
        let data = TensorData::from_bytes_vec(bytes, self.shape.clone(), self.float()?);
        Some(data.convert::<f32>())
    }
}

impl fmt::Display for TensorInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.dtype, self.shape)
    }
}
