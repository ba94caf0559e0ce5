use burn::tensor::{Int, Tensor, TensorData};

use super::DrawnBatch;
use super::values::per_image;
use crate::plan::{BlurBorder, BlurPlan};
use crate::{BlurKernel, Drawn};

/// Blurs each image with its own kernel: as many shifted copies of the batch as the widest kernel has weights.
pub(super) fn blur(batch: Tensor<4>, kernel: BlurKernel, drawn: &DrawnBatch<'_>) -> Tensor<4> {
    let plans: Vec<Option<BlurPlan>> = drawn
        .iter()
        .map(|drawn| match drawn {
            Some(Drawn::GaussianBlur { std }) => BlurPlan::new(*std, kernel),
            _ => None,
        })
        .collect();
    let Some(widest) = plans.iter().flatten().max_by_key(|plan| plan.radius()) else {
        return batch;
    };
    let (passes, border) = (widest.passes, widest.border);
    // weights[d] has the weight at distance d of each image; an image that is not blurred has 1 at 0.
    let weights: Vec<Tensor<4>> = (0..=widest.radius())
        .map(|distance| {
            let unblurred = if distance == 0 { 1.0 } else { 0.0 };
            let of = |plan: &Option<BlurPlan>| match plan {
                Some(plan) => plan.weights.get(distance).copied().unwrap_or(0.0),
                None => unblurred,
            };
            per_image(&batch, plans.iter().map(of).collect())
        })
        .collect();
    let mut batch = batch;
    for axis in [3, 2] {
        for _ in 0..passes {
            batch = convolve(batch, axis, &weights, border);
        }
    }
    batch
}

fn convolve(batch: Tensor<4>, axis: usize, weights: &[Tensor<4>], border: BlurBorder) -> Tensor<4> {
    let length = batch.dims()[axis];
    let device = batch.device();
    let shifted = |distance: i64| {
        let places: Vec<i32> = (0..length as i64).map(|place| border.inside(place + distance, length) as i32).collect();
        let places = Tensor::<1, Int>::from_data(TensorData::new(places, [length]), &device);
        batch.clone().select(axis, places)
    };
    let mut sum = batch.clone() * weights[0].clone();
    for (distance, weight) in weights.iter().enumerate().skip(1) {
        let distance = distance as i64;
        sum = sum + (shifted(distance) + shifted(-distance)) * weight.clone();
    }
    sum
}
