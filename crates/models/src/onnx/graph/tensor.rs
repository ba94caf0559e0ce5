//! The numbers of constants.

use onnx_ir::TensorProto;

/// `TensorProto.DataType` of 32-bit floats.
const FLOAT: i32 = 1;
/// `TensorProto.DataType` of 64-bit integers.
const INT64: i32 = 7;

/// A constant of 32-bit floats.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Floats {
    pub(super) shape: Vec<usize>,
    pub(super) values: Vec<f32>,
}

impl Floats {
    /// Reads one of burn-onnx's constants; `None` for other types.
    pub(super) fn read(tensor: &TensorProto) -> Option<Self> {
        if tensor.data_type != FLOAT {
            return None;
        }
        let shape: Vec<usize> = tensor.dims.iter().map(|&dim| dim as usize).collect();
        let (numbers, rest) = tensor.raw_data.as_chunks();
        let values: Vec<f32> = numbers.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
        let whole = rest.is_empty() && values.len() == shape.iter().product::<usize>();
        whole.then_some(Self { shape, values })
    }

    /// The only value, if there is one alone.
    pub(super) fn single(&self) -> Option<f32> {
        match self.values[..] {
            [value] => Some(value),
            _ => None,
        }
    }

    pub(super) fn into_tensor(self, name: &str) -> TensorProto {
        let bytes: Vec<u8> = self.values.iter().flat_map(|value| value.to_le_bytes()).collect();
        tensor(name, FLOAT, self.shape, bytes)
    }
}

/// Reads a constant list of integers; `None` for other types.
pub(super) fn integers(tensor: &TensorProto) -> Option<Vec<i64>> {
    if tensor.data_type != INT64 {
        return None;
    }
    let (numbers, _) = tensor.raw_data.as_chunks();
    Some(numbers.iter().map(|&bytes| i64::from_le_bytes(bytes)).collect())
}

/// A constant list of integers.
pub(super) fn integer_list(name: &str, values: &[i64]) -> TensorProto {
    tensor(name, INT64, vec![values.len()], values.iter().flat_map(|value| value.to_le_bytes()).collect())
}

fn tensor(name: &str, data_type: i32, shape: Vec<usize>, bytes: Vec<u8>) -> TensorProto {
    let mut tensor = TensorProto::new();
    tensor.name = name.to_owned();
    tensor.data_type = data_type;
    tensor.dims = shape.into_iter().map(|dim| dim as i64).collect();
    tensor.raw_data = bytes.into();
    tensor
}
