//! Every error of draws and applications, before anything is written.

use burn::tensor::{Device, Tensor};
use slowburn_augment::{
    Adjustment, Augment, AugmentError, Augmented, BlurKernel, Border, Drawn, Filter, Image, ImageSize, Magnitudes,
    MaskFill, Operation, Pipeline, ResizeTo, RotationFilter, View, presets,
};

use crate::{bytes, catalog, key, pipeline};

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
            matches!(error, AugmentError::TranslateTooFar { allowed: 4, pixels, .. } if pixels == max_pixels as usize),
            "{error}"
        );
    }
    // One pixel can stay where it is, and nothing else.
    let dot = ImageSize::new(1, 1, 1);
    assert!(translate(0).draw(key(0), dot).is_ok());
    assert!(translate(1).draw(key(0), dot).is_err());
}

#[test]
fn the_channels_of_a_normalisation_are_the_images() {
    let error = presets::mean_teacher_cifar().draw(key(0), ImageSize::new(32, 32, 1)).unwrap_err();
    assert_eq!(error.to_string(), "operation 2 (Normalize) has 3 channels, the image of 32×32×1 has 1");
    let empty = ImageSize::new(0, 1, 1);
    assert_eq!(translate(0).draw(key(0), empty), Err(AugmentError::EmptyImage { size: empty }));
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
    assert!(matches!(refuse(vec![]), AugmentError::ForeignView { .. }));
    let error = refuse(vec![Drawn::HorizontalFlip { flip: true }]);
    assert!(matches!(error, AugmentError::ForeignView { .. }), "{error}");
    for (dx, dy) in [(5, 0), (0, -5), (i32::MIN, 0)] {
        let error = refuse(vec![Drawn::Translate { dx, dy }]);
        assert!(matches!(error, AugmentError::TranslateTooFar { .. }), "{error}");
    }
}

#[test]
fn lengths_of_output_and_batch_are_checked() {
    let pixels = bytes(SIZE, 1);
    let image = Image::new(SIZE, &pixels).unwrap();
    let pipeline = translate(2);
    let view = pipeline.draw(key(0), SIZE).unwrap();

    let error = pipeline.apply(&view, image, &mut [0.0; 29]).unwrap_err();
    assert_eq!(error, AugmentError::OutputLength { expected: 30, found: 29 });

    let views = [view.clone(), view];
    let error = pipeline.apply_batch(&[image], &views).unwrap_err();
    assert_eq!(error, AugmentError::BatchLength { images: 1, views: 2 });
    let batch = Tensor::<4>::zeros([1, 1, 5, 6], &Device::flex());
    assert_eq!(pipeline.apply_on_device(batch, &views).unwrap_err(), error);

    let other = Image::new(ImageSize::new(6, 5, 1), &pixels).unwrap();
    let error = pipeline.apply_batch(&[image, other], &views).unwrap_err();
    assert!(matches!(error, AugmentError::BatchSizes { index: 1, .. }), "{error}");

    assert_eq!(pipeline.apply_batch(&[], &[]), Ok(vec![]));
}

