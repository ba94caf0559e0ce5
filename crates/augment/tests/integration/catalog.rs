//! Every operation, for tests that hold for all of them.

use slowburn_augment::{BlurKernel, Border, Filter, ImageSize, MaskFill, Operation, ResizeTo, RotationFilter};

/// Operations that move or resample pixels. They fit any image, of any number of channels.
pub(crate) fn geometric(size: ImageSize, border: Border) -> Vec<Operation> {
    let shorter = size.height.min(size.width) as u32;
    let crop =
        |filter| Operation::RandomResizedCrop { height: 7, width: 5, scale: [0.05, 1.0], ratio: [0.5, 2.0], filter };
    let rotate = |filter| Operation::Rotate { max_degrees: 180.0, filter, border };
    vec![
        crop(Filter::Bilinear),
        crop(Filter::Bicubic),
        Operation::Resize { to: ResizeTo::ShorterSide(6), filter: Filter::Bicubic },
        Operation::Resize { to: ResizeTo::Exact { height: 3, width: 11 }, filter: Filter::Bilinear },
        Operation::CenterCrop { height: shorter.div_ceil(2), width: shorter },
        Operation::HorizontalFlip { probability: 0.5 },
        Operation::Translate { max_pixels: shorter - 1 },
        rotate(RotationFilter::Nearest),
        rotate(RotationFilter::Bilinear),
        Operation::Shear { max_x: 0.3, max_y: 1.0, border },
    ]
}

/// Operations on the values of an image of one or three channels.
pub(crate) fn of_values(size: ImageSize) -> Vec<Operation> {
    let color = if size.channels == 3 { 0.5 } else { 0.0 };
    let mut operations = vec![
        Operation::ColorJitter { brightness: 0.4, contrast: 1.5, saturation: color, hue: color },
        Operation::Grayscale { probability: 0.7 },
        Operation::Solarize { probability: 0.7, threshold: 0.5 },
        Operation::GaussianBlur { std: [0.0, 3.0], kernel: BlurKernel::Boxes },
        Operation::Cutout { side: 4, fill: 0.25 },
        Operation::GaussianNoise { std: 0.15 },
        Operation::Normalize { mean: vec![0.5; size.channels], std: vec![0.2; size.channels] },
        Operation::Standardize { epsilon: 1e-12 },
        Operation::GlobalContrast { scale: 55.0, min_norm: 1e-8 },
    ];
    operations.extend([
        Operation::AutoContrast { probability: 0.7 },
        Operation::Equalize { probability: 0.7 },
        Operation::Posterize { probability: 0.7, bits: [1, 8] },
        Operation::Sharpness { probability: 0.7, factor: [0.0, 2.0] },
        Operation::fixmatch_rand_augment(1),
        Operation::torchvision_rand_augment(1, 9),
        Operation::MaskPatches { share: 0.4, patch: 1, fill: MaskFill::Value(0.25) },
        Operation::MaskPatches { share: 0.4, patch: 1, fill: MaskFill::Noise { std: 0.5 } },
    ]);
    if size.height.min(size.width) > 2 {
        operations.push(Operation::MaskPatches { share: 0.6, patch: 3, fill: MaskFill::Noise { std: 1.0 } });
        operations.push(Operation::GaussianBlur { std: [0.1, 2.0], kernel: BlurKernel::Truncated { radius: 2 } });
    }
    let sometimes = Operation::RandomApply { probability: 0.5, operations: operations[..4].to_vec() };
    operations.push(sometimes);
    operations
}

/// All of them.
pub(crate) fn all(size: ImageSize) -> Vec<Operation> {
    [geometric(size, Border::Fill(0.0)), of_values(size)].concat()
}
