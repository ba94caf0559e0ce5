//! From a module to a graph.

use burn::{
    module::Module,
    tensor::{Device, Tensor},
};
use burn_onnx::export::{AxisSpec, InputSpec, OnnxExporter};
use onnx_ir::{Message, ModelProto};

use super::{Normalise, Onnx, OnnxError, OnnxOptions, Output, graph};
use crate::{Classifier, Encoder, Projector, parameters, weights::Metadata};

/// The batches of the two passes that are recorded. What differs between them is the batch; everything else is the network's.
const BATCHES: [usize; 2] = [2, 3];
/// The name of the free axis.
const BATCH: &str = "batch";

/// Exports what `forward` computes from a batch of images with any module, in evaluation mode.
///
/// The module is not changed; it may be on an autodiff device. `metadata` must say the size of the images, and with
/// [`Normalise::Inside`] the mean and the deviation of each channel.
///
/// # Shapes
///
/// - the graph's input `images`: `[batch, C, H, W]`, with the size that the metadata state
/// - `forward`: from `[N, C, H, W]`, **normalised**, to `[N, D]`; for [`Output::Probabilities`] it returns logits
/// - the graph's output, called as [`Output::name`] says: `[batch, D]`
///
/// # Errors
///
/// [`OnnxError::NoImage`], [`OnnxError::Image`], [`OnnxError::Normalisation`] and [`OnnxError::Statistic`] for metadata that
/// lack something; [`OnnxError::Operation`] and [`OnnxError::Export`] for a network that burn-onnx refuses.
///
/// # Panics
///
/// If `forward` does: for images of another size than the network reads, say, or where it looks at values, which there are none.
pub fn export<M: Module>(
    module: &M,
    output: Output,
    options: &OnnxOptions,
    metadata: &Metadata,
    forward: impl Fn(&M, Tensor<4>) -> Tensor<2>,
) -> Result<Onnx, OnnxError> {
    let image = metadata.image.ok_or(OnnxError::NoImage)?;
    if image.contains(&0) {
        return Err(OnnxError::Image(image));
    }
    if options.normalise == Normalise::Inside {
        check(image[0], metadata)?;
    }
    let mut model = record(module, image, forward)?;
    graph::finish(&mut model, &parameters(module), output, options, metadata, image);
    Ok(Onnx::new(model))
}

/// Exports an encoder: images to features.
///
/// # Errors
///
/// As [`export`].
///
/// # Panics
///
/// As [`Encoder::features`].
pub fn export_encoder<E: Encoder>(encoder: &E, options: &OnnxOptions, metadata: &Metadata) -> Result<Onnx, OnnxError> {
    export(encoder, Output::Features, options, metadata, E::features)
}

/// Exports a classifier: images to probabilities of the classes, from its classification head.
///
/// Whoever wants logits calls [`export`] with [`Output::Logits`] and [`Classifier::forward`].
///
/// # Errors
///
/// As [`export`].
///
/// # Panics
///
/// As [`Encoder::features`].
pub fn export_classifier<E: Encoder>(
    classifier: &Classifier<E>,
    options: &OnnxOptions,
    metadata: &Metadata,
) -> Result<Onnx, OnnxError> {
    export(classifier, Output::Probabilities, options, metadata, Classifier::forward)
}

/// Exports an encoder with its projection head: images to embeddings, which are not normalised.
///
/// # Errors
///
/// As [`export`].
///
/// # Panics
///
/// As [`Encoder::features`].
pub fn export_projector<E: Encoder>(
    projector: &Projector<E>,
    options: &OnnxOptions,
    metadata: &Metadata,
) -> Result<Onnx, OnnxError> {
    export(projector, Output::Embeddings, options, metadata, Projector::forward)
}

/// Checks what images are normalised with.
fn check(channels: usize, metadata: &Metadata) -> Result<(), OnnxError> {
    let Metadata { mean, std, .. } = metadata;
    if mean.len() != channels || std.len() != channels {
        return Err(OnnxError::Normalisation { channels, means: mean.len(), deviations: std.len() });
    }
    let wrong = |what, values: &[f32], allowed, valid: fn(f32) -> bool| {
        let channel = values.iter().position(|&value| !valid(value));
        channel.map(|channel| OnnxError::Statistic { channel, what, value: values[channel], allowed })
    };
    let mean = wrong("mean", mean, "finite", f32::is_finite);
    let std = wrong("deviation", std, "finite and greater than 0", |value| value.is_finite() && value > 0.0);
    mean.or(std).map_or(Ok(()), Err)
}

/// What burn-onnx makes of the module.
fn record<M: Module>(
    module: &M,
    [channels, height, width]: [usize; 3],
    forward: impl Fn(&M, Tensor<4>) -> Tensor<2>,
) -> Result<ModelProto, OnnxError> {
    // It moves a clone to its device, and clones share running statistics: those of the original would go along.
    // `valid()` has its own, and is off autodiff, where nothing can be recorded.
    let module = module.valid();
    let device = module.devices().first().cloned().unwrap_or_else(Device::default);
    let [first, second] = BATCHES.map(|batch| Tensor::zeros([batch, channels, height, width], &device));
    let fixed = AxisSpec::Static;
    let axes = InputSpec::new([AxisSpec::dynamic(BATCH), fixed.clone(), fixed.clone(), fixed]);
    let exported = OnnxExporter::new().export_dynamic(&module, first, second, &[axes], forward)?;
    drop(module);
    // The tensors of the parsed model are places in these bytes, not copies.
    let bytes = exported.into_bytes().into();
    ModelProto::parse_from_tokio_bytes(&bytes)
        .map_err(|error| OnnxError::Protobuf { what: "read", reason: error.to_string() })
}
