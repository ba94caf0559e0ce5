use super::augment::augment;
use super::blur::blur;
use super::movement::move_values;
use super::rotate::{move_nearest, rotate_values};
use super::scratch::{Scratch, vectorized};
use super::{color, pillow};
use crate::plan::{self, Affine, BlurPlan, PatchGrid, SourceMap, Step, moves_pixels, square};
use crate::view::noise;
use crate::{Border, Drawn, ImageSize, Key, MaskFill, Operation, PixelArithmetic};

/// Applies an operation that keeps the size to C×H×W values.
pub(super) fn change(
    arithmetic: PixelArithmetic,
    (operation, drawn): Step<'_>,
    key: Key,
    size: ImageSize,
    values: &mut [f32],
    scratch: &mut Scratch,
) {
    match (operation, drawn) {
        (_, drawn) if moves_pixels(drawn) => {
            let mut map = SourceMap::identity(size);
            map.then(drawn);
            rearrange(size, &map, values, scratch);
        }
        (Operation::Rotate { filter, border, .. }, Drawn::Rotate { degrees }) => {
            rotate_values(values, size, (*degrees, *filter, *border));
        }
        (_, Drawn::ColorJitter { adjustments }) => match arithmetic {
            PixelArithmetic::Real => color::jitter(adjustments, size, values),
            PixelArithmetic::Bytes => pillow::jitter(adjustments, size, values),
        },
        (_, Drawn::Grayscale { gray: true }) => match arithmetic {
            PixelArithmetic::Real => color::gray(size, values),
            PixelArithmetic::Bytes => pillow::gray(size, values),
        },
        (Operation::Solarize { threshold, .. }, Drawn::Solarize { solarize: true }) => match arithmetic {
            PixelArithmetic::Real => color::solarize(*threshold, values),
            PixelArithmetic::Bytes => pillow::solarize(*threshold, values),
        },
        (Operation::GaussianBlur { kernel, .. }, Drawn::GaussianBlur { std }) => {
            if let Some(plan) = BlurPlan::new(*std, *kernel) {
                blur(&plan, arithmetic, size, values, scratch);
            }
        }
        (Operation::Cutout { side, fill }, Drawn::Cutout { x, y }) => {
            cut_out(*side as usize, *fill, (*x as usize, *y as usize), size, values);
        }
        (Operation::Shear { border, .. }, Drawn::Shear { x, y }) => shear([*x, *y], *border, size, values, scratch),
        (_, Drawn::RandAugment { applied }) => {
            applied.iter().for_each(|augmented| augment(arithmetic, augmented, size, values, scratch));
        }
        (Operation::MaskPatches { patch, fill, .. }, Drawn::MaskPatches { patches, noise }) => {
            mask_patches(&PatchGrid::new(*patch, size), patches, (*fill, *noise), key, values);
        }
        (Operation::GaussianNoise { std }, Drawn::GaussianNoise { stream }) => {
            for (value, noise) in values.iter_mut().zip(noise(key, *stream)) {
                *value += std * noise;
            }
        }
        (Operation::Normalize { .. } | Operation::Standardize { .. } | Operation::GlobalContrast { .. }, _) => {
            normalize_by(operation, size, values);
        }
        // The rest are operations that were drawn not to happen or that change the size, and pairs that `check_view` refused.
        _ => {
            if let Some(augmented) = plan::augmented(drawn) {
                augment(arithmetic, &augmented, size, values, scratch);
            }
        }
    }
}

/// The three kinds of normalisation.
fn normalize_by(operation: &Operation, size: ImageSize, values: &mut [f32]) {
    match operation {
        Operation::Normalize { mean, std } => normalize(mean, std, size, values),
        Operation::Standardize { epsilon } => {
            let (mean, variance) = moments(values);
            scale(values, mean, (variance + f64::from(*epsilon)).sqrt());
        }
        Operation::GlobalContrast { scale: target, min_norm } => {
            let (mean, variance) = moments(values);
            let norm = (variance * values.len() as f64).sqrt();
            let norm = if norm < f64::from(*min_norm) { 1.0 } else { norm / f64::from(*target) };
            scale(values, mean, norm);
        }
        _ => {}
    }
}

/// Moves values in place.
fn rearrange(size: ImageSize, map: &SourceMap, values: &mut [f32], scratch: &mut Scratch) {
    if map.is_identity(size.height, size.width) {
        return;
    }
    if map.is_mirror(size.height, size.width) {
        values.chunks_exact_mut(size.width).for_each(<[f32]>::reverse);
        return;
    }
    let source = &mut scratch.values[0];
    source.clear();
    source.extend_from_slice(values);
    move_values(source, size, map, values);
}

fn shear([x, y]: [f32; 2], border: Border, size: ImageSize, values: &mut [f32], scratch: &mut Scratch) {
    let places = Affine::shear(x, y).nearest([size.height, size.width]);
    move_nearest(values, size, places, border, scratch);
}

fn cut_out(side: usize, fill: f32, center: (usize, usize), size: ImageSize, values: &mut [f32]) {
    let [rows, columns] = square(side, center, size);
    for plane in values.chunks_exact_mut(size.height * size.width) {
        for row in rows.clone() {
            plane[row * size.width..][columns.clone()].fill(fill);
        }
    }
}

fn mask_patches(
    grid: &PatchGrid,
    patches: &[u32],
    (fill, stream): (MaskFill, Option<u64>),
    key: Key,
    values: &mut [f32],
) {
    let covered = grid.covered(patches);
    let masked = values.chunks_exact_mut(covered.len()).flat_map(|plane| plane.iter_mut().zip(&covered));
    let masked = masked.filter_map(|(value, covered)| covered.then_some(value));
    match (fill, stream) {
        (MaskFill::Noise { std }, Some(stream)) => {
            masked.zip(noise(key, stream)).for_each(|(value, noise)| *value = std * noise);
        }
        (MaskFill::Value(fill), _) => masked.for_each(|value| *value = fill),
        // Not reached: noise has a stream.
        (MaskFill::Noise { .. }, None) => {}
    }
}

fn normalize(mean: &[f32], std: &[f32], size: ImageSize, values: &mut [f32]) {
    vectorized(
        #[inline(always)]
        || {
            let planes = values.chunks_exact_mut(size.height * size.width);
            for (plane, (mean, std)) in planes.zip(mean.iter().zip(std)) {
                for value in plane {
                    *value = (*value - mean) / std;
                }
            }
        },
    );
}

/// Mean and biased variance, summed in f64, so that a constant image is centred to exactly 0.
fn moments(values: &[f32]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().map(|x| f64::from(*x)).sum::<f64>() / count;
    let variance = values.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>() / count;
    (mean, variance)
}

/// (x − mean) / divisor.
fn scale(values: &mut [f32], mean: f64, divisor: f64) {
    for value in values {
        *value = ((f64::from(*value) - mean) / divisor) as f32;
    }
}
