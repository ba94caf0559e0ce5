//! The path with tensor operations against the CPU path.

use burn::tensor::{DType, Device, Tensor, TensorData};
use slowburn_augment::{Image, ImageSize, Key, Operation, Pipeline, presets};

use crate::{bytes, key, pipeline};

const BATCH: usize = 33;

/// Largest difference of the two paths over a batch.
fn difference(pipeline: &Pipeline, size: ImageSize) -> f32 {
    let device = Device::flex();
    let pixels: Vec<Vec<u8>> = (0..BATCH as u32).map(|seed| bytes(size, seed)).collect();
    let images: Vec<Image<'_>> = pixels.iter().map(|pixels| Image::new(size, pixels).unwrap()).collect();
    let keys: Vec<Key> = (0..BATCH as u64).map(key).collect();
    let views = pipeline.draw_batch(&keys, size).unwrap();
    let cpu = pipeline.apply_batch(&images, &views).unwrap();

    let raw: Vec<f32> = pixels.iter().flatten().map(|byte| f32::from(*byte) / 255.0).collect();
    let shape = [BATCH, size.height, size.width, size.channels];
    let batch = Tensor::<4>::from_data(TensorData::new(raw, shape), &device).permute([0, 3, 1, 2]);
    let on_device = pipeline.apply_on_device(batch, &views).unwrap();
    assert_eq!(on_device.dims(), [BATCH, size.channels, size.height, size.width]);
    let on_device = on_device.into_data().try_to_vec::<f32>().unwrap();
    cpu.iter().zip(&on_device).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn presets_agree_to_1e6() {
    let rgb = ImageSize::new(32, 32, 3);
    for pipeline in [
        presets::mean_teacher_cifar(),
        presets::mean_teacher_cifar_tf(),
        presets::usb_weak_cifar(),
        presets::usb_weak_svhn(),
    ] {
        let difference = difference(&pipeline, rgb);
        assert!(difference <= 1e-6, "{}: {difference}", pipeline.name);
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
