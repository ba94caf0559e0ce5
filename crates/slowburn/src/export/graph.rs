//! ONNX.

use std::path::Path;

use anyhow::{Context, Result, bail};
use burn::module::Module;
use burn::tensor::Device;
use slowburn_augment::ImageSize;
use slowburn_models::Classifier;
use slowburn_models::onnx::{self, Onnx, OnnxOptions, export_classifier, export_encoder, export_projector};
use slowburn_models::weights::Metadata;

use super::cli::{Cli, Normalise, Output};
use crate::weights::Weights;

/// The size of the images that the network sees: that of the metadata, else any that fits its channels.
pub(super) fn image_of(weights: &Weights, about: &Metadata) -> ImageSize {
    match about.image {
        Some([channels, height, width]) => ImageSize { height, width, channels },
        None => ImageSize { height: 32, width: 32, channels: weights.channels() },
    }
}

/// Writes the model and says what it is.
pub(super) fn write(weights: &Weights, about: &Metadata, cli: &Cli, path: &Path, device: &Device) -> Result<String> {
    if about.image.is_none() {
        bail!("{} does not say which size of images it sees: name it by --size", weights.file.display());
    }
    let output = cli.output.unwrap_or(match weights.classes() {
        Some(_) => Output::Probabilities,
        None => Output::Features,
    });
    let model = model(weights, about, output, options(cli), device)
        .with_context(|| format!("{} cannot be exported", weights.file.display()))?;
    model.write(path)?;
    let [channels, height, width] = about.image.unwrap_or_default();
    let input = match cli.normalise {
        Normalise::Inside => "pixels in [0, 1]".to_owned(),
        Normalise::Outside => format!("normalised by mean {:?}, deviation {:?}", about.mean, about.std),
    };
    Ok(format!("{}: [batch, {channels}, {height}, {width}], {input}, to {}", path.display(), name(output)))
}

fn options(cli: &Cli) -> OnnxOptions {
    let normalise = match cli.normalise {
        Normalise::Inside => onnx::Normalise::Inside,
        Normalise::Outside => onnx::Normalise::Outside,
    };
    OnnxOptions { normalise, fold_batch_norm: cli.fold }
}

fn model(weights: &Weights, about: &Metadata, output: Output, options: OnnxOptions, device: &Device) -> Result<Onnx> {
    let image = image_of(weights, about);
    Ok(match output {
        Output::Probabilities => export_classifier(&weights.classifier(image, device)?.valid(), &options, about)?,
        Output::Logits => {
            let classifier = weights.classifier(image, device)?.valid();
            onnx::export(&classifier, onnx::Output::Logits, &options, about, Classifier::forward)?
        }
        Output::Features => export_encoder(&weights.network(image, false, device)?.encoder.valid(), &options, about)?,
        Output::Embeddings => export_projector(&weights.network(image, true, device)?.valid(), &options, about)?,
    })
}

fn name(output: Output) -> &'static str {
    match output {
        Output::Probabilities => onnx::Output::Probabilities.name(),
        Output::Logits => onnx::Output::Logits.name(),
        Output::Features => onnx::Output::Features.name(),
        Output::Embeddings => onnx::Output::Embeddings.name(),
    }
}
