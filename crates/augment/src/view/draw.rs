//! Drawing: from a key to the parameters of a view.

use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::rand_augment::{draw_patches, draw_rand_augment};
use super::{Adjustment, Drawn, View};
use crate::key::Slot;
use crate::plan::PatchGrid;
use crate::{AugmentError, ImageSize, Key, MaskFill, Operation, Pipeline};

/// Boxes that a random crop tries before it takes the middle.
const TRIES: usize = 10;

impl Pipeline {
    /// Draws the parameters of the view `key` of an image of `size`: a pure function of its arguments.
    ///
    /// # Errors
    ///
    /// Those of [`validate_for`](Pipeline::validate_for).
    pub fn draw(&self, key: Key, size: ImageSize) -> Result<View, AugmentError> {
        self.validate_for(size)?;
        Ok(self.draw_valid(key, size))
    }

    /// Draws one view per key, for images of one `size`; as [`draw`](Pipeline::draw) for each.
    ///
    /// # Errors
    ///
    /// Those of [`validate_for`](Pipeline::validate_for).
    pub fn draw_batch(&self, keys: &[Key], size: ImageSize) -> Result<Vec<View>, AugmentError> {
        self.validate_for(size)?;
        Ok(keys.iter().map(|key| self.draw_valid(*key, size)).collect())
    }

    fn draw_valid(&self, key: Key, size: ImageSize) -> View {
        let mut size = size;
        let mut drawn = Vec::with_capacity(self.operations().len());
        for (position, operation) in self.operations().iter().enumerate() {
            drawn.push(draw_one(operation, key, Slot::top(position), size));
            size = operation.output_size(size);
        }
        View { key, drawn }
    }
}

fn draw_one(operation: &Operation, key: Key, slot: Slot, size: ImageSize) -> Drawn {
    if !operation.is_random() {
        return Drawn::Deterministic;
    }
    let mut generator = key.stream(slot.parameters());
    let mut happens = |probability: &f32| generator.random_bool(f64::from(*probability));
    match operation {
        Operation::HorizontalFlip { probability } => Drawn::HorizontalFlip { flip: happens(probability) },
        Operation::Grayscale { probability } => Drawn::Grayscale { gray: happens(probability) },
        Operation::Solarize { probability, .. } => Drawn::Solarize { solarize: happens(probability) },
        Operation::RandomApply { probability, operations } => Drawn::RandomApply {
            drawn: happens(probability).then(|| {
                let inner = operations.iter().enumerate();
                inner.map(|(index, operation)| draw_one(operation, key, slot.nested(index), size)).collect()
            }),
        },
        Operation::RandomResizedCrop { scale, ratio, .. } => draw_box(&mut generator, *scale, *ratio, size),
        Operation::Translate { max_pixels } => Drawn::Translate {
            dx: draw_shift(&mut generator, *max_pixels),
            dy: draw_shift(&mut generator, *max_pixels),
        },
        Operation::Rotate { max_degrees, .. } => {
            Drawn::Rotate { degrees: uniform(&mut generator, [-max_degrees, *max_degrees]) }
        }
        Operation::ColorJitter { brightness, contrast, saturation, hue } => {
            draw_jitter(&mut generator, [*brightness, *contrast, *saturation], *hue)
        }
        Operation::Shear { max_x, max_y, .. } => draw_shear(&mut generator, [*max_x, *max_y]),
        Operation::AutoContrast { probability } => Drawn::AutoContrast { stretch: happens(probability) },
        Operation::Equalize { probability } => Drawn::Equalize { equalize: happens(probability) },
        Operation::Posterize { probability, bits: [fewest, most] } => {
            let happens = happens(probability);
            Drawn::Posterize { bits: happens.then(|| generator.random_range(*fewest..=*most)) }
        }
        Operation::Sharpness { probability, factor } => {
            let happens = happens(probability);
            Drawn::Sharpness { factor: happens.then(|| uniform(&mut generator, *factor)) }
        }
        Operation::RandAugment { ops, pool, magnitudes } => {
            draw_rand_augment(&mut generator, *ops, pool, *magnitudes, size)
        }
        Operation::MaskPatches { share, patch, fill } => Drawn::MaskPatches {
            patches: draw_patches(&mut generator, &PatchGrid::new(*patch, size), *share),
            noise: matches!(fill, MaskFill::Noise { .. }).then(|| slot.pixels()),
        },
        Operation::GaussianBlur { std, .. } => Drawn::GaussianBlur { std: uniform(&mut generator, *std) },
        Operation::Cutout { .. } => Drawn::Cutout {
            x: generator.random_range(0..size.width as u32),
            y: generator.random_range(0..size.height as u32),
        },
        Operation::GaussianNoise { .. } => Drawn::GaussianNoise { stream: slot.pixels() },
        // Returned above.
        Operation::Resize { .. }
        | Operation::CenterCrop { .. }
        | Operation::Normalize { .. }
        | Operation::Standardize { .. }
        | Operation::GlobalContrast { .. } => Drawn::Deterministic,
    }
}

