use std::path::Path;
use std::sync::Arc;

use burn::tensor::Tensor;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use slowburn_augment::Pipeline;
use slowburn_augment::loader::Source;
use slowburn_contrastive::Encode;
use slowburn_contrastive::evaluation::Representation;

use super::{ImageSet, features};
use crate::run::write_atomically;
use crate::task::{TaskError, device_of_any};

/// Writes the features of all images of a source as safetensors: `features`, `[images, D]` in f32, in the order of the source,
/// and the images' names as a JSON list in the metadata, `names`.
///
/// Images pass the fixed part of `pipeline`: crop and normalisation, nothing random. An image that cannot be decoded is an
/// error.
///
/// # Errors
/// Those of the loader, features that are not finite, and of the file.
pub fn embed<E>(
    encoder: &E,
    images: impl Source + 'static,
    pipeline: &Pipeline,
    path: impl AsRef<Path>,
) -> Result<(), TaskError>
where
    E: Encode<Input = Tensor<4>>,
{
    let source: Arc<dyn Source> = Arc::new(images);
    let names: Vec<String> = (0..source.len()).map(|index| source.id(index)).collect();
    let set = ImageSet::new(source, (0..names.len()).map(|index| (index, 0)).collect(), pipeline)?;
    let features = features(encoder, &set, Representation::Features, &device_of_any(encoder).without_autodiff())?;
    let shape = vec![features.samples(), features.dim()];
    let data = features.features().into_data();
    let view = TensorView::new(Dtype::F32, shape, data.as_bytes()).map_err(TaskError::other)?;
    let names = serde_json::to_string(&names).map_err(TaskError::other)?;
    let metadata = [("names".to_owned(), names)].into();
    let bytes = safetensors::serialize([("features", view)], Some(metadata)).map_err(TaskError::other)?;
    write_atomically(path.as_ref(), &bytes)
        .map_err(|error| TaskError::other(format!("{}: {error}", path.as_ref().display())))
}