/// Every parameter of every operation, with values outside its range.
#[test]
fn every_parameter_has_a_range() {
    let nan = f32::NAN;
    let crop = |side, scale, ratio| Operation::RandomResizedCrop {
        height: 8,
        width: side,
        scale,
        ratio,
        filter: Filter::Bilinear,
    };
    let rotate = |max_degrees, border| Operation::Rotate { max_degrees, filter: RotationFilter::Nearest, border };
    let jitter =
        |brightness, contrast, saturation, hue| Operation::ColorJitter { brightness, contrast, saturation, hue };
    let blur = |std, kernel| Operation::GaussianBlur { std, kernel };
    let normalize = |mean: &[f32], std: &[f32]| Operation::Normalize { mean: mean.to_vec(), std: std.to_vec() };
    let nested = |operation| Operation::RandomApply { probability: 0.5, operations: vec![operation] };
    let posterize = |probability, bits| Operation::Posterize { probability, bits };
    let sharpness = |factor| Operation::Sharpness { probability: 0.5, factor };
    let shear = |max_x, max_y, border| Operation::Shear { max_x, max_y, border };
    let augment = |ops, magnitude, bins| {
        let magnitudes = Magnitudes::Torchvision { magnitude, bins };
        Operation::RandAugment { ops, pool: vec![Augment::Equalize], magnitudes }
    };
    let empty = Operation::RandAugment { ops: 2, pool: vec![], magnitudes: Magnitudes::Fixmatch };
    let mask = |share, patch, fill| Operation::MaskPatches { share, patch, fill };
    let bad = [
        ("probability", Operation::AutoContrast { probability: 1.5 }),
        ("probability", Operation::Equalize { probability: nan }),
        ("probability", posterize(-0.1, [4, 8])),
        ("bits[0]", posterize(0.5, [0, 8])),
        ("bits[1]", posterize(0.5, [4, 9])),
        ("bits", posterize(0.5, [6, 5])),
        ("factor[0]", sharpness([-0.1, 1.0])),
        ("factor[1]", sharpness([0.1, nan])),
        ("factor", sharpness([1.0, 0.5])),
        ("max_x", shear(1.1, 0.0, Border::Edge)),
        ("max_y", shear(0.3, nan, Border::Edge)),
        ("border", shear(0.3, 0.3, Border::Fill(f32::INFINITY))),
        ("ops", augment(0, 9, 31)),
        ("ops", augment(17, 9, 31)),
        ("bins", augment(2, 0, 1)),
        ("bins", augment(2, 0, 1025)),
        ("magnitude", augment(2, 31, 31)),
        ("pool", empty),
        ("share", mask(1.1, 4, MaskFill::Value(0.0))),
        ("share", mask(nan, 4, MaskFill::Value(0.0))),
        ("patch", mask(0.5, 0, MaskFill::Value(0.0))),
        ("fill", mask(0.5, 4, MaskFill::Value(nan))),
        ("fill", mask(0.5, 4, MaskFill::Noise { std: -1.0 })),
        ("width", crop(0, [0.2, 1.0], [0.75, 1.3])),
        ("scale", crop(8, [0.0, 1.0], [0.75, 1.3])),
        ("scale", crop(8, [0.8, 0.2], [0.75, 1.3])),
        ("scale", crop(8, [0.2, 1.1], [0.75, 1.3])),
        ("scale", crop(8, [nan, 1.0], [0.75, 1.3])),
        ("ratio", crop(8, [0.2, 1.0], [1.3, 0.75])),
        ("ratio", crop(8, [0.2, 1.0], [0.0, 1.3])),
        ("ratio", crop(8, [0.2, 1.0], [1.0, f32::INFINITY])),
        ("to", Operation::Resize { to: ResizeTo::ShorterSide(0), filter: Filter::Bilinear }),
        ("width", Operation::Resize { to: ResizeTo::Exact { height: 3, width: 0 }, filter: Filter::Bilinear }),
        ("height", Operation::CenterCrop { height: 0, width: 1 }),
        ("probability", Operation::HorizontalFlip { probability: -0.1 }),
        ("probability", Operation::Grayscale { probability: nan }),
        ("probability", Operation::Solarize { probability: 1.1, threshold: 0.5 }),
        ("threshold", Operation::Solarize { probability: 0.1, threshold: 128.0 }),
        ("max_degrees", rotate(181.0, Border::Edge)),
        ("max_degrees", rotate(-1.0, Border::Edge)),
        ("max_degrees", rotate(nan, Border::Edge)),
        ("border", rotate(10.0, Border::Fill(nan))),
        ("brightness", jitter(-0.1, 0.0, 0.0, 0.0)),
        ("contrast", jitter(0.0, nan, 0.0, 0.0)),
        ("saturation", jitter(0.0, 0.0, f32::INFINITY, 0.0)),
        ("hue", jitter(0.0, 0.0, 0.0, 0.6)),
        ("std", blur([-0.1, 2.0], BlurKernel::Boxes)),
        ("std", blur([2.0, 0.1], BlurKernel::Boxes)),
        ("std", blur([0.1, nan], BlurKernel::Boxes)),
        ("kernel", blur([0.1, 2.0], BlurKernel::Truncated { radius: 0 })),
        ("side", Operation::Cutout { side: 0, fill: 0.0 }),
        ("fill", Operation::Cutout { side: 1, fill: nan }),
        ("std", Operation::GaussianNoise { std: -0.1 }),
        ("std", Operation::GaussianNoise { std: nan }),
        ("mean[1]", normalize(&[0.0, nan], &[1.0, 1.0])),
        ("std[0]", normalize(&[0.0], &[0.0])),
        ("std", normalize(&[0.0, 0.0], &[1.0])),
        ("epsilon", Operation::Standardize { epsilon: 0.0 }),
        ("scale", Operation::GlobalContrast { scale: 0.0, min_norm: 1.0 }),
        ("min_norm", Operation::GlobalContrast { scale: 1.0, min_norm: nan }),
        ("operations", nested(Operation::CenterCrop { height: 1, width: 1 })),
        ("probability", nested(Operation::HorizontalFlip { probability: 2.0 })),
    ];
    for (expected, operation) in bad {
        let text = operation.to_string();
        let error = Pipeline::new("bad", vec![Operation::GaussianNoise { std: 0.1 }, operation]).unwrap_err();
        let AugmentError::InvalidParameter { position, field, allowed, .. } = &error else { panic!("{text}: {error}") };
        assert!(*position == 1 && field.starts_with(expected), "{text}: {error}");
        assert!(!allowed.is_empty() && error.to_string().contains(allowed.as_str()), "{error}");
    }
}