/// Uniform between two ends, which may be equal.
pub(super) fn uniform(generator: &mut ChaCha8Rng, [low, high]: [f32; 2]) -> f32 {
    // Drawn in f64, where no end is lost to rounding; the clamp is for the step back to f32.
    let (low_wide, high_wide) = (f64::from(low), f64::from(high));
    ((low_wide + (high_wide - low_wide) * generator.random::<f64>()) as f32).clamp(low, high)
}

fn draw_shear(generator: &mut ChaCha8Rng, most: [f32; 2]) -> Drawn {
    let [x, y] = most.map(|most| uniform(generator, [-most, most]));
    Drawn::Shear { x, y }
}

/// Uniform in [−max, max]. The pipeline is valid for an image, so `max` is shorter than its sides.
fn draw_shift(generator: &mut ChaCha8Rng, max: u32) -> i32 {
    let max = max as i32;
    generator.random_range(-max..=max)
}

/// A box whose share of the area is uniform in `scale` and whose ratio width : height is log-uniform in `ratio`.
fn draw_box(generator: &mut ChaCha8Rng, scale: [f32; 2], ratio: [f32; 2], size: ImageSize) -> Drawn {
    let area = (size.height * size.width) as f64;
    let log_ratio = ratio.map(|ratio| f64::from(ratio).ln());
    for _ in 0..TRIES {
        let [low, high] = scale.map(f64::from);
        let target = area * (low + (high - low) * generator.random::<f64>());
        let ratio = (log_ratio[0] + (log_ratio[1] - log_ratio[0]) * generator.random::<f64>()).exp();
        let width = (target * ratio).sqrt().round();
        let height = (target / ratio).sqrt().round();
        if (1.0..=size.width as f64).contains(&width) && (1.0..=size.height as f64).contains(&height) {
            let (height, width) = (height as u32, width as u32);
            return Drawn::RandomResizedCrop {
                top: generator.random_range(0..=size.height as u32 - height),
                left: generator.random_range(0..=size.width as u32 - width),
                height,
                width,
            };
        }
    }
    middle_box(ratio.map(f64::from), size)
}

/// The largest centred box with a ratio in the range.
fn middle_box([narrow, wide]: [f64; 2], size: ImageSize) -> Drawn {
    let (image_height, image_width) = (size.height as u32, size.width as u32);
    let ratio = f64::from(image_width) / f64::from(image_height);
    let (height, width) = if ratio < narrow {
        ((f64::from(image_width) / narrow).round() as u32, image_width)
    } else if ratio > wide {
        (image_height, (f64::from(image_height) * wide).round() as u32)
    } else {
        (image_height, image_width)
    };
    let (height, width) = (height.clamp(1, image_height), width.clamp(1, image_width));
    Drawn::RandomResizedCrop { top: (image_height - height) / 2, left: (image_width - width) / 2, height, width }
}

/// Factors in [max(0, 1 − s), 1 + s] and a turn in [−hue, hue], in random order.
fn draw_jitter(generator: &mut ChaCha8Rng, strengths: [f32; 3], hue: f32) -> Drawn {
    let kinds = [Adjustment::Brightness, Adjustment::Contrast, Adjustment::Saturation];
    let mut adjustments = Vec::with_capacity(4);
    // A strength of 0 draws nothing: the others' draws are then different ones, as they are of another pipeline.
    for (kind, strength) in kinds.into_iter().zip(strengths) {
        if strength > 0.0 {
            adjustments.push(kind(uniform(generator, [(1.0 - strength).max(0.0), 1.0 + strength])));
        }
    }
    if hue > 0.0 {
        adjustments.push(Adjustment::Hue(uniform(generator, [-hue, hue])));
    }
    adjustments.shuffle(generator);
    Drawn::ColorJitter { adjustments }
}

/// The noise of a view: standard normal values, in the order C×H×W of the output.
pub(crate) fn noise(key: Key, stream: u64) -> impl Iterator<Item = f32> {
    StandardNormal.sample_iter(key.stream(stream))
}
