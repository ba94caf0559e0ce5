//! The path with tensor operations against the CPU path.

use burn::tensor::{DType, Device, Tensor, TensorData};
use slowburn_augment::presets::Preset;
use slowburn_augment::{Border, Filter, Image, ImageSize, Key, Operation, Pipeline, PixelArithmetic, presets};

use crate::{bytes, catalog, key, pipeline};

const BATCH: usize = 33;

/// The same views on both paths.
struct Both {
    cpu: Vec<f32>,
    device: Vec<f32>,
}

impl Both {
    /// Of images of bytes.
    fn of_bytes(pipeline: &Pipeline, size: ImageSize) -> Self {
        let pixels: Vec<Vec<u8>> = (0..BATCH as u32).map(|seed| bytes(size, seed)).collect();
        let images: Vec<Image<'_>> = pixels.iter().map(|pixels| Image::new(size, pixels).unwrap()).collect();
        Self::of(pipeline, &images)
    }

    /// Of the same images as values, which the CPU path does not round to bytes when it resizes them.
    fn of_values(pipeline: &Pipeline, size: ImageSize) -> Self {
        let values: Vec<Vec<f32>> = (0..BATCH as u32)
            .map(|seed| bytes(size, seed).into_iter().map(|byte| f32::from(byte) / 255.0).collect())
            .collect();
        let images: Vec<Image<'_>> = values.iter().map(|values| Image::from_values(size, values).unwrap()).collect();
        Self::of(pipeline, &images)
    }

