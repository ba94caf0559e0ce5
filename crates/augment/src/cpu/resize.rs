use fast_image_resize::images::{TypedCroppedImage, TypedImage, TypedImageRef};
use fast_image_resize::pixels::{U8, U8x2, U8x3, U8x4};
use fast_image_resize::{FilterType, PixelTrait, ResizeAlg, ResizeOptions};

use super::scratch::{Scratch, vectorized};
use crate::plan::Taps;
use crate::{Filter, ImageSize};

/// Resizes the box (top, left, height, width) of an image of 1 to 4 channels, in bytes: rounded between the axes and
/// behind them, as Pillow does. The filter does not see beyond the box.
pub(super) fn resize_bytes(
    bytes: &[u8],
    size: ImageSize,
    place: [usize; 4],
    to: ImageSize,
    filter: Filter,
    scratch: &mut Scratch,
) -> Vec<u8> {
    let mut resized = std::mem::take(&mut scratch.resized);
    resized.resize(to.values(), 0);
    if resize_fast(bytes, size, place, &mut resized, to, filter, scratch).is_none() {
        // Not reached for boxes inside an image; but if the crate should refuse one, the slow way gives the same.
        let values: Vec<f32> = planes(bytes, size);
        let values = resize_values(&values, size, place, to, filter, true);
        let plane_len = to.height * to.width;
        for (index, byte) in resized.iter_mut().enumerate() {
            *byte = (values[index % to.channels * plane_len + index / to.channels] * 255.0).round() as u8;
        }
    }
    resized
}

/// Nothing if `fast_image_resize` refuses the sizes.
///
/// The four pixel types are named, since its `resize` is compiled for all thirteen: half a minute of a cold build.
fn resize_fast(
    bytes: &[u8],
    size: ImageSize,
    place: [usize; 4],
    resized: &mut [u8],
    to: ImageSize,
    filter: Filter,
    scratch: &mut Scratch,
) -> Option<()> {
    let resize = match to.channels {
        1 => resize_pixels::<U8>,
        2 => resize_pixels::<U8x2>,
        3 => resize_pixels::<U8x3>,
        _ => resize_pixels::<U8x4>,
    };
    resize(bytes, size, place, resized, to, filter, scratch)
}

fn resize_pixels<P: PixelTrait>(
    bytes: &[u8],
    size: ImageSize,
    [top, left, height, width]: [usize; 4],
    resized: &mut [u8],
    to: ImageSize,
    filter: Filter,
    Scratch { resizer, narrow, .. }: &mut Scratch,
) -> Option<()> {
    let source = TypedImageRef::<P>::from_buffer(size.width as u32, size.height as u32, bytes).ok()?;
    let source = TypedCroppedImage::from_ref(&source, left as u32, top as u32, width as u32, height as u32).ok()?;
    let mut target = TypedImage::<P>::from_buffer(to.width as u32, to.height as u32, resized).ok()?;
    let kernel = match filter {
        Filter::Bilinear => FilterType::Bilinear,
        // Keys' cubic with a = −0.5.
        Filter::Bicubic => FilterType::CatmullRom,
    };
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(kernel)).use_alpha(false);
    // The rounding between the axes, and what a cubic overshoots, depend on which axis is first. Pillow begins with the
    // rows' pixels, and so must we: one axis at a time.
    narrow.resize(to.width * height * to.channels, 0);
    let mut narrow = TypedImage::<P>::from_buffer(to.width as u32, height as u32, narrow).ok()?;
    resizer.resize_typed(&source, &mut narrow, &options).ok()?;
    resizer.resize_typed(&narrow, &mut target, &options).ok()
}

/// H×W×C bytes as C×H×W values in [0, 1].
fn planes(bytes: &[u8], size: ImageSize) -> Vec<f32> {
    let channels = size.channels;
    (0..channels)
        .flat_map(|channel| bytes.iter().skip(channel).step_by(channels).map(|byte| f32::from(*byte) / 255.0))
        .collect()
}

/// Resizes the box (top, left, height, width) of values, C×H×W. `clamp` keeps what a cubic overshoots in [0, 1],
/// on both axes.
pub(super) fn resize_values(
    values: &[f32],
    size: ImageSize,
    [top, left, height, width]: [usize; 4],
    to: ImageSize,
    filter: Filter,
    clamp: bool,
) -> Vec<f32> {
    let columns = Taps::new(left, width, to.width, filter);
    let rows = Taps::new(0, height, to.height, filter);
    let mut resized = vec![0.0; to.values()];
    // Rows of the box at their new width.
    let mut narrow = vec![0.0; height * to.width];
    let planes = values.chunks_exact(size.height * size.width);
    for (plane, out) in planes.zip(resized.chunks_exact_mut(to.height * to.width)) {
        for (line, source) in narrow.chunks_exact_mut(to.width).zip(plane.chunks_exact(size.width).skip(top)) {
            for (place, value) in line.iter_mut().enumerate() {
                let source = &source[columns.starts[place]..];
                *value = columns.of(place).iter().zip(source).map(|(weight, x)| weight * x).sum();
            }
        }
        if clamp {
            narrow.iter_mut().for_each(|value| *value = value.clamp(0.0, 1.0));
        }
        vectorized(
            #[inline(always)]
            || {
                for (place, line) in out.chunks_exact_mut(to.width).enumerate() {
                    let lines = narrow.chunks_exact(to.width).skip(rows.starts[place]);
                    for (weight, source) in rows.of(place).iter().zip(lines) {
                        for (value, x) in line.iter_mut().zip(source) {
                            *value += weight * x;
                        }
                    }
                }
            },
        );
    }
    if clamp {
        resized.iter_mut().for_each(|value| *value = value.clamp(0.0, 1.0));
    }
    resized
}