#[test]
fn what_needs_values_in_0_to_1_does_not_follow_a_normalisation() {
    let normalize = Operation::Normalize { mean: vec![0.5; 3], std: vec![0.2; 3] };
    for culprit in [
        normalize.clone(),
        Operation::GaussianNoise { std: 0.1 },
        Operation::Standardize { epsilon: 1e-6 },
        Operation::GlobalContrast { scale: 55.0, min_norm: 1e-8 },
        Operation::RandomApply { probability: 0.1, operations: vec![normalize.clone()] },
        Operation::MaskPatches { share: 0.1, patch: 2, fill: MaskFill::Noise { std: 1.0 } },
        Operation::MaskPatches { share: 0.1, patch: 2, fill: MaskFill::Value(-0.1) },
        Operation::Shear { max_x: 0.1, max_y: 0.0, border: Border::Fill(1.1) },
    ] {
        for needs in [
            Operation::AutoContrast { probability: 0.2 },
            Operation::Equalize { probability: 0.2 },
            Operation::Posterize { probability: 0.2, bits: [4, 8] },
            Operation::Sharpness { probability: 0.2, factor: [0.5, 1.5] },
            Operation::fixmatch_rand_augment(2),
            Operation::Grayscale { probability: 0.2 },
            Operation::ColorJitter { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1 },
            Operation::Solarize { probability: 0.1, threshold: 0.5 },
            Operation::RandomApply {
                probability: 0.1,
                operations: vec![Operation::Solarize { probability: 0.1, threshold: 0.5 }],
            },
        ] {
            let error = Pipeline::new("bad", vec![culprit.clone(), needs.clone()]).unwrap_err();
            assert!(matches!(error, AugmentError::NeedsUnitRange { position: 1, .. }), "{culprit}, {needs}: {error}");
            assert!(error.to_string().contains("operation 0"), "{error}");
            assert!(Pipeline::new("good", vec![needs, culprit.clone()]).is_ok());
        }
    }
}

