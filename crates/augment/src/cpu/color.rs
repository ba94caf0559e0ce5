//! Colours in real numbers, as torchvision's on float tensors.

use super::scratch::vectorized;
use crate::plan::LUMA;
use crate::{Adjustment, ImageSize};

/// Values summed side by side: a fixed order that fills vector registers.
const LANES: usize = 16;

/// The adjustments in their order, on values in [0, 1].
pub(super) fn jitter(adjustments: &[Adjustment], size: ImageSize, values: &mut [f32]) {
    for adjustment in adjustments {
        match adjustment {
            Adjustment::Brightness(factor) => blend_with(*factor, 0.0, values),
            Adjustment::Contrast(factor) => blend_with(*factor, mean_luma(size, values), values),
            Adjustment::Saturation(factor) => saturate(*factor, size, values),
            Adjustment::Hue(turn) => turn_hue(*turn, size, values),
        }
    }
}

/// f·x + (1 − f)·y, in [0, 1].
#[inline(always)]
pub(super) fn blend(factor: f32, x: f32, y: f32) -> f32 {
    (factor * x + (1.0 - factor) * y).clamp(0.0, 1.0)
}

fn blend_with(factor: f32, other: f32, values: &mut [f32]) {
    if factor == 1.0 {
        return;
    }
    vectorized(
        #[inline(always)]
        || values.iter_mut().for_each(|value| *value = blend(factor, *value, other)),
    );
}

#[inline(always)]
fn luma(red: f32, green: f32, blue: f32) -> f32 {
    LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue
}

/// The planes of a colour image; `None` for other numbers of channels.
pub(super) fn colors(size: ImageSize, values: &mut [f32]) -> Option<[&mut [f32]; 3]> {
    let plane_len = size.height * size.width;
    if size.channels != 3 {
        return None;
    }
    let (red, rest) = values.split_at_mut(plane_len);
    let (green, blue) = rest.split_at_mut(plane_len);
    Some([red, green, blue])
}

/// Mean luma; of a grey image its mean.
fn mean_luma(size: ImageSize, values: &mut [f32]) -> f32 {
    let count = (size.height * size.width) as f64;
    let sum = vectorized(
        #[inline(always)]
        || match colors(size, values) {
            // The sum of the luma is the luma of the sums.
            Some([red, green, blue]) => {
                [red, green, blue].into_iter().zip(LUMA).map(|(plane, weight)| f64::from(weight) * sum(plane)).sum()
            }
            None => sum(values),
        },
    );
    (sum / count) as f32
}

/// In blocks, so that no f32 sum grows long.
#[inline(always)]
fn sum(values: &[f32]) -> f64 {
    values
        .chunks(64 * LANES)
        .map(|block| {
            let mut lanes = [0.0_f32; LANES];
            let whole = block.chunks_exact(LANES);
            let rest: f32 = whole.remainder().iter().sum();
            for chunk in whole {
                for (lane, value) in lanes.iter_mut().zip(chunk) {
                    *lane += value;
                }
            }
            f64::from(rest) + lanes.iter().map(|lane| f64::from(*lane)).sum::<f64>()
        })
        .sum()
}

/// Changes the three colours of each pixel.
///
/// In blocks of pixels on the stack: of memory that nothing else can reach, and of a fixed number, the compiler makes
/// vectors whatever `change` does.
#[inline(always)]
pub(super) fn each_pixel(size: ImageSize, values: &mut [f32], change: impl Fn(f32, f32, f32) -> [f32; 3]) {
    const BLOCK: usize = 64;
    let Some([red, green, blue]) = colors(size, values) else { return };
    vectorized(
        #[inline(always)]
        || {
            let (mut reds, mut greens, mut blues) = ([0.0; BLOCK], [0.0; BLOCK], [0.0; BLOCK]);
            let blocks = red.chunks_mut(BLOCK).zip(green.chunks_mut(BLOCK)).zip(blue.chunks_mut(BLOCK));
            for ((red, green), blue) in blocks {
                let count = red.len();
                reds[..count].copy_from_slice(red);
                greens[..count].copy_from_slice(green);
                blues[..count].copy_from_slice(blue);
                for i in 0..BLOCK {
                    [reds[i], greens[i], blues[i]] = change(reds[i], greens[i], blues[i]);
                }
                red.copy_from_slice(&reds[..count]);
                green.copy_from_slice(&greens[..count]);
                blue.copy_from_slice(&blues[..count]);
            }
        },
    );
}

