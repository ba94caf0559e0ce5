//! What the benchmarks share: images, recipes, networks and queues.

use burn::tensor::{Device, Tensor, TensorData};
use slowburn_augment::{ImageSize, Key};
use slowburn_contrastive::{InfoNce, normalize};
use slowburn_ema::{Decay, Ema, EmaConfig};
use slowburn_models::{ModelError, ResNet, ResNetConfig};

/// A picture with ramps, edges and a little noise, H×W×3: it compresses like a photograph.
pub fn picture(height: usize, width: usize, seed: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    let mut pixels = Vec::with_capacity(height * width * 3);
    for y in 0..height {
        for x in 0..width {
            for c in 0..3 {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let ramp = x * 200 / width * (c + 1) / 3 + y * 200 / height * (3 - c) / 3;
                let edges = (x * 7 / width + y * 5 / height + seed as usize) % 2 * 40;
                pixels.push((ramp + edges + (state >> 28) as usize).min(255) as u8);
            }
        }
    }
    pixels
}

/// Size of a colour picture.
pub fn rgb(height: usize, width: usize) -> ImageSize {
    ImageSize::new(height, width, 3)
}

/// The key of one view of one sample of a fixed seed.
pub fn key(sample: usize, view: usize) -> Key {
    Key { seed: 1, epoch: 0, sample: sample as u64, view: view as u64 }
}

/// A network to follow, on autodiff as in training.
///
/// # Errors
/// Those of [`ResNetConfig::try_init`].
pub fn student(config: &ResNetConfig) -> Result<ResNet, ModelError> {
    config.try_init(&Device::flex().autodiff())
}

/// The average of another network of the same kind, with MoCo's decay of 0.999.
///
/// # Errors
/// Those of [`student`] and of [`EmaConfig::init`].
pub fn average(config: &ResNetConfig) -> anyhow::Result<Ema<ResNet>> {
    Ok(EmaConfig::new(Decay::Constant { decay: 0.999 }).init(&student(config)?)?)
}

/// Names, queries and negatives of the losses that are measured.
pub const CONTRASTS: [(&str, usize, usize); 6] = [
    ("info_nce/64x4096", 64, 4096),
    ("info_nce/64x16384", 64, 16_384),
    ("info_nce/64x65536", 64, 65_536),
    ("info_nce/256x4096", 256, 4096),
    ("info_nce/256x16384", 256, 16_384),
    ("info_nce/256x65536", 256, 65_536),
];

/// Rows of unit length and of 128 numbers, without any order.
pub fn unit_rows(n: usize, seed: u32, device: &Device) -> Tensor<2> {
    const DIM: usize = 128;
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    let mut number = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    let values: Vec<f32> = (0..n * DIM).map(|_| number()).collect();
    normalize(Tensor::from_data(TensorData::new(values, [n, DIM]), device))
}

/// Queries, their keys and a queue.
#[derive(Debug)]
pub struct Contrasted {
    queries: Tensor<2>,
    positives: Tensor<2>,
    negatives: Tensor<2>,
}

impl Contrasted {
    /// `n` queries against `count` negatives.
    pub fn new(n: usize, count: usize) -> Self {
        let plain = Device::flex();
        Self {
            queries: unit_rows(n, 1, &plain).autodiff().require_grad(),
            positives: unit_rows(n, 2, &plain),
            negatives: unit_rows(count, 3, &plain),
        }
    }

    /// The loss forward and backward.
    pub fn gradient(&self) -> Option<Tensor<2>> {
        let Self { queries, positives, negatives } = self;
        let loss = InfoNce::new(0.07).info_nce(queries.clone(), positives.clone(), negatives.clone()).loss;
        queries.grad(&loss.backward())
    }
}