#[test]
fn colours_need_colours_and_the_rest_takes_grey_images() {
    let gray = ImageSize::new(12, 10, 1);
    let jitter = |saturation, hue| Operation::ColorJitter { brightness: 0.4, contrast: 0.4, saturation, hue };
    for operation in [jitter(0.4, 0.0), jitter(0.0, 0.1)] {
        let error = pipeline(vec![operation]).draw(key(0), gray).unwrap_err();
        assert!(matches!(error, AugmentError::NeedsColor { position: 0, allowed: [3], .. }), "{error}");
    }
    // Two channels are neither grey nor colours.
    for operation in
        [jitter(0.0, 0.0), Operation::Grayscale { probability: 0.2 }, Operation::torchvision_rand_augment(2, 9)]
    {
        let error = pipeline(vec![operation]).draw(key(0), ImageSize::new(12, 10, 2)).unwrap_err();
        assert!(matches!(error, AugmentError::NeedsColor { allowed: [1, 3], .. }), "{error}");
    }
    for operation in catalog::all(gray) {
        assert!(pipeline(vec![operation.clone()]).draw(key(0), gray).is_ok(), "{operation}");
    }
}

#[test]
fn what_is_larger_than_the_image_is_refused() {
    let crop = pipeline(vec![Operation::CenterCrop { height: 5, width: 7 }]);
    let error = crop.draw(key(0), SIZE).unwrap_err();
    assert_eq!(error.to_string(), "operation 0 (CenterCrop): a crop of 5×7 from an image of 5×6×1, allowed: up to 5×6");
    let blur = |radius| Operation::GaussianBlur { std: [0.1, 2.0], kernel: BlurKernel::Truncated { radius } };
    assert!(pipeline(vec![blur(4)]).draw(key(0), SIZE).is_ok());
    let error = pipeline(vec![blur(5)]).draw(key(0), SIZE).unwrap_err();
    assert!(matches!(error, AugmentError::BlurTooWide { radius: 5, allowed: 4, .. }), "{error}");
    let mask = |patch| pipeline(vec![Operation::MaskPatches { share: 0.5, patch, fill: MaskFill::Value(0.0) }]);
    assert!(mask(5).draw(key(0), SIZE).is_ok());
    let error = mask(6).draw(key(0), SIZE).unwrap_err();
    assert!(matches!(error, AugmentError::PatchTooLarge { patch: 6, allowed: 5, .. }), "{error}");
    // Sizes are those at the operation's place, not the image's.
    let shrink = Operation::Resize { to: ResizeTo::Exact { height: 3, width: 3 }, filter: Filter::Bilinear };
    let error = pipeline(vec![shrink, blur(4)]).draw(key(0), SIZE).unwrap_err();
    assert!(matches!(error, AugmentError::BlurTooWide { position: 1, allowed: 2, .. }), "{error}");
}

