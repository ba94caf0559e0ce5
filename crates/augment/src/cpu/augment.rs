//! The operations of `RandAugment` on values.

use super::rotate::move_nearest;
use super::scratch::{Scratch, vectorized};
use super::{color, pillow};
use crate::plan::Affine;
use crate::{Adjustment, Augmented, Border, ImageSize, PixelArithmetic};

pub(super) fn augment(
    arithmetic: PixelArithmetic,
    augmented: &Augmented,
    size: ImageSize,
    values: &mut [f32],
    scratch: &mut Scratch,
) {
    let adjusted = match *augmented {
        Augmented::Color(factor) => Adjustment::Saturation(factor),
        Augmented::Contrast(factor) => Adjustment::Contrast(factor),
        Augmented::Brightness(factor) => Adjustment::Brightness(factor),
        _ => return augment_otherwise(arithmetic, augmented, size, values, scratch),
    };
    match arithmetic {
        PixelArithmetic::Real => color::jitter(&[adjusted], size, values),
        PixelArithmetic::Bytes => pillow::jitter(&[adjusted], size, values),
    }
}

/// What is not a jitter.
fn augment_otherwise(
    arithmetic: PixelArithmetic,
    augmented: &Augmented,
    size: ImageSize,
    values: &mut [f32],
    scratch: &mut Scratch,
) {
    let planes = values.chunks_exact_mut(size.height * size.width);
    match (augmented, arithmetic) {
        (Augmented::AutoContrast, PixelArithmetic::Real) => planes.for_each(stretch),
        (Augmented::AutoContrast, PixelArithmetic::Bytes) => planes.for_each(stretch_bytes),
        (Augmented::Equalize, _) => planes.for_each(equalize),
        (Augmented::Posterize(bits), _) => posterize(*bits, values),
        (Augmented::Solarize(threshold), PixelArithmetic::Real) => color::solarize(*threshold, values),
        (Augmented::Solarize(threshold), PixelArithmetic::Bytes) => pillow::solarize(*threshold, values),
        (Augmented::Sharpness(factor), PixelArithmetic::Real) => {
            sharpen(size, values, scratch, |x| x, |x, sum| color::blend(*factor, x, sum * (1.0 / SMOOTH)));
        }
        (Augmented::Sharpness(factor), PixelArithmetic::Bytes) => {
            // The sum is never half-way between two multiples of 13.
            let blend = |x: f32, sum: f32| pillow::blend(*factor, x, (sum / SMOOTH + 0.5).floor());
            sharpen(size, values, scratch, pillow::to_byte, blend);
        }
        _ => {
            if let Some(affine) = Affine::of(augmented, size) {
                let places = affine.nearest([size.height, size.width]);
                move_nearest(values, size, places, Border::Fill(0.0), scratch);
            }
        }
    }
}

/// Sum of the weights of the smoothed image.
const SMOOTH: f32 = 13.0;

/// (x − min) / (max − min).
fn stretch(plane: &mut [f32]) {
    let (least, most) = range(plane);
    if most <= least {
        return;
    }
    vectorized(
        #[inline(always)]
        || plane.iter_mut().for_each(|value| *value = ((*value - least) / (most - least)).clamp(0.0, 1.0)),
    );
}

fn range(plane: &[f32]) -> (f32, f32) {
    vectorized(
        #[inline(always)]
        || plane.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), x| (low.min(*x), high.max(*x))),
    )
}

/// `ImageOps.autocontrast`, in its f64 and cut off.
fn stretch_bytes(plane: &mut [f32]) {
    let (least, most) = range(plane);
    let (least, most) = (f64::from(pillow::to_byte(least)), f64::from(pillow::to_byte(most)));
    if most <= least {
        return;
    }
    let scale = 255.0 / (most - least);
    let offset = -least * scale;
    map_bytes(plane, |byte| (byte as f64 * scale + offset).trunc().clamp(0.0, 255.0) as u8);
}

/// `ImageOps.equalize`.
fn equalize(plane: &mut [f32]) {
    let mut histogram = [0_u32; 256];
    for value in plane.iter() {
        histogram[byte_of(*value)] += 1;
    }
    let last = histogram.iter().rposition(|count| *count > 0).unwrap_or(0);
    // 0 for a constant plane too: all of its pixels are in the last bin.
    let step = (plane.len() as u32 - histogram[last]) / 255;
    if step == 0 {
        // Pillow leaves the bytes as they are.
        map_bytes(plane, |byte| byte as u8);
        return;
    }
    let mut below = step / 2;
    let mut table = [0_u8; 256];
    for (entry, count) in table.iter_mut().zip(histogram) {
        *entry = (below / step).min(255) as u8;
        below += count;
    }
    map_bytes(plane, |byte| table[byte]);
}

fn byte_of(value: f32) -> usize {
    // Values are in [0, 1]; the bits of whatever else stay in the table.
    (pillow::to_integer(pillow::to_byte(value)) & 255) as usize
}

/// Each value replaced by what a table has for its byte.
fn map_bytes(plane: &mut [f32], table: impl Fn(usize) -> u8) {
    let mut values = [0.0; 256];
    for (byte, value) in values.iter_mut().enumerate() {
        *value = f32::from(table(byte)) / 255.0;
    }
    plane.iter_mut().for_each(|value| *value = values[byte_of(*value)]);
}

/// The highest bits of each byte.
fn posterize(bits: u32, values: &mut [f32]) {
    // Whole levels are 2^(8 − bits) bytes apart.
    let level = (1_u32 << (8 - bits.min(8))) as f32;
    vectorized(
        #[inline(always)]
        || values.iter_mut().for_each(|value| *value = (pillow::to_byte(*value) / level).floor() * level / 255.0),
    );
}

/// Blends each pixel that is not at the edge with the sum of [1 1 1; 1 5 1; 1 1 1] around it.
#[inline(always)]
fn sharpen(
    size: ImageSize,
    values: &mut [f32],
    scratch: &mut Scratch,
    unit: impl Fn(f32) -> f32,
    blend: impl Fn(f32, f32) -> f32,
) {
    let ImageSize { height, width, .. } = size;
    if height < 3 || width < 3 {
        return;
    }
    let source = &mut scratch.values[0];
    vectorized(
        #[inline(always)]
        || {
            for plane in values.chunks_exact_mut(height * width) {
                source.clear();
                source.extend(plane.iter().map(|value| unit(*value)));
                for row in 1..height - 1 {
                    let line = |row: usize| &source[row * width..(row + 1) * width];
                    let (above, here, under) = (line(row - 1), line(row), line(row + 1));
                    let out = &mut plane[row * width + 1..(row + 1) * width - 1];
                    let windows = above.windows(3).zip(here.windows(3)).zip(under.windows(3));
                    for (value, ((a, h), u)) in out.iter_mut().zip(windows) {
                        let sum = (a[0] + a[1] + a[2]) + (h[0] + 5.0 * h[1] + h[2]) + (u[0] + u[1] + u[2]);
                        *value = blend(h[1], sum);
                    }
                }
            }
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_bits_are_those_of_integers() {
        for bits in 1..=8 {
            let mut values: Vec<f32> = (0..=255_u8).map(|byte| f32::from(byte) / 255.0).collect();
            posterize(bits, &mut values);
            for (byte, value) in values.iter().enumerate() {
                assert_eq!(byte_of(*value), byte & !((1 << (8 - bits)) - 1), "{byte} to {bits} bits");
            }
        }
    }
}
