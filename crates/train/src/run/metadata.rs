use slowburn_augment::{ImageSize, Operation, Pipeline};
use slowburn_models::weights::Metadata;

/// What a weights file says of its images and classes, from the views that the network was trained on: the size that it sees, the
/// normalisation, and the names of the classes in the order of the logits (none without).
///
/// `image` is the size of an image before the views.
///
/// ```
/// use slowburn_augment::{ImageSize, presets};
/// use slowburn_train::run::metadata;
///
/// let image = ImageSize { channels: 3, height: 120, width: 160 };
/// let metadata = metadata(&presets::mean_teacher_imagenet(64), image, &["great tit".to_owned(), "robin".to_owned()]);
/// assert_eq!(metadata.image, Some([3, 64, 64]));
/// assert_eq!(metadata.mean.len(), 3);
/// ```
pub fn metadata(views: &Pipeline, image: ImageSize, classes: &[String]) -> Metadata {
    let evaluation = views.evaluation();
    let ImageSize { channels, height, width } = evaluation.output_size(image);
    let normalisation = evaluation.operations().iter().find_map(|operation| match operation {
        Operation::Normalize { mean, std } => Some((mean.clone(), std.clone())),
        _ => None,
    });
    let (mean, std) = normalisation.unwrap_or_default();
    Metadata { image: Some([channels, height, width]), mean, std, classes: classes.to_vec(), ..Metadata::default() }
}
