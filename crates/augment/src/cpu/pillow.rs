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

/// `ImageOps.solarize`. The threshold is one of values, so that 128 is 128/255.
pub(super) fn solarize(threshold: f32, values: &mut [f32]) {
    vectorized(
        #[inline(always)]
        || {
            for value in values {
                let byte = to_byte(*value);
                let inverted = byte / 255.0 >= threshold;
                *value = (if inverted { 255.0 - byte } else { byte }) / 255.0;
            }
        },
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
pub(super) fn blend(factor: f32, byte: f32, other: f32) -> f32 {
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

/// The sum of so many bytes is below 2³².
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
            let (hue, saturation, most) = to_hsv(to_byte(red), to_byte(green), to_byte(blue));
            // A byte: it wraps at 256, not at 255.
            let hue = hue + turn;
            let hue = hue - 256.0 * (hue / 256.0).floor();
            to_color(hue, saturation, most)
        },
    );
}

/// `yes` or `no` without a branch: the compiler keeps branches that it finds in nested conditions, and with one branch
/// in it a loop is no longer computed in vectors.
#[inline(always)]
fn select(condition: bool, yes: f32, no: f32) -> f32 {
    let mask = u32::from(condition).wrapping_neg();
    f32::from_bits((yes.to_bits() & mask) | (no.to_bits() & !mask))
}

/// Hue and saturation, whole numbers of [0, 255], and the largest of three bytes.
#[inline(always)]
fn to_hsv(red: f32, green: f32, blue: f32) -> (f32, f32, f32) {
    let most = red.max(green).max(blue);
    let chroma = most - red.min(green).min(blue);
    // A grey pixel gives 0 without a case of its own.
    let divisor = chroma.max(1.0);
    let (from_red, from_green, from_blue) = ((most - red) / divisor, (most - green) / divisor, (most - blue) / divisor);
    let not_red =
        select(green == most, rounded_once(2.0, from_red, from_blue), rounded_once(4.0, from_green, from_red));
    let sixths = select(red == most, from_blue - from_green, not_red);
    // Pillow's C code has f64 from here to the cut. In f32 every colour of bytes gives the same result (`tests/integration/hue.rs`);
    // the loop is then computed in vectors.
    let turns = sixths / 6.0;
    let circle = turns + select(turns < 0.0, 1.0, 0.0);
    ((circle * 255.0).floor(), (chroma / most.max(1.0) * 255.0).floor(), most)
}

/// `base + x − y` of numbers in [0, 1] and a larger `base`, rounded once, as C does by way of f64: what each of the two f32
/// operations loses is itself an f32 (Knuth, The Art of Computer Programming 2, 4.2.2), and goes back in at the end.
#[inline(always)]
fn rounded_once(base: f32, x: f32, y: f32) -> f32 {
    let difference = x - y;
    let taken = difference - x;
    let lost = (x - (difference - taken)) - (y + taken);
    let sum = base + difference;
    let lost_again = difference - (sum - base);
    sum + (lost_again + lost)
}

/// The colours of three bytes of HSV, in [0, 1].
#[inline(always)]
fn to_color(hue: f32, saturation: f32, most: f32) -> [f32; 3] {
    // Sixths of the circle: the hue's 255 are 6. Whole numbers until the division.
    let sixths = hue * 6.0;
    let sector = ((sixths + 0.5) * (1.0 / 255.0)).floor();
    let part = (sixths - 255.0 * sector) / 255.0;
    let share = saturation / 255.0;
    let of = Turned { sector, part, share, most };
    [of.color(0.0), of.color(2.0), of.color(4.0)]
}

/// A hue as a sector of the circle and the part of it that was passed.
struct Turned {
    sector: f32,
    part: f32,
    share: f32,
    most: f32,
}

impl Turned {
    /// Over the sectors from `first` on a colour is full, falls, is least for two, rises, is full.
    #[inline(always)]
    fn color(&self, first: f32) -> f32 {
        let k = self.sector - first;
        let k = k - 6.0 * (k * (1.0 / 6.0) + 0.01).floor();
        let fallen = (self.part + 2.0 * (k - 1.0)).clamp(0.0, 1.0);
        let unrisen = (1.0 - self.part + 2.0 * (4.0 - k)).clamp(0.0, 1.0);
        (self.most * (1.0 - self.share * fallen.min(unrisen)) + 0.5).floor() / 255.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pillow's `rgb2hsv` with its cases, and f64 where C has it.
    fn hue_and_saturation([red, green, blue]: [f32; 3]) -> (f32, f32) {
        let (most, least) = (red.max(green).max(blue), red.min(green).min(blue));
        if most == least {
            return (0.0, 0.0);
        }
        let chroma = most - least;
        let [from_red, from_green, from_blue] = [red, green, blue].map(|color| (most - color) / chroma);
        // C's literals are doubles.
        let sum = |base: f64, x: f32, y: f32| (base + f64::from(x) - f64::from(y)) as f32;
        let sixths = if red == most {
            from_blue - from_green
        } else if green == most {
            sum(2.0, from_red, from_blue)
        } else {
            sum(4.0, from_green, from_red)
        };
        let circle = ((f64::from(sixths) / 6.0 + 1.0) % 1.0) as f32;
        let cut = |x: f32| (f64::from(x) * 255.0).floor() as f32;
        (cut(circle), cut(chroma / most))
    }

    #[test]
    fn every_difference_of_bytes_has_the_hue_of_the_case_analysis() {
        // The hue depends on the differences to the largest only, the saturation on the largest and the chroma.
        for most in 0..=255_u8 {
            for other in 0..=most {
                let (most, other) = (f32::from(most), f32::from(other));
                for color in [
                    [most, other, 0.0],
                    [most, 0.0, other],
                    [other, most, 0.0],
                    [0.0, most, other],
                    [other, 0.0, most],
                    [0.0, other, most],
                    [most, other, other],
                ] {
                    let (hue, saturation, value) = to_hsv(color[0], color[1], color[2]);
                    assert_eq!(((hue, saturation), value), (hue_and_saturation(color), most), "{color:?}");
                }
            }
        }
    }

    /// Pillow's `hsv2rgb` with its cases, and f64 where C has it.
    #[test]
    fn every_hue_and_saturation_has_the_colour_of_the_case_analysis() {
        for hue in 0..=255_u8 {
            let sixths = f64::from(hue) * 6.0 / 255.0;
            let part = (sixths - sixths.floor()) as f32;
            for saturation in 0..=255_u8 {
                let share = f32::from(saturation) / 255.0;
                for most in [0.0, 1.0, 77.0, 128.0, 254.0, 255.0_f32] {
                    let round = |x: f32| (x + 0.5).floor();
                    let least = round(most * (1.0 - share));
                    let falling = round(most * (1.0 - share * part));
                    let rising = round(most * (1.0 - share * (1.0 - part)));
                    let expected = match sixths.floor() as u8 % 6 {
                        0 => [most, rising, least],
                        1 => [falling, most, least],
                        2 => [least, most, rising],
                        3 => [least, falling, most],
                        4 => [rising, least, most],
                        _ => [most, least, falling],
                    };
                    let found = to_color(f32::from(hue), f32::from(saturation), most).map(to_byte);
                    assert_eq!(found, expected, "hue {hue}, saturation {saturation}, value {most}");
                }
            }
        }
    }
}
