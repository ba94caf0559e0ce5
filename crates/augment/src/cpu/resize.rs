use fast_image_resize::images::{TypedCroppedImage, TypedImage, TypedImageRef};
use fast_image_resize::pixels::{U8, U8x2, U8x3, U8x4};
use fast_image_resize::{FilterType, PixelTrait, ResizeAlg, ResizeOptions};

use super::scratch::{Scratch, vectorized};
use crate::plan::{Taps, height_first};
use crate::{Filter, ImageSize};

/// Resizes the box (top, left, height, width) of an image of 1 to 4 channels, in bytes: rounded between the axes and
/// behind them, as Pillow does. The filter does not see beyond the box.
///
/// The four pixel types are named, since `fast_image_resize`'s `resize` is compiled for all thirteen: half a minute of a
/// cold build.
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
    let resize = match to.channels {
        1 => resize_pixels::<U8>,
        2 => resize_pixels::<U8x2>,
        3 => resize_pixels::<U8x3>,
        _ => resize_pixels::<U8x4>,
    };
    let done = resize(bytes, size, place, &mut resized, to, filter, scratch);
    done.unwrap_or_else(|| unreachable!("the box {place:?} lies in an image of {size}"));
    resized
}

/// `None` if `fast_image_resize` refuses the sizes: of a box that is empty or beyond the image.
fn resize_pixels<P: PixelTrait>(
    bytes: &[u8],
    size: ImageSize,
    [top, left, height, width]: [usize; 4],
    resized: &mut [u8],
    to: ImageSize,
    filter: Filter,
    Scratch { resizer, between, .. }: &mut Scratch,
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
    // The rounding between the axes, and what a cubic overshoots, depend on which axis is first: one axis at a time.
    let [rows, columns] = match height_first([height, width], to) {
        true => [to.height, width],
        false => [height, to.width],
    };
    between.resize(rows * columns * to.channels, 0);
    let mut between = TypedImage::<P>::from_buffer(columns as u32, rows as u32, between).ok()?;
    resizer.resize_typed(&source, &mut between, &options).ok()?;
    resizer.resize_typed(&between, &mut target, &options).ok()
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
    let rows = Taps::new(top, height, to.height, filter);
    let cut = |values: &mut [f32]| {
        if clamp {
            values.iter_mut().for_each(|value| *value = value.clamp(0.0, 1.0));
        }
    };
    let mut resized = vec![0.0; to.values()];
    let height_first = height_first([height, width], to);
    let mut between = vec![0.0; if height_first { to.height * size.width } else { size.height * to.width }];
    let planes = values.chunks_exact(size.height * size.width);
    for (plane, out) in planes.zip(resized.chunks_exact_mut(to.height * to.width)) {
        if height_first {
            along_height(plane, size.width, &rows, &mut between);
            cut(&mut between);
            along_width(&between, size.width, &columns, out);
        } else {
            // Rows of the box alone.
            let (rows_of_box, line) = (top..top + height, to.width);
            let narrow = &mut between[rows_of_box.start * line..rows_of_box.end * line];
            along_width(
                &plane[rows_of_box.start * size.width..rows_of_box.end * size.width],
                size.width,
                &columns,
                narrow,
            );
            cut(narrow);
            along_height(&between, line, &rows, out);
        }
    }
    cut(&mut resized);
    resized
}

/// Resizes each row of `width` values.
fn along_width(plane: &[f32], width: usize, taps: &Taps, out: &mut [f32]) {
    for (line, source) in out.chunks_exact_mut(taps.starts.len()).zip(plane.chunks_exact(width)) {
        for (place, value) in line.iter_mut().enumerate() {
            let source = &source[taps.starts[place]..];
            *value = taps.of(place).iter().zip(source).map(|(weight, x)| weight * x).sum();
        }
    }
}

/// Resizes the columns of rows of `width` values.
fn along_height(plane: &[f32], width: usize, taps: &Taps, out: &mut [f32]) {
    vectorized(
        #[inline(always)]
        || {
            for (place, line) in out.chunks_exact_mut(width).enumerate() {
                line.fill(0.0);
                let lines = plane.chunks_exact(width).skip(taps.starts[place]);
                for (weight, source) in taps.of(place).iter().zip(lines) {
                    for (value, x) in line.iter_mut().zip(source) {
                        *value += weight * x;
                    }
                }
            }
        },
    );
}
