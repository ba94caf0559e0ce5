//! Colours in Pillow's arithmetic: bytes in, bytes out, each operation with Pillow's own rounding. Values are multiples
//! of 1/255 before and after.

use super::color::{colors, each_pixel};
use super::scratch::vectorized;
use crate::{Adjustment, ImageSize};

/// A value in [0, 1] as the byte it stands for.
#[inline(always)]
pub(super) fn to_byte(value: f32) -> f32 {
    (value * 255.0).round_ties_even()
}

/// A whole number in [0, 2²³) as an integer. At 2²³ the last bit of an f32 counts ones; a cast with `as`, which has to
/// saturate, is not compiled to vector instructions.
#[inline(always)]
pub(super) fn to_integer(whole: f32) -> u32 {
    const SHIFT: f32 = 8_388_608.0;
    (whole + SHIFT).to_bits().wrapping_sub(SHIFT.to_bits())
}

/// `ImageEnhance` and torchvision's `adjust_hue` on Pillow images.
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

pub(super) fn gray(size: ImageSize, values: &mut [f32]) {
    each_pixel(
        size,
        values,
        #[inline(always)]
        |red, green, blue| [luma(to_byte(red), to_byte(green), to_byte(blue)) / 255.0; 3],
    );
}

/// `Image.convert("L")`: fixed-point numbers of 16 bits, rounded. All products fit into the 24 bits of f32, so this
/// is exact.
#[inline(always)]
fn luma(red: f32, green: f32, blue: f32) -> f32 {
    ((19595.0 * red + 38470.0 * green + 7471.0 * blue + 32768.0) / 65536.0).floor()
}

/// `Image.blend`: cut off, not rounded.
#[inline(always)]
fn blend(factor: f32, byte: f32, other: f32) -> f32 {
    (other + factor * (byte - other)).clamp(0.0, 255.0).floor() / 255.0
}

fn blend_with(factor: f32, other: f32, values: &mut [f32]) {
    if factor == 1.0 {
        return;
    }
    vectorized(
        #[inline(always)]
        || values.iter_mut().for_each(|value| *value = blend(factor, to_byte(*value), other)),
    );
}

/// The mean of the luma bytes, rounded to a byte.
fn mean_luma(size: ImageSize, values: &mut [f32]) -> f32 {
    let count = (size.height * size.width) as f64;
    let sum: u64 = vectorized(
        #[inline(always)]
        || match colors(size, values) {
            Some([red, green, blue]) => {
                let blocks = red.chunks(BLOCK).zip(green.chunks(BLOCK)).zip(blue.chunks(BLOCK));
                blocks.map(|((red, green), blue)| u64::from(sum_of_luma(red, green, blue))).sum()
            }
            None => values.chunks(BLOCK).map(|block| u64::from(sum_of_bytes(block))).sum(),
        },
    );
    (sum as f64 / count + 0.5).floor() as f32
}

/// So many bytes add up to less than 2³².
const BLOCK: usize = 1 << 12;

#[inline(always)]
fn sum_of_luma(red: &[f32], green: &[f32], blue: &[f32]) -> u32 {
    let mut sum = 0;
    for ((red, green), blue) in red.iter().zip(green).zip(blue) {
        sum += to_integer(luma(to_byte(*red), to_byte(*green), to_byte(*blue)));
    }
    sum
}

#[inline(always)]
fn sum_of_bytes(values: &[f32]) -> u32 {
    values.iter().map(|value| to_integer(to_byte(*value))).sum()
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
            let (red, green, blue) = (to_byte(red), to_byte(green), to_byte(blue));
            let luma = luma(red, green, blue);
            [blend(factor, red, luma), blend(factor, green, luma), blend(factor, blue, luma)]
        },
    );
}

/// Turns the hue in HSV of three bytes: hue and saturation are cut off to 1/255, the colours rounded.
fn turn_hue(turn: f32, size: ImageSize, values: &mut [f32]) {
    let turn = (f64::from(turn) * 255.0).trunc() as f32;
    each_pixel(
        size,
        values,
        #[inline(always)]
        |red, green, blue| {
            let (red, green, blue) = (to_byte(red), to_byte(green), to_byte(blue));
            let most = red.max(green).max(blue);
            let chroma = most - red.min(green).min(blue);
            let divisor = if chroma > 0.0 { chroma } else { 1.0 };
            let (from_red, from_green, from_blue) =
                ((most - red) / divisor, (most - green) / divisor, (most - blue) / divisor);
            let sixths = if red == most {
                from_blue - from_green
            } else if green == most {
                2.0 + from_red - from_blue
            } else {
                4.0 + from_green - from_red
            };
            // In f64 where Pillow's C is, for the same cut. A grey pixel comes to 0 without being asked for, which
            // leaves no branch.
            let circle = f64::from(sixths) / 6.0 + 1.0;
            let circle = (circle - circle.floor()) as f32;
            let hue = (f64::from(circle) * 255.0).floor() as f32;
            let share = chroma / most.max(1.0);
            let saturation = (f64::from(share) * 255.0).floor() as f32;
            // A byte: it wraps at 256, not at 255.
            let hue = hue + turn;
            let hue = hue - 256.0 * (hue / 256.0).floor();
            to_color(hue, saturation, most)
        },
    );
}

/// The colours of three bytes of HSV, in [0, 1].
#[inline(always)]
fn to_color(hue: f32, saturation: f32, most: f32) -> [f32; 3] {
    let sixths = f64::from(hue) * 6.0 / 255.0;
    let sector = sixths.floor();
    let part = (sixths - sector) as f32;
    let share = saturation / 255.0;
    let round = |x: f32| (x + 0.5).floor();
    let least = round(most * (1.0 - share));
    let falling = round(most * (1.0 - share * part));
    let rising = round(most * (1.0 - share * (1.0 - part)));
    // The hue 255 is the sector 6, which is 0.
    let sector = if sector >= 6.0 { 0.0 } else { sector };
    let pick = |first: f64| {
        // The curve over the sectors from `first` on: most, falling, least, least, rising, most.
        let k = sector - first;
        let k = if k < 0.0 { k + 6.0 } else { k };
        let early = if k == 0.0 { most } else { falling };
        let late = if k == 4.0 { rising } else { most };
        let value = if k < 2.0 {
            early
        } else if k < 4.0 {
            least
        } else {
            late
        };
        value / 255.0
    };
    [pick(0.0), pick(2.0), pick(4.0)]
}
