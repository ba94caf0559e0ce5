//! Pixels from the places that a map names.

use super::scratch::vectorized;
use crate::ImageSize;
use crate::plan::SourceMap;

pub(super) fn move_bytes(bytes: &[u8], size: ImageSize, map: &SourceMap) -> Vec<u8> {
    let ImageSize { width, channels, .. } = size;
    let mut moved = Vec::with_capacity(map.rows.len() * map.columns.len() * channels);
    for &row in &map.rows {
        let line = &bytes[row * width * channels..(row + 1) * width * channels];
        for &column in &map.columns {
            moved.extend_from_slice(&line[column * channels..(column + 1) * channels]);
        }
    }
    moved
}

/// Moves values that are C×H×W.
pub(super) fn move_values(values: &[f32], size: ImageSize, map: &SourceMap, out: &mut [f32]) {
    let planes = values.chunks_exact(size.height * size.width);
    for (plane, moved) in planes.zip(out.chunks_exact_mut(map.rows.len() * map.columns.len())) {
        for (&row, line) in map.rows.iter().zip(moved.chunks_exact_mut(map.columns.len())) {
            let source = &plane[row * size.width..(row + 1) * size.width];
            for (&column, value) in map.columns.iter().zip(line) {
                *value = source[column];
            }
        }
    }
}

/// Bytes in H×W×C to values of [0, 1] in C×H×W, each from the place `map` says.
pub(super) fn convert(bytes: &[u8], size: ImageSize, map: &SourceMap, out: &mut [f32]) {
    let ImageSize { width, channels, .. } = size;
    let columns = map.columns.len();
    let whole = columns == width && columns > 1;
    let forward = whole && map.columns.iter().enumerate().all(|(to, from)| to == *from);
    let backward = whole && map.columns.iter().rev().enumerate().all(|(to, from)| to == *from);
    let plane_len = map.rows.len() * columns;
    vectorized(
        #[inline(always)]
        || {
            for (to, &from) in map.rows.iter().enumerate() {
                let source = &bytes[from * width * channels..(from + 1) * width * channels];
                let lines = out.chunks_exact_mut(plane_len).map(|plane| &mut plane[to * columns..(to + 1) * columns]);
                if !forward && !backward {
                    for (channel, line) in lines.enumerate() {
                        for (&column, value) in map.columns.iter().zip(line) {
                            *value = f32::from(source[column * channels + channel]) / 255.0;
                        }
                    }
                    continue;
                }
                // A known number of channels lets the compiler take the bytes apart in vectors.
                match channels {
                    1 => split_channels::<1>(source, lines, backward),
                    3 => split_channels::<3>(source, lines, backward),
                    _ => {
                        for (channel, line) in lines.enumerate() {
                            let pixels = source.iter().skip(channel).step_by(channels);
                            line.iter_mut().zip(pixels).for_each(|(value, byte)| *value = f32::from(*byte) / 255.0);
                            if backward {
                                line.reverse();
                            }
                        }
                    }
                }
            }
        },
    );
}

/// One row of pixels into a line of each channel.
#[inline(always)]
fn split_channels<'a, const C: usize>(source: &[u8], lines: impl Iterator<Item = &'a mut [f32]>, backward: bool) {
    let (pixels, _) = source.as_chunks::<C>();
    for (channel, line) in lines.enumerate() {
        for (pixel, value) in pixels.iter().zip(line.iter_mut()) {
            *value = f32::from(pixel[channel]) / 255.0;
        }
        if backward {
            line.reverse();
        }
    }
}