fn saturate(factor: f32, size: ImageSize, values: &mut [f32]) {
    if factor == 1.0 {
        return;
    }
    each_pixel(
        size,
        values,
        #[inline(always)]
        |red, green, blue| {
            let luma = luma(red, green, blue);
            [blend(factor, red, luma), blend(factor, green, luma), blend(factor, blue, luma)]
        },
    );
}

pub(super) fn gray(size: ImageSize, values: &mut [f32]) {
    each_pixel(
        size,
        values,
        #[inline(always)]
        |red, green, blue| [luma(red, green, blue); 3],
    );
}

pub(super) fn solarize(threshold: f32, values: &mut [f32]) {
    vectorized(
        #[inline(always)]
        || {
            for value in values {
                *value = if *value >= threshold { 1.0 - *value } else { *value };
            }
        },
    );
}

/// Turns the hue of HSV by `turn` of the circle.
///
/// With V = max, C = max − min and the hue H in sixths of the circle, the colour at hue H is
/// V − C·clamp(min(k, 4 − k), 0, 1) with k = (n + H) mod 6 and n = 5, 3, 1 for red, green, blue.
fn turn_hue(turn: f32, size: ImageSize, values: &mut [f32]) {
    if turn == 0.0 {
        return;
    }
    let turn = 6.0 * turn;
    each_pixel(
        size,
        values,
        #[inline(always)]
        |red, green, blue| {
            let most = red.max(green).max(blue);
            let chroma = most - red.min(green).min(blue);
            // A grey pixel has no hue: any value will do.
            let divisor = if chroma > 0.0 { chroma } else { 1.0 };
            let from_red = (green - blue) / divisor;
            let from_green = (blue - red) / divisor + 2.0;
            let from_blue = (red - green) / divisor + 4.0;
            let hue = if most == red {
                from_red
            } else if most == green {
                from_green
            } else {
                from_blue
            } + turn;
            let color = |n: f32| {
                // In [−5, 14): one division by 6 brings it into [0, 6).
                let k = n + hue;
                let k = k - 6.0 * (k / 6.0).floor();
                most - chroma * k.min(4.0 - k).clamp(0.0, 1.0)
            };
            [color(5.0), color(3.0), color(1.0)]
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As in textbooks, with branches and in f64.
    fn hsv_turned(pixel: [f32; 3], turn: f32) -> [f64; 3] {
        let [red, green, blue] = pixel.map(f64::from);
        let (most, least) = (red.max(green).max(blue), red.min(green).min(blue));
        let chroma = most - least;
        let hue = if chroma == 0.0 {
            0.0
        } else if most == red {
            (green - blue) / chroma
        } else if most == green {
            (blue - red) / chroma + 2.0
        } else {
            (red - green) / chroma + 4.0
        };
        let hue = (hue + 6.0 * f64::from(turn)).rem_euclid(6.0);
        let part = hue - hue.floor();
        let (falling, rising) = (most - chroma * part, most - chroma * (1.0 - part));
        match hue.floor() as i32 {
            0 => [most, rising, least],
            1 => [falling, most, least],
            2 => [least, most, rising],
            3 => [least, falling, most],
            4 => [rising, least, most],
            _ => [most, least, falling],
        }
    }

    #[test]
    fn hue_turns_as_in_the_textbook() {
        let steps = [0.0, 0.2, 0.5, 0.8, 1.0];
        let mut pixels = Vec::new();
        for red in steps {
            for green in steps {
                pixels.extend(steps.map(|blue| [red, green, blue]));
            }
        }
        let size = ImageSize::new(1, pixels.len(), 3);
        for turn in [-0.5, -0.3, -0.1, 0.05, 0.1, 1.0 / 3.0, 0.5] {
            let mut values: Vec<f32> = (0..3).flat_map(|c| pixels.iter().map(move |pixel| pixel[c])).collect();
            turn_hue(turn, size, &mut values);
            for (index, pixel) in pixels.iter().enumerate() {
                for (channel, expected) in hsv_turned(*pixel, turn).into_iter().enumerate() {
                    let ours = f64::from(values[channel * pixels.len() + index]);
                    assert!((ours - expected).abs() < 3e-6, "{pixel:?} by {turn}: {ours} and {expected}");
                }
            }
        }
    }

    #[test]
    fn sums_do_not_lose_the_rest() {
        for length in [1, 15, 16, 17, 1024, 1025, 5000] {
            let values: Vec<f32> = (0..length).map(|x| (x % 7) as f32 / 8.0).collect();
            let exact: f64 = values.iter().map(|x| f64::from(*x)).sum();
            assert!((sum(&values) - exact).abs() < 1e-9 * exact.max(1.0));
        }
    }
}
