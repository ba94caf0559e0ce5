//! The operations of `RandAugment`, each image of the batch by its own.

use burn::tensor::{DType, IndexingUpdateOp, Int, Tensor, TensorData};

use super::values::per_image;
use super::{color, geometry};
use crate::plan::Affine;
use crate::{Adjustment, Augmented, Border, ImageSize};

/// Operations that are computed together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Keep,
    Stretch,
    Equalize,
    Posterize,
    Solarize,
    Blend,
    Sharpen,
    Move,
}

fn kind(augmented: Option<&Augmented>) -> Kind {
    match augmented {
        None | Some(Augmented::Identity) => Kind::Keep,
        Some(Augmented::AutoContrast) => Kind::Stretch,
        Some(Augmented::Equalize) => Kind::Equalize,
        Some(Augmented::Posterize(_)) => Kind::Posterize,
        Some(Augmented::Solarize(_)) => Kind::Solarize,
        Some(Augmented::Color(_) | Augmented::Contrast(_) | Augmented::Brightness(_)) => Kind::Blend,
        Some(Augmented::Sharpness(_)) => Kind::Sharpen,
        Some(
            Augmented::Rotate(_)
            | Augmented::ShearX(_)
            | Augmented::ShearY(_)
            | Augmented::TranslateX(_)
            | Augmented::TranslateY(_),
        ) => Kind::Move,
    }
}

/// Applies one operation to each image. Those of a kind are taken out of the batch together, so each image is computed
/// once.
pub(super) fn augment(batch: Tensor<4>, augmented: &[Option<Augmented>]) -> Tensor<4> {
    let mut groups: Vec<(Kind, Vec<usize>)> = Vec::new();
    for (image, augmented) in augmented.iter().enumerate() {
        let kind = kind(augmented.as_ref());
        match groups.iter_mut().find(|(found, _)| *found == kind) {
            Some((_, images)) => images.push(image),
            None => groups.push((kind, vec![image])),
        }
    }
    if let [(kind, _)] = groups[..] {
        return change(kind, batch, &augmented.iter().flatten().copied().collect::<Vec<_>>());
    }
    let order: Vec<usize> = groups.iter().flat_map(|(_, images)| images.iter().copied()).collect();
    let mut back = vec![0; order.len()];
    order.iter().enumerate().for_each(|(place, image)| back[*image] = place);
    let parts = groups.iter().map(|(kind, images)| {
        let of: Vec<Augmented> = images.iter().filter_map(|image| augmented[*image]).collect();
        change(*kind, batch.clone().select(0, indices(&batch, images)), &of)
    });
    let back = indices(&batch, &back);
    Tensor::cat(parts.collect(), 0).select(0, back)
}

fn indices(batch: &Tensor<4>, places: &[usize]) -> Tensor<1, Int> {
    let places: Vec<i32> = places.iter().map(|place| *place as i32).collect();
    let count = places.len();
    Tensor::from_data(TensorData::new(places, [count]), &batch.device())
}

/// One kind of operation on all images of a batch.
fn change(kind: Kind, batch: Tensor<4>, augmented: &[Augmented]) -> Tensor<4> {
    let numbers = || per_image(&batch, augmented.iter().map(number).collect());
    match kind {
        Kind::Keep => batch,
        Kind::Stretch => stretch(batch),
        Kind::Equalize => equalize(batch),
        Kind::Posterize => {
            // Whole levels are 2^(8 − bits) bytes apart.
            let level = numbers();
            ((batch * 255.0).round() / level.clone()).floor() * level / 255.0
        }
        Kind::Solarize => {
            let bright = batch.clone().greater_equal(numbers().expand(batch.dims()));
            batch.clone().mask_where(bright, batch.neg() + 1.0)
        }
        Kind::Blend => {
            let adjustments: Vec<Option<Adjustment>> = augmented.iter().map(adjustment).collect();
            color::blend(batch, &adjustments)
        }
        Kind::Sharpen => {
            let factor = numbers();
            let smoothed = smoothed(batch.clone());
            (batch * factor.clone() + smoothed * (factor.neg() + 1.0)).clamp(0.0, 1.0)
        }
        Kind::Move => {
            let [_, channels, height, width] = batch.dims();
            let size = ImageSize::new(height, width, channels);
            let maps = augmented.iter().map(|augmented| Affine::of(augmented, size).unwrap_or(Affine::IDENTITY));
            geometry::move_nearest(batch, maps.collect(), Border::Fill(0.0))
        }
    }
}

