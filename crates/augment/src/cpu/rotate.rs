use super::scratch::Scratch;
use crate::plan::Rotation;
use crate::{Border, ImageSize, RotationFilter};

/// Rotates H×W×C bytes to the nearest pixel; `None` if the fill is not a whole byte.
pub(super) fn rotate_bytes(bytes: &[u8], size: ImageSize, degrees: f32, border: Border) -> Option<Vec<u8>> {
    let fill = match border {
        Border::Edge => None,
        Border::Fill(value) => Some(whole_byte(value)?),
    };
    let channels = size.channels;
    let mut rotated = Vec::with_capacity(bytes.len());
    for (row, column) in Rotation::new(degrees, size).nearest() {
        match (source(row, column, size), fill) {
            ((_, false), Some(byte)) => rotated.extend(std::iter::repeat_n(byte, channels)),
            ((place, _), _) => rotated.extend_from_slice(&bytes[place * channels..(place + 1) * channels]),
        }
    }
    Some(rotated)
}

fn whole_byte(value: f32) -> Option<u8> {
    let scaled = value * 255.0;
    let byte = scaled.round() as u8;
    (f32::from(byte) / 255.0 == value).then_some(byte)
}

/// The pixel of the image nearest to a place, and whether the place is in the image.
fn source(row: i64, column: i64, size: ImageSize) -> (usize, bool) {
    let (last_row, last_column) = (size.height as i64 - 1, size.width as i64 - 1);
    let inside = (0..=last_row).contains(&row) && (0..=last_column).contains(&column);
    ((row.clamp(0, last_row) as usize) * size.width + column.clamp(0, last_column) as usize, inside)
}

/// Takes each pixel of C×H×W values from the place (row, column) of it, row by row.
pub(super) fn move_nearest(
    values: &mut [f32],
    size: ImageSize,
    places: impl Iterator<Item = (i64, i64)>,
    border: Border,
    scratch: &mut Scratch,
) {
    let moved_from = &mut scratch.values[0];
    moved_from.clear();
    moved_from.extend_from_slice(values);
    let plane_len = size.height * size.width;
    for (index, (row, column)) in places.enumerate() {
        let (place, inside) = source(row, column, size);
        for plane in (0..values.len()).step_by(plane_len) {
            values[plane + index] = match border {
                Border::Fill(fill) if !inside => fill,
                _ => moved_from[plane + place],
            };
        }
    }
}

/// Rotates C×H×W values in place.
pub(super) fn rotate_values(
    values: &mut [f32],
    size: ImageSize,
    (degrees, filter, border): (f32, RotationFilter, Border),
) {
    let rotation = Rotation::new(degrees, size);
    let mut source_plane = vec![0.0; size.height * size.width];
    for plane in values.chunks_exact_mut(size.height * size.width) {
        source_plane.copy_from_slice(plane);
        let outside = |inside: bool, value: f32| match border {
            Border::Fill(fill) if !inside => fill,
            _ => value,
        };
        match filter {
            RotationFilter::Nearest => {
                for ((row, column), value) in rotation.nearest().zip(plane) {
                    let (place, inside) = source(row, column, size);
                    *value = outside(inside, source_plane[place]);
                }
            }
            RotationFilter::Bilinear => {
                for ((corners, inside), value) in rotation.bilinear().zip(plane) {
                    let mixed = corners.iter().map(|(place, weight)| weight * source_plane[*place]).sum();
                    *value = outside(inside, mixed);
                }
            }
        }
    }
}
