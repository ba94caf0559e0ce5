//! Why a network cannot be exported.

use std::path::PathBuf;

use burn_onnx::export::ExportError;

/// What is refused when a network is exported as ONNX.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OnnxError {
    /// The size of the images is not known.
    #[error("the metadata do not say the size of the images, which the graph's input needs")]
    NoImage,
    /// An image has an axis of no length.
    #[error("images are {0:?} (channels, height, width), but each must be at least 1")]
    Image([usize; 3]),
    /// There is not one mean and one deviation for each channel.
    #[error(
        "normalisation inside the graph needs a mean and a deviation for each of {channels} channels; the metadata have {means} \
         means and {deviations} deviations"
    )]
    Normalisation {
        /// The channels of the images.
        channels: usize,
        /// The means that the metadata have.
        means: usize,
        /// The deviations that they have.
        deviations: usize,
    },
    /// A mean or a deviation that no image can be normalised with.
    #[error("channel {channel} has the {what} {value}, but it must be {allowed}")]
    Statistic {
        /// The channel, counted from 0.
        channel: usize,
        /// `mean` or `deviation`.
        what: &'static str,
        /// Its value.
        value: f32,
        /// What is accepted.
        allowed: &'static str,
    },
    /// The network uses an operation that burn-onnx cannot express.
    #[error(
        "burn-onnx has no ONNX form of Burn's operation `{operation}`; the module `onnx` says what can be exported"
    )]
    Operation {
        /// Its name, as Burn records it: `Gelu`.
        operation: String,
    },
    /// The exporter refused the network for another reason.
    #[error("the network cannot be exported: {0}")]
    Export(ExportError),
    /// The exporter's graph cannot be read, or the finished one not be encoded.
    #[error("the graph cannot be {what}: {reason}")]
    Protobuf {
        /// `read` or `written`.
        what: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The file cannot be written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
}

impl From<ExportError> for OnnxError {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::UnsupportedOperation { kind, .. } => Self::Operation { operation: operation(&kind) },
            other => Self::Export(other),
        }
    }
}

/// The operation in burn-onnx's message, which prints all of what Burn recorded: `Activation(Gelu(UnaryOpIr { … }))`.
fn operation(kind: &str) -> String {
    let recorded = kind.split_once(" {").map_or(kind, |(start, _)| start);
    let mut words = recorded.split(['(', ' ', ',']).filter(|word| !word.is_empty()).rev();
    match words.next() {
        Some(last) if last.ends_with("OpIr") => words.next().unwrap_or(last).to_owned(),
        _ => recorded.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_is_named() {
        assert_eq!(operation("Activation(Gelu(UnaryOpIr { input: TensorIr { id: 1 } }))"), "Gelu");
        assert_eq!(operation("NumericFloat(F32, MeanDim(ReduceDimOpIr { axis: 2 }))"), "MeanDim");
        assert_eq!(operation("Conv2d with mixed tensor dtypes"), "Conv2d with mixed tensor dtypes");
    }
}