/// The number that a tensor has for each image.
fn number(augmented: &Augmented) -> f32 {
    match augmented {
        Augmented::Posterize(bits) => (1_u32 << (8 - (*bits).min(8))) as f32,
        Augmented::Solarize(threshold) => *threshold,
        Augmented::Sharpness(factor) => *factor,
        _ => 0.0,
    }
}

fn adjustment(augmented: &Augmented) -> Option<Adjustment> {
    match augmented {
        Augmented::Color(factor) => Some(Adjustment::Saturation(*factor)),
        Augmented::Contrast(factor) => Some(Adjustment::Contrast(*factor)),
        Augmented::Brightness(factor) => Some(Adjustment::Brightness(*factor)),
        _ => None,
    }
}

/// (x − min) / (max − min) of each channel; a constant one stays.
fn stretch(batch: Tensor<4>) -> Tensor<4> {
    let least = batch.clone().min_dims(&[2, 3]); // [batch, channels, 1, 1]
    let range = batch.clone().max_dims(&[2, 3]) - least.clone();
    let constant = range.clone().lower_equal_elem(0.0);
    let stretched = (batch.clone() - least) / range.mask_fill(constant.clone(), 1.0);
    let constant = constant.expand(batch.dims());
    stretched.clamp(0.0, 1.0).mask_where(constant, batch)
}

/// The image under [1 1 1; 1 5 1; 1 1 1]/13, the pixels of its edge as they are.
fn smoothed(batch: Tensor<4>) -> Tensor<4> {
    let [count, channels, height, width] = batch.dims();
    if height < 3 || width < 3 {
        return batch;
    }
    let shifted = |y: usize, x: usize| batch.clone().narrow(2, y, height - 2).narrow(3, x, width - 2);
    let mut sum = shifted(1, 1) * 4.0;
    for y in 0..3 {
        for x in 0..3 {
            sum = sum + shifted(y, x);
        }
    }
    let inside = [0..count, 0..channels, 1..height - 1, 1..width - 1];
    batch.slice_assign(inside, sum / 13.0)
}

/// Pillow's `equalize` of each channel's nearest bytes, in integers.
fn equalize(batch: Tensor<4>) -> Tensor<4> {
    let [count, channels, height, width] = batch.dims();
    let (planes, pixels) = (count * channels, height * width);
    let device = batch.device();
    let bytes = (batch.clone() * 255.0).round().clamp(0.0, 255.0).int().reshape([planes, pixels]);
    let empty = Tensor::<2, Int>::zeros([planes, 256], &device);
    let histogram = empty.scatter(1, bytes.clone(), bytes.ones_like(), IndexingUpdateOp::Add);
    // The last bin that is not empty, and what is in it.
    let bins = Tensor::<1, Int>::arange(0..256, &device).reshape([1, 256]).expand([planes, 256]);
    let last = (histogram.clone().greater_elem(0).int() * bins.clone()).max_dim(1); // [planes, 1]
    let step = (histogram.clone().gather(1, last).neg() + pixels as i64) / 255;
    let kept = step.clone().equal_elem(0).expand([planes, 256]);
    let step = step.clamp_min(1);
    let below = histogram.clone().cumsum(1) - histogram + step.clone() / 2;
    let table = (below / step).clamp_max(255).mask_where(kept, bins);
    let equalized = table.gather(1, bytes).float().reshape([count, channels, height, width]);
    // Divided in f32: half precision would round twice.
    (equalized.cast(DType::F32) / 255.0).cast(batch.dtype())
}
