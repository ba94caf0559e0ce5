use std::path::Path;
use std::sync::Arc;

use burn::tensor::Tensor;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use slowburn_augment::Pipeline;
use slowburn_augment::loader::{OnCorrupt, Source};
use slowburn_contrastive::Encode;

use super::{ImageBatch, ImageSet};
use crate::run::write_atomically;
use crate::task::{TaskError, device_of_any};

/// Writes the features of the images of a source as safetensors: `features`, `[images, D]` in f32, in the order of the source,
/// and the images' names as a JSON list in the metadata, `names`. Returns the names of the images that were left out because they
/// cannot be decoded, as `on_corrupt` may allow.
///
/// Images pass the fixed part of `pipeline`: crop and normalisation, nothing random. The encoder is used in evaluation mode.
///
/// # Errors
/// Those of the loader, features that are not finite, and of the file.
pub fn embed<E>(
    encoder: &E,
    images: impl Source + 'static,
    pipeline: &Pipeline,
    on_corrupt: OnCorrupt,
    path: impl AsRef<Path>,
) -> Result<Vec<String>, TaskError>
where
    E: Encode<Input = Tensor<4>>,
{
    let (source, path): (Arc<dyn Source>, _) = (Arc::new(images), path.as_ref());
    let chosen = (0..source.len()).map(|index| (index, 0)).collect();
    let set = ImageSet::with_on_corrupt(Arc::clone(&source), chosen, pipeline, on_corrupt)?;
    let (device, encoder) = (device_of_any(encoder).without_autodiff(), encoder.valid());
    let (mut values, mut names, mut dim) = (Vec::new(), Vec::new(), 0);
    for batch in set.batches(&device)? {
        let ImageBatch { images, samples, .. } = batch?;
        let features = encoder.features(images);
        dim = features.dims()[1];
        values.extend(features.into_data().iter::<f32>());
        names.extend(samples.into_iter().map(|sample| source.id(sample)));
    }
    if !values.iter().all(|value| value.is_finite()) {
        return Err(TaskError::NotFinite { what: "the features" });
    }
    write_features(path, &names, &values, dim)?;
    Ok(set.report().skipped.into_keys().map(|sample| source.id(sample)).collect())
}

/// Writes features as safetensors: `features`, `[names, dim]` in f32, rows first, and the names as a JSON list in the metadata.
///
/// # Errors
/// For values of another number than `names · dim`, and those of the file.
pub fn write_features(path: &Path, names: &[String], values: &[f32], dim: usize) -> Result<(), TaskError> {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let view = TensorView::new(Dtype::F32, vec![names.len(), dim], &bytes).map_err(TaskError::other)?;
    let metadata = [("names".to_owned(), serde_json::to_string(names).map_err(TaskError::other)?)].into();
    let file = safetensors::serialize([("features", view)], Some(metadata)).map_err(TaskError::other)?;
    write_atomically(path, &file).map_err(|error| TaskError::other(format!("{}: {error}", path.display())))
}
