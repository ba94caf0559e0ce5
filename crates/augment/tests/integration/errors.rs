//! Every error of draws and applications, before anything is written.

use burn::tensor::{Device, Tensor};
use slowburn_augment::{Drawn, Error, Image, ImageSize, Operation, Pipeline, View, presets};

use crate::{bytes, key, pipeline};

const SIZE: ImageSize = ImageSize { height: 5, width: 6, channels: 1 };

fn translate(max_pixels: u32) -> Pipeline {
    pipeline(vec![Operation::Translate { max_pixels }])
}

#[test]
fn a_shift_as_long_as_the_shorter_side_is_refused() {
    assert!(translate(4).draw(key(0), SIZE).is_ok());
    for max_pixels in [5, 6, u32::MAX] {
        let error = translate(max_pixels).draw(key(0), SIZE).unwrap_err();
        assert!(
            matches!(error, Error::TranslateTooFar { allowed: 4, pixels, .. } if pixels == max_pixels as usize),
            "{error}"
        );
    }
    // One pixel can stay where it is, and nothing else.
    let dot = ImageSize::new(1, 1, 1);
    assert!(translate(0).draw(key(0), dot).is_ok());
    assert!(translate(1).draw(key(0), dot).is_err());
}

#[test]
fn draws_check_values_read_from_anywhere() {
    let read: Pipeline =
        serde_json::from_str(r#"{"name": "file", "operations": [{"horizontal_flip": {"probability": 2.0}}]}"#).unwrap();
    let error = read.draw(key(0), SIZE).unwrap_err();
    assert!(matches!(error, Error::InvalidParameter { position: 0, .. }), "{error}");
    assert_eq!(read.draw_batch(&[], SIZE), Err(error));
}

#[test]
fn the_channels_of_a_normalisation_are_the_images() {
    let error = presets::mean_teacher_cifar().draw(key(0), ImageSize::new(32, 32, 1)).unwrap_err();
    assert_eq!(error.to_string(), "operation 2 (Normalize) has 3 channels, the image of 32×32×1 has 1");
    let empty = ImageSize::new(0, 1, 1);
    assert_eq!(translate(0).draw(key(0), empty), Err(Error::EmptyImage { size: empty }));
}

#[test]
fn a_view_of_another_pipeline_or_a_larger_image_is_refused() {
    let pixels = bytes(SIZE, 1);
    let image = Image::new(SIZE, &pixels).unwrap();
    let mut out = vec![7.0; SIZE.values()];
    let mut refuse = |drawn: Vec<Drawn>| {
        let error = translate(4).apply(&View { key: key(0), drawn }, image, &mut out).unwrap_err();
        assert!(out.iter().all(|x| *x == 7.0), "written before {error}");
        error
    };
    assert!(matches!(refuse(vec![]), Error::ForeignView { .. }));
    let error = refuse(vec![Drawn::HorizontalFlip { flip: true }]);
    assert!(matches!(error, Error::ForeignView { .. }), "{error}");
    for (dx, dy) in [(5, 0), (0, -5), (i32::MIN, 0)] {
        let error = refuse(vec![Drawn::Translate { dx, dy }]);
        assert!(matches!(error, Error::TranslateTooFar { .. }), "{error}");
    }
}

#[test]
fn lengths_of_output_and_batch_are_checked() {
    let pixels = bytes(SIZE, 1);
    let image = Image::new(SIZE, &pixels).unwrap();
    let pipeline = translate(2);
    let view = pipeline.draw(key(0), SIZE).unwrap();

    let error = pipeline.apply(&view, image, &mut [0.0; 29]).unwrap_err();
    assert_eq!(error, Error::OutputLength { expected: 30, found: 29 });

    let views = [view.clone(), view];
    let error = pipeline.apply_batch(&[image], &views).unwrap_err();
    assert_eq!(error, Error::BatchLength { images: 1, views: 2 });
    let batch = Tensor::<4>::zeros([1, 1, 5, 6], &Device::flex());
    assert_eq!(pipeline.apply_on_device(batch, &views).unwrap_err(), error);

    let other = Image::new(ImageSize::new(6, 5, 1), &pixels).unwrap();
    let error = pipeline.apply_batch(&[image, other], &views).unwrap_err();
    assert!(matches!(error, Error::BatchSizes { index: 1, .. }), "{error}");

    assert_eq!(pipeline.apply_batch(&[], &[]), Ok(vec![]));
}