    fn of(pipeline: &Pipeline, images: &[Image<'_>]) -> Self {
        let size = images[0].size();
        let keys: Vec<Key> = (0..BATCH as u64).map(key).collect();
        let views = pipeline.draw_batch(&keys, size).unwrap();
        let cpu = pipeline.apply_batch(images, &views).unwrap();

        // The values that the CPU path begins with.
        let plain = crate::pipeline(vec![]);
        let raw = plain.apply_batch(images, &plain.draw_batch(&keys, size).unwrap()).unwrap();
        let shape = [BATCH, size.channels, size.height, size.width];
        let batch = Tensor::<4>::from_data(TensorData::new(raw, shape), &Device::flex());
        let on_device = pipeline.apply_on_device(batch, &views).unwrap();
        let output = pipeline.output_size(size);
        assert_eq!(on_device.dims(), [BATCH, output.channels, output.height, output.width]);
        Self { cpu, device: on_device.into_data().try_to_vec::<f32>().unwrap() }
    }

    fn differences(&self) -> impl Iterator<Item = f32> {
        self.cpu.iter().zip(&self.device).map(|(a, b)| (a - b).abs())
    }

    fn largest(&self) -> f32 {
        self.differences().fold(0.0, f32::max)
    }

    fn mean(&self) -> f32 {
        self.differences().sum::<f32>() / self.cpu.len() as f32
    }
}

/// Largest difference of the two paths over a batch.
fn difference(pipeline: &Pipeline, size: ImageSize) -> f32 {
    Both::of_bytes(pipeline, size).largest()
}

/// Sizes around the recipes': square and not, grey and in colours, small and down to one pixel.
const SIZES: [ImageSize; 5] = [
    ImageSize { height: 32, width: 32, channels: 3 },
    ImageSize { height: 17, width: 23, channels: 3 },
    ImageSize { height: 28, width: 28, channels: 1 },
    ImageSize { height: 3, width: 9, channels: 3 },
    ImageSize { height: 1, width: 1, channels: 3 },
];

#[test]
fn every_operation_agrees() {
    for size in SIZES {
        for operation in catalog::all(size) {
            let tolerance = match &operation {
                // The CPU path rounds to bytes between the axes and behind them.
                Operation::RandomResizedCrop { filter, .. } | Operation::Resize { filter, .. } => match filter {
                    Filter::Bilinear => 1.01 / 255.0,
                    // Absolute weights of a cubic add up to 1.25, which stretches the first rounding.
                    Filter::Bicubic => 1.13 / 255.0,
                    other => panic!("no tolerance for {other:?}"),
                },
                // Norms of 55.
                Operation::GlobalContrast { .. } => 2e-5,
                Operation::ColorJitter { .. }
                | Operation::AutoContrast { .. }
                | Operation::Sharpness { .. }
                | Operation::RandAugment { .. }
                | Operation::GaussianBlur { .. }
                | Operation::Standardize { .. }
                | Operation::RandomApply { .. } => 1e-5,
                _ => 1e-6,
            };
            let difference = difference(&pipeline(vec![operation.clone()]), size);
            assert!(difference <= tolerance, "{operation} of {size}: {difference}");
        }
    }
}

#[test]
fn crops_of_values_agree_to_1e6() {
    for size in SIZES {
        for operation in catalog::geometric(size, Border::Edge) {
            // A cubic overshoots; what is cut off depends on whether the values are known to be in [0, 1].
            if matches!(
                operation,
                Operation::RandomResizedCrop { filter: Filter::Bicubic, .. }
                    | Operation::Resize { filter: Filter::Bicubic, .. }
            ) {
                continue;
            }
            let difference = Both::of_values(&pipeline(vec![operation.clone()]), size).largest();
            assert!(difference <= 1e-6, "{operation} of {size}: {difference}");
        }
    }
}

/// One operation after the other. Where a value was half-way between two bytes, Equalize or Posterize may take the other one:
/// that is rare.
#[test]
fn rand_augment_agrees() {
    for size in SIZES {
        for operation in [Operation::fixmatch_rand_augment(3), Operation::torchvision_rand_augment(3, 14)] {
            let both = Both::of_bytes(&pipeline(vec![operation.clone()]), size);
            let differ = both.differences().filter(|difference| *difference > 1e-5).count();
            assert!(differ * 2000 <= both.cpu.len(), "{operation} of {size}: {differ} of {}", both.cpu.len());
        }
    }
}

/// Some images of a batch, and none.
#[test]
fn what_is_nested_is_applied_where_it_was_drawn() {
    let size = ImageSize::new(17, 23, 3);
    let nested = |operation| Operation::RandomApply { probability: 0.5, operations: vec![operation] };
    for operation in catalog::of_values(size).into_iter().chain(catalog::geometric(size, Border::Edge)) {
        let fits = !matches!(
            operation,
            Operation::RandomApply { .. }
                | Operation::RandomResizedCrop { .. }
                | Operation::Resize { .. }
                | Operation::CenterCrop { .. }
        );
        if fits {
            let difference = difference(&pipeline(vec![nested(operation.clone())]), size);
            assert!(difference <= 2e-5, "{operation}: {difference}");
        }
    }
}

/// Whole recipes, before their normalisation. On the CPU a crop is rounded to bytes, and the jitter behind it stretches
/// that: at a strength of 0.4 the brightness and the contrast by up to 1.4 each, the saturation by up to 1.8. Behind a crop, steps
/// such as Posterize's take a rounded value to another step now and then.
#[test]
fn recipes_agree_but_for_the_rounding_of_their_crop() {
    for preset in Preset::ALL {
        // Presets without a size are for one.
        let (pipeline, size) = match preset.default_size() {
            Some(_) => (preset.pipeline(Some(24)).unwrap(), ImageSize::new(40, 50, 3)),
            None => (preset.pipeline(None).unwrap(), ImageSize::new(32, 32, 3)),
        };
        let gray = matches!(pipeline.operations().last(), Some(Operation::Normalize { mean, .. }) if mean.len() == 1);
        let size = if gray { ImageSize { channels: 1, ..size } } else { size };
        let visible = |operation: &&Operation| !matches!(operation, Operation::Normalize { .. });
        let operations = pipeline.operations().iter().filter(visible).cloned().collect();
        let pipeline = pipeline.with_operations(operations).unwrap().with_arithmetic(PixelArithmetic::Real);
        let both = Both::of_bytes(&pipeline, size);
        let (largest, mean) = (255.0 * both.largest(), 255.0 * both.mean());
        let beyond = both.differences().filter(|difference| 255.0 * difference > 1.13 * 1.4 * 1.4 * 1.8).count();
        let rare = if pipeline.operations().iter().any(has_steps) { both.cpu.len() / 200 } else { 0 };
        let said = format!("{preset}: {largest} levels, {mean} on average, {beyond} of {} too many", both.cpu.len());
        assert!(beyond <= rare && mean <= 0.4, "{said}");
    }
}

/// Whether a small change of a value may become a large one.
fn has_steps(operation: &Operation) -> bool {
    match operation {
        Operation::RandomApply { operations, .. } => operations.iter().any(has_steps),
        operation => matches!(operation, Operation::RandAugment { .. }),
    }
}

#[test]
fn presets_agree_to_1e6() {
    let rgb = ImageSize::new(32, 32, 3);
    for pipeline in [
        presets::mean_teacher_cifar(),
        presets::mean_teacher_cifar_tf(),
        presets::usb_weak_cifar(),
        presets::usb_weak_svhn(),
        presets::fixmatch_cifar_weak(),
        presets::masked(presets::fixmatch_cifar_weak(), 0.3, 4).unwrap(),
    ] {
        let difference = difference(&pipeline, rgb);
        assert!(difference <= 1e-6, "{}: {difference}", pipeline.name());
    }
    assert!(difference(&presets::fashion(), ImageSize::new(28, 28, 1)) <= 1e-6);
    let evaluation = presets::fashion().evaluation();
    assert!(difference(&evaluation, ImageSize::new(28, 28, 1)) <= 1e-6);
}

#[test]
fn standardisation_agrees_to_1e5() {
    let difference = difference(&presets::mean_teacher_svhn(), ImageSize::new(32, 32, 3));
    assert!(difference <= 1e-5, "{difference}");
}

/// Movements before, between and after the others, on an image that is not square.
#[test]
fn mixed_orders_agree_to_1e6() {
    let translate = Operation::Translate { max_pixels: 4 };
    let flip = Operation::HorizontalFlip { probability: 0.5 };
    let pipeline = pipeline(vec![
        flip.clone(),
        translate.clone(),
        translate.clone(),
        Operation::GaussianNoise { std: 0.15 },
        flip,
        Operation::Normalize { mean: vec![0.4, 0.5], std: vec![0.3, 0.2] },
        Operation::GaussianNoise { std: 0.1 },
        translate,
    ]);
    let difference = difference(&pipeline, ImageSize::new(7, 11, 2));
    assert!(difference <= 1e-6, "{difference}");
}

#[test]
fn the_batch_keeps_its_type_and_an_empty_one_is_returned() {
    let device = Device::flex();
    let size = ImageSize::new(28, 28, 1);
    let pipeline = presets::fashion();
    let views = pipeline.draw_batch(&[key(0)], size).unwrap();
    let batch = Tensor::<4>::zeros([1, 1, 28, 28], &device).cast(DType::F16);
    let out = pipeline.apply_on_device(batch, &views).unwrap();
    assert_eq!(out.dtype(), DType::F16);

    let empty = Tensor::<4>::zeros([0, 1, 28, 28], &device);
    assert_eq!(pipeline.apply_on_device(empty, &[]).unwrap().dims()[0], 0);
}
