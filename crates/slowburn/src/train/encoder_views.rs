use slowburn_augment::{AugmentError, ImageSize, Operation, Pipeline};

/// Views for training on from an encoder that was scored behind `evaluation`: what is drawn as in `views`, size and
/// values as the encoder knows them, on images of size `image`. A crop that is drawn is one of the whole image, and keeps the size
/// that was `asked` for.
pub(super) fn known_to_the_encoder(
    views: &Pipeline,
    evaluation: &Pipeline,
    image: ImageSize,
    asked: bool,
) -> Result<Pipeline, AugmentError> {
    let fixed = evaluation.evaluation();
    let known = fixed.output_size(image);
    let drawn: Vec<Operation> = views.operations().iter().filter(|operation| operation.is_random()).cloned().collect();
    let crops = drawn.iter().any(|operation| matches!(operation, Operation::RandomResizedCrop { .. }));
    let mut operations = if crops { Vec::new() } else { geometry(&fixed, image) };
    operations.extend(drawn.into_iter().map(|operation| if asked { operation } else { cropped_to(operation, known) }));
    operations.extend(fixed.operations().iter().filter(|operation| !moves(operation)).cloned());
    if operations == views.operations() {
        return Ok(views.clone());
    }
    let like = evaluation.name().trim_end_matches("/evaluation");
    let name = format!("{} on images as of {like}", views.name());
    Ok(views.clone().with_operations(operations)?.with_name(name))
}

/// The operation, which gives images this size if it is a crop that is resized.
fn cropped_to(operation: Operation, size: ImageSize) -> Operation {
    match operation {
        Operation::RandomResizedCrop { scale, ratio, filter, .. } => {
            let [height, width] = [size.height, size.width].map(|side| side as u32);
            Operation::RandomResizedCrop { height, width, scale, ratio, filter }
        }
        other => other,
    }
}

fn moves(operation: &Operation) -> bool {
    matches!(operation, Operation::Resize { .. } | Operation::CenterCrop { .. })
}

/// Resizing and cropping, without what leaves images of this size as they are.
fn geometry(fixed: &Pipeline, image: ImageSize) -> Vec<Operation> {
    let mut size = image;
    let mut kept = Vec::new();
    for operation in fixed.operations().iter().filter(|operation| moves(operation)) {
        let after = operation.output_size(size);
        if after != size {
            kept.push(operation.clone());
        }
        size = after;
    }
    kept
}

#[cfg(test)]
mod tests {
    use slowburn_augment::{Filter, ResizeTo, presets};

    use super::*;

    fn fitted(views: &Pipeline, evaluation: &Pipeline, image: ImageSize) -> Pipeline {
        known_to_the_encoder(views, evaluation, image, false).expect("the operations of two pipelines make one")
    }

    const SMALL: ImageSize = ImageSize { height: 12, width: 12, channels: 3 };

    #[test]
    fn views_that_fit_stay_as_they_are() {
        let views = presets::fashion();
        assert_eq!(fitted(&views, &presets::moco_fashion(12), ImageSize::new(12, 12, 1)), views);
        let views = presets::mean_teacher_cifar();
        assert_eq!(fitted(&views, &presets::solo_moco_cifar(12), SMALL), views);
    }

    #[test]
    fn the_normalisation_is_the_encoders_and_what_is_drawn_stays() {
        let (views, encoder) = (presets::mean_teacher_cifar(), presets::moco_cifar(12));
        let known = fitted(&views, &encoder.evaluation(), SMALL);
        assert_eq!(known.operations()[..2], views.operations()[..2]);
        assert_eq!(known.operations()[2..], encoder.operations()[encoder.operations().len() - 1..]);
        assert_eq!(known.name(), "mean_teacher_cifar on images as of moco_cifar");
        let whitened = fitted(&views, &presets::mean_teacher_cifar_tf(), SMALL);
        assert_eq!(whitened.operations(), &views.operations()[..2], "whitened images are normalised by nothing else");
    }

    #[test]
    fn images_have_the_size_that_the_encoder_knows() {
        let (views, encoder) = (presets::mean_teacher_cifar(), presets::imagenet_evaluation(224));
        let known = fitted(&views, &encoder, ImageSize::new(300, 400, 3));
        assert_eq!(known.operations()[..2], encoder.operations()[..2]);
        assert_eq!(known.output_size(ImageSize::new(300, 400, 3)), ImageSize::new(224, 224, 3));
        let photos = presets::mean_teacher_imagenet(64);
        let size = ImageSize::new(300, 400, 3);
        let encoder = presets::imagenet_evaluation(32);
        assert_eq!(fitted(&photos, &encoder, size).output_size(size), ImageSize::new(32, 32, 3));
        let asked = known_to_the_encoder(&photos, &encoder, size, true).expect("operations make a pipeline");
        assert_eq!(asked.output_size(size), ImageSize::new(64, 64, 3));
        for known in [fitted(&photos, &encoder, size), asked] {
            let shrunk = known.operations().iter().any(moves);
            assert!(!shrunk, "a crop of the photo, not of a small one: {known}");
        }
        let resize = Operation::Resize { to: ResizeTo::ShorterSide(12), filter: Filter::Bilinear };
        let wide = fitted(&views, &presets::moco_cifar(12), ImageSize::new(24, 36, 3));
        assert_eq!(wide.operations()[0], resize);
        assert_eq!(wide.output_size(ImageSize::new(24, 36, 3)), SMALL);
    }
}
