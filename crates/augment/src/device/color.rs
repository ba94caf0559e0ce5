use burn::tensor::Tensor;

use super::DrawnBatch;
use super::values::{mask, per_image};
use crate::plan::LUMA;
use crate::{Adjustment, Drawn};

/// Makes those images grey whose draw says so.
pub(super) fn gray(batch: Tensor<4>, drawn: &DrawnBatch<'_>) -> Tensor<4> {
    let [_, channels, ..] = batch.dims();
    let truths = drawn.iter().map(|drawn| matches!(drawn, Some(Drawn::Grayscale { gray: true })));
    if channels != 3 || !truths.clone().any(|truth| truth) {
        return batch;
    }
    let mask = mask(&batch, truths);
    let gray = luma(batch.clone()).repeat_dim(1, channels);
    batch.mask_where(mask, gray)
}

pub(super) fn solarize(batch: Tensor<4>, threshold: f32, drawn: &DrawnBatch<'_>) -> Tensor<4> {
    let truths = drawn.iter().map(|drawn| matches!(drawn, Some(Drawn::Solarize { solarize: true })));
    let bright = batch.clone().greater_equal_elem(threshold).bool_and(mask(&batch, truths));
    let inverted = batch.clone().neg() + 1.0;
    batch.mask_where(bright, inverted)
}

/// Applies the adjustments of all images, the first of each together, then the second, and so on: an order of its own
/// for each image. Brightness, contrast and saturation are one blend, f·x + (1 − f)·(c·mean luma + s·luma).
pub(super) fn jitter(batch: Tensor<4>, drawn: &DrawnBatch<'_>) -> Tensor<4> {
    let adjustments: Vec<&[Adjustment]> = drawn
        .iter()
        .map(|drawn| match drawn {
            Some(Drawn::ColorJitter { adjustments }) => adjustments.as_slice(),
            _ => &[],
        })
        .collect();
    let longest = adjustments.iter().map(|list| list.len()).max().unwrap_or(0);
    (0..longest).fold(batch, |batch, slot| {
        let slot: Vec<Option<Adjustment>> = adjustments.iter().map(|list| list.get(slot).copied()).collect();
        turn_hue(blend(batch, &slot), &slot)
    })
}

/// The luma of each pixel, `[batch, 1, height, width]`; of grey images the images.
fn luma(batch: Tensor<4>) -> Tensor<4> {
    let [_, channels, ..] = batch.dims();
    if channels != 3 {
        return batch;
    }
    let plane = |channel| batch.clone().narrow(1, channel, 1);
    plane(0) * LUMA[0] + plane(1) * LUMA[1] + plane(2) * LUMA[2]
}

/// Brightness, contrast or saturation of each image.
pub(super) fn blend(batch: Tensor<4>, slot: &[Option<Adjustment>]) -> Tensor<4> {
    // Factor, and how much of the mean luma and of the luma is blended in.
    let numbers: Vec<[f32; 3]> = slot
        .iter()
        .map(|adjustment| match adjustment {
            Some(Adjustment::Brightness(factor)) => [*factor, 0.0, 0.0],
            Some(Adjustment::Contrast(factor)) => [*factor, 1.0 - factor, 0.0],
            Some(Adjustment::Saturation(factor)) => [*factor, 0.0, 1.0 - factor],
            Some(Adjustment::Hue(_)) | None => [1.0, 0.0, 0.0],
        })
        .collect();
    let column = |index: usize| per_image(&batch, numbers.iter().map(|row| row[index]).collect());
    let used = |index: usize| numbers.iter().any(|row| row[index] != 0.0);
    let mut blended = batch.clone() * column(0);
    if used(1) || used(2) {
        let luma = luma(batch.clone());
        let mean = luma.clone().mean_dims(&[1, 2, 3]);
        blended = blended + mean * column(1) + luma * column(2);
    }
    blended.clamp(0.0, 1.0)
}

/// As on the CPU: V − C·clamp(min(k, 4 − k), 0, 1), k = (n + H) mod 6.
fn turn_hue(batch: Tensor<4>, slot: &[Option<Adjustment>]) -> Tensor<4> {
    let turns: Vec<f32> = slot
        .iter()
        .map(|adjustment| if let Some(Adjustment::Hue(turn)) = adjustment { 6.0 * turn } else { 0.0 })
        .collect();
    if turns.iter().all(|turn| *turn == 0.0) {
        return batch;
    }
    // Without a turn the formula gives the colours up to rounding: keep them.
    let turned = mask(&batch, turns.iter().map(|turn| *turn != 0.0));
    let plane = |channel| batch.clone().narrow(1, channel, 1); // [batch, 1, height, width]
    let (red, green, blue) = (plane(0), plane(1), plane(2));
    let most = batch.clone().max_dim(1);
    let chroma = most.clone() - batch.clone().min_dim(1);
    let divisor = chroma.clone().mask_fill(chroma.clone().lower_equal_elem(0.0), 1.0);
    let from_red = (green.clone() - blue.clone()) / divisor.clone();
    let from_green = (blue - red.clone()) / divisor.clone() + 2.0;
    let from_blue = (red.clone() - green.clone()) / divisor + 4.0;
    let hue = from_blue.mask_where(green.equal(most.clone()), from_green).mask_where(red.equal(most.clone()), from_red)
        + per_image(&batch, turns);
    let color = |n: f32| {
        let k = hue.clone() + n;
        let k = k.clone() - (k / 6.0).floor() * 6.0;
        let part = k.clone().min_pair(k.neg() + 4.0).clamp(0.0, 1.0);
        most.clone() - chroma.clone() * part
    };
    let colors = Tensor::cat(vec![color(5.0), color(3.0), color(1.0)], 1);
    batch.mask_where(turned, colors)
}
