//! InfoNCE against a queue, with its gradient to the queries.

use anyhow::Context;
use burn::tensor::{Device, Tensor, TensorData};
use slowburn_contrastive::{InfoNce, normalize};

use super::Run;

/// Length of an embedding.
pub const DIM: usize = 128;

/// Queries and negatives of the losses that are measured.
pub const SIZES: [(usize, usize); 6] =
    [(64, 4096), (64, 16_384), (64, 65_536), (256, 4096), (256, 16_384), (256, 65_536)];

/// Floating-point operations of the two matrix products: logits, and the gradient's weighted sum of negatives.
pub fn operations(n: usize, count: usize) -> f64 {
    2.0 * 2.0 * (n * count * DIM) as f64
}

/// Rows of unit length and of [`DIM`] numbers, without any order.
pub fn unit_rows(n: usize, seed: u32, device: &Device) -> Tensor<2> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    let mut number = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    let values: Vec<f32> = (0..n * DIM).map(|_| number()).collect();
    normalize(Tensor::from_data(TensorData::new(values, [n, DIM]), device))
}

/// `n` queries against `count` negatives: loss and gradient.
pub fn loss(n: usize, count: usize, device: &Device) -> Run {
    let queries = unit_rows(n, 1, device).autodiff().require_grad();
    let (positives, negatives) = (unit_rows(n, 2, device), unit_rows(count, 3, device));
    let device = device.clone();
    Box::new(move || {
        let loss = InfoNce::new(0.07).info_nce(queries.clone(), positives.clone(), negatives.clone())?.loss;
        let gradient = queries.grad(&loss.backward()).context("the queries are leaves")?;
        device.sync()?;
        std::hint::black_box(gradient);
        Ok(1)
    })
}

/// The two matrix products of [`loss`] as Burn's backend does them, and nothing else.
pub fn products(n: usize, count: usize, device: &Device) -> Run {
    let (queries, keys) = (unit_rows(n, 1, device), unit_rows(count, 2, device));
    let weights = Tensor::<2>::ones([n, count], device);
    let device = device.clone();
    Box::new(move || {
        let both = (queries.clone().matmul(keys.clone().transpose()), weights.clone().matmul(keys.clone()));
        device.sync()?;
        std::hint::black_box(both);
        Ok(1)
    })
}
