use burn::tensor::{Bool, Tensor, TensorData};

use super::DrawnBatch;
use crate::view::noise;
use crate::{Drawn, Operation, View};

/// Host values as a tensor of the batch's device and type.
pub(super) fn like<const D: usize>(batch: &Tensor<4>, values: Vec<f32>, shape: [usize; D]) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), (&batch.device(), batch.dtype()))
}

/// One number per image, `[batch, 1, 1, 1]`.
pub(super) fn per_image(batch: &Tensor<4>, values: Vec<f32>) -> Tensor<4> {
    let count = values.len();
    like(batch, values, [count, 1, 1, 1])
}

/// One boolean per image, broadcast over its values.
pub(super) fn mask(batch: &Tensor<4>, truths: impl Iterator<Item = bool>) -> Tensor<4, Bool> {
    let [count, channels, height, width] = batch.dims();
    let ones = truths.map(|truth| if truth { 1.0 } else { 0.0 }).collect();
    per_image(batch, ones).greater_elem(0.5).expand([count, channels, height, width])
}

/// `changed` for the images whose operation is applied, `batch` for the others.
pub(super) fn where_applied(drawn: &DrawnBatch<'_>, changed: Tensor<4>, batch: Tensor<4>) -> Tensor<4> {
    if drawn.iter().all(Option::is_some) {
        return changed;
    }
    let mask = mask(&batch, drawn.iter().map(Option::is_some));
    batch.mask_where(mask, changed)
}

pub(super) fn add_noise(batch: Tensor<4>, std: f32, drawn: &DrawnBatch<'_>, views: &[View]) -> Tensor<4> {
    let shape = batch.dims();
    let [_, channels, height, width] = shape;
    let per_image = channels * height * width;
    let mut values = Vec::with_capacity(views.len() * per_image);
    for (drawn, view) in drawn.iter().zip(views) {
        match drawn {
            Some(Drawn::GaussianNoise { stream }) => {
                values.extend(noise(view.key, *stream).take(per_image).map(|noise| std * noise));
            }
            _ => values.extend(std::iter::repeat_n(0.0, per_image)),
        }
    }
    let noise = like(&batch, values, shape);
    batch + noise
}

/// The three kinds of normalisation.
pub(super) fn normalize(operation: &Operation, batch: Tensor<4>) -> Tensor<4> {
    let [_, channels, height, width] = batch.dims();
    match operation {
        Operation::Normalize { mean, std } => {
            let mean = like(&batch, mean.clone(), [1, channels, 1, 1]);
            let std = like(&batch, std.clone(), [1, channels, 1, 1]);
            (batch - mean) / std
        }
        Operation::Standardize { epsilon } => {
            let (centered, variance) = center(batch);
            centered / (variance + *epsilon).sqrt()
        }
        Operation::GlobalContrast { scale, min_norm } => {
            let (centered, variance) = center(batch);
            let norm = (variance * (channels * height * width) as f32).sqrt(); // [batch, 1, 1, 1]
            let constant = norm.clone().lower_elem(*min_norm);
            centered / (norm / *scale).mask_fill(constant, 1.0)
        }
        _ => batch,
    }
}

/// The images minus their means, and their biased variances `[batch, 1, 1, 1]`.
fn center(batch: Tensor<4>) -> (Tensor<4>, Tensor<4>) {
    let mean = batch.clone().mean_dims(&[1, 2, 3]);
    let centered = batch - mean;
    let variance = centered.clone().square().mean_dims(&[1, 2, 3]);
    (centered, variance)
}