/// Views may come from a file: nothing in them is trusted.
#[test]
fn draws_that_no_pipeline_made_are_refused() {
    let size = ImageSize::new(5, 6, 3);
    let pixels = bytes(size, 1);
    let image = Image::new(size, &pixels).unwrap();
    let refused = |operation: Operation, drawn: Drawn| {
        let pipeline = pipeline(vec![operation]);
        let mut out = vec![7.0; pipeline.output_size(size).values()];
        let error = pipeline.apply(&View { key: key(0), drawn: vec![drawn] }, image, &mut out).unwrap_err();
        assert!(out.iter().all(|x| *x == 7.0), "written before {error}");
        error
    };
    let crop = Operation::RandomResizedCrop {
        height: 4,
        width: 4,
        scale: [0.2, 1.0],
        ratio: [0.75, 1.3],
        filter: Filter::Bilinear,
    };
    for [top, left, height, width] in [[0, 0, 0, 1], [0, 0, 6, 1], [4, 0, 2, 1], [0, 6, 1, 1], [u32::MAX, 0, 2, 1]] {
        let error = refused(crop.clone(), Drawn::RandomResizedCrop { top, left, height, width });
        assert!(matches!(error, AugmentError::InvalidDraw { field: "box", .. }), "{error}");
    }
    let jitter = Operation::ColorJitter { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1 };
    for adjustment in [Adjustment::Hue(0.51), Adjustment::Contrast(-0.1), Adjustment::Brightness(f32::NAN)] {
        let error = refused(jitter.clone(), Drawn::ColorJitter { adjustments: vec![adjustment] });
        assert!(matches!(error, AugmentError::InvalidDraw { .. }), "{error}");
    }
    let rotate = Operation::Rotate { max_degrees: 10.0, filter: RotationFilter::Nearest, border: Border::Edge };
    let error = refused(rotate, Drawn::Rotate { degrees: 1e9 });
    assert!(matches!(error, AugmentError::InvalidDraw { field: "degrees", .. }), "{error}");
    let blur = Operation::GaussianBlur { std: [0.1, 2.0], kernel: BlurKernel::Boxes };
    let error = refused(blur, Drawn::GaussianBlur { std: f32::INFINITY });
    assert!(matches!(error, AugmentError::InvalidDraw { field: "std", .. }), "{error}");
    let augment = Operation::fixmatch_rand_augment(1);
    for augmented in [
        Augmented::Rotate(181.0),
        Augmented::Solarize(1.1),
        Augmented::Color(-0.1),
        Augmented::Contrast(f32::NAN),
        Augmented::Brightness(f32::INFINITY),
        Augmented::Sharpness(-1.0),
        Augmented::ShearX(1.1),
        Augmented::ShearY(f32::NAN),
        Augmented::Posterize(0),
        Augmented::Posterize(9),
    ] {
        let error = refused(augment.clone(), Drawn::RandAugment { applied: vec![augmented] });
        assert!(matches!(error, AugmentError::InvalidDraw { .. }), "{error}");
    }
    let error = refused(augment, Drawn::RandAugment { applied: vec![Augmented::Equalize; 2] });
    assert!(matches!(error, AugmentError::ForeignView { .. }), "{error}");
    let posterize = Operation::Posterize { probability: 0.5, bits: [4, 8] };
    let error = refused(posterize, Drawn::Posterize { bits: Some(0) });
    assert!(matches!(error, AugmentError::InvalidDraw { field: "bits", .. }), "{error}");
    let shear = Operation::Shear { max_x: 0.3, max_y: 0.3, border: Border::Edge };
    let error = refused(shear, Drawn::Shear { x: 0.0, y: -1.5 });
    assert!(matches!(error, AugmentError::InvalidDraw { field: "shear", .. }), "{error}");
    // A grid of 3×3 patches on 5×6, of which three are masked.
    let mask = |fill| Operation::MaskPatches { share: 0.3, patch: 2, fill };
    let drawn = |patches: &[u32], noise| Drawn::MaskPatches { patches: patches.to_vec(), noise };
    for patches in [[0, 1, 9], [1, 1, 2], [2, 1, 3]] {
        let error = refused(mask(MaskFill::Value(0.0)), drawn(&patches, None));
        assert!(matches!(error, AugmentError::InvalidDraw { field: "patches", .. }), "{error}");
    }
    for drawn in [drawn(&[0, 1], None), drawn(&[0, 1, 8], Some(1))] {
        let error = refused(mask(MaskFill::Value(0.0)), drawn);
        assert!(matches!(error, AugmentError::ForeignView { .. }), "{error}");
    }
    let error = refused(mask(MaskFill::Noise { std: 1.0 }), drawn(&[0, 1, 8], None));
    assert!(matches!(error, AugmentError::ForeignView { .. }), "{error}");
    let nested = Operation::RandomApply { probability: 0.5, operations: vec![jitter] };
    let error = refused(nested, Drawn::RandomApply { drawn: Some(vec![]) });
    assert!(matches!(error, AugmentError::ForeignView { .. }), "{error}");
}
