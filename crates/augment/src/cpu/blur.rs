use super::pillow::{to_byte, to_integer};
use super::scratch::{Scratch, vectorized};
use crate::plan::{BlurBorder, BlurPlan};
use crate::{ImageSize, PixelArithmetic};

/// Columns that are blurred downwards together: their values stay in the first-level cache.
const STRIP: usize = 32;

/// Blurs C×H×W values in place, along the rows and then along the columns. In bytes, each pass is rounded.
pub(super) fn blur(
    plan: &BlurPlan,
    arithmetic: PixelArithmetic,
    size: ImageSize,
    values: &mut [f32],
    scratch: &mut Scratch,
) {
    match arithmetic {
        PixelArithmetic::Real => blur_planes::<false>(plan, size, values, scratch),
        PixelArithmetic::Bytes => blur_planes::<true>(plan, size, values, scratch),
    }
}

fn blur_planes<const BYTES: bool>(plan: &BlurPlan, size: ImageSize, values: &mut [f32], scratch: &mut Scratch) {
    let [from, to] = &mut scratch.values;
    let padding = 2 * plan.radius();
    let longest = (size.width + padding).max((size.height + padding) * STRIP);
    for buffer in [&mut *from, &mut *to] {
        if buffer.len() < longest {
            buffer.resize(longest, 0.0);
        }
    }
    vectorized(
        #[inline(always)]
        || {
            for plane in values.chunks_exact_mut(size.height * size.width) {
                for row in plane.chunks_exact_mut(size.width) {
                    blur_strip::<BYTES>(plan, row, size.width, [1, 1], (from, to));
                }
                for left in (0..size.width).step_by(STRIP) {
                    let width = STRIP.min(size.width - left);
                    blur_strip::<BYTES>(plan, &mut plane[left..], size.height, [width, size.width], (from, to));
                }
            }
        },
    );
}

/// Blurs along an axis of `length` places, each of `width` neighbouring values, `stride` values apart.
#[inline(always)]
fn blur_strip<const BYTES: bool>(
    plan: &BlurPlan,
    values: &mut [f32],
    length: usize,
    [width, stride]: [usize; 2],
    (from, to): (&mut Vec<f32>, &mut Vec<f32>),
) {
    let radius = plan.radius();
    let padded = (length + 2 * radius) * width;
    let (mut from, mut to) = (&mut from[..padded], &mut to[..padded]);
    for place in 0..length {
        let line = &mut from[(radius + place) * width..][..width];
        for (to, value) in line.iter_mut().zip(&values[place * stride..][..width]) {
            *to = if BYTES { to_byte(*value) } else { *value };
        }
    }
    for _ in 0..plan.passes {
        pad(plan.border, from, length, radius, width);
        let inner = &mut to[radius * width..(radius + length) * width];
        match plan.fixed {
            Some(fixed) if BYTES => convolve_bytes(fixed, radius, from, inner, width),
            _ => convolve(&plan.weights, from, inner, width),
        }
        std::mem::swap(&mut from, &mut to);
    }
    for place in 0..length {
        let line = &from[(radius + place) * width..][..width];
        for (value, from) in values[place * stride..][..width].iter_mut().zip(line) {
            *value = if BYTES { from.round_ties_even() / 255.0 } else { *from };
        }
    }
}

/// Fills what lies outside the image.
#[inline(always)]
fn pad(border: BlurBorder, values: &mut [f32], length: usize, radius: usize, width: usize) {
    for place in 0..radius {
        let before = border.inside(place as i64 - radius as i64, length);
        let after = border.inside((length + place) as i64, length);
        values.copy_within((radius + before) * width..(radius + before + 1) * width, place * width);
        values.copy_within((radius + after) * width..(radius + after + 1) * width, (radius + length + place) * width);
    }
}

/// One pass of a symmetric kernel over values `width` apart.
#[inline(always)]
fn convolve(weights: &[f32], from: &[f32], to: &mut [f32], width: usize) {
    let radius = weights.len() - 1;
    let shifted = |places: usize| &from[places * width..][..to.len()];
    let center = shifted(radius);
    // Recipes' blurs have a radius of 1 or 2: in one go.
    if let [middle, near] = weights {
        let (left, right) = (shifted(0), shifted(2));
        for (index, value) in to.iter_mut().enumerate() {
            *value = middle * center[index] + near * (left[index] + right[index]);
        }
        return;
    }
    let (left, right) = (shifted(radius - 1), shifted(radius + 1));
    for (index, value) in to.iter_mut().enumerate() {
        *value = weights[0] * center[index] + weights[1] * (left[index] + right[index]);
    }
    for (distance, weight) in weights.iter().enumerate().skip(2) {
        let (left, right) = (&from[(radius - distance) * width..], &from[(radius + distance) * width..]);
        for ((value, left), right) in to.iter_mut().zip(left).zip(right) {
            *value += weight * (left + right);
        }
    }
}

/// One pass of an extended box over bytes, as Pillow's: weights in 2⁻²⁴, the sum rounded.
#[inline(always)]
fn convolve_bytes([inside, ends]: [u32; 2], radius: usize, from: &[f32], to: &mut [f32], width: usize) {
    let shifted = |places: usize| &from[places * width..][..to.len()];
    let (left, right) = (shifted(0), shifted(2 * radius));
    // Sums of at most 2¹⁶ bytes are exact in f32, and the weighted sum is below 2³².
    let weighted = |sum: f32, ends_sum: f32| {
        let sum = to_integer(sum).wrapping_mul(inside);
        let ends_sum = to_integer(ends_sum).wrapping_mul(ends);
        (sum.wrapping_add(ends_sum).wrapping_add(1 << 23) >> 24) as i32 as f32
    };
    if radius == 1 {
        let center = shifted(1);
        for (index, value) in to.iter_mut().enumerate() {
            *value = weighted(center[index], left[index] + right[index]);
        }
        return;
    }
    to.copy_from_slice(shifted(1));
    for place in 2..2 * radius {
        for (value, from) in to.iter_mut().zip(&from[place * width..]) {
            *value += from;
        }
    }
    let (left, right) = (&from[..to.len()], &from[2 * radius * width..]);
    for ((value, left), right) in to.iter_mut().zip(left).zip(right) {
        *value = weighted(*value, left + right);
    }
}
