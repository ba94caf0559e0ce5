use serde::{Deserialize, Serialize};

use crate::ImageSize;

/// What is done with the orientation that a camera writes into EXIF data: which side of the stored image is up.
///
/// PyTorch's image folders leave it alone, so it is ignored unless asked for: recipes that are compared with theirs keep their
/// pixels. People's own photos are better upright.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exif {
    /// Pixels stay as they are stored.
    #[default]
    Ignore,
    /// Images are turned and mirrored as all eight values of the tag say. Data that cannot be read are ignored.
    Apply,
}

/// How a stored image becomes upright: mirrored along its main diagonal first, then turned over.
///
/// | Value | Stored image | `transpose` | `columns` | `rows` |
/// |---|---|---|---|---|
/// | 1 | upright | | | |
/// | 2 | mirrored | | reversed | |
/// | 3 | upside down | | reversed | reversed |
/// | 4 | upside down, mirrored | | | reversed |
/// | 5 | mirrored along the main diagonal | yes | | |
/// | 6 | to be turned clockwise | yes | reversed | |
/// | 7 | mirrored along the other diagonal | yes | reversed | reversed |
/// | 8 | to be turned counterclockwise | yes | | reversed |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Orientation {
    transpose: bool,
    columns: bool,
    rows: bool,
}

/// The tag of the orientation.
const TAG: u16 = 0x0112;
/// Types of a tag's value: 16 and 32 bits, unsigned.
const SHORT: u16 = 3;
const LONG: u16 = 4;

impl Orientation {
    /// The orientation in EXIF data, which begin with the header of a TIFF file; upright where they are damaged or do not say.
    pub(super) fn of(data: &[u8]) -> Self {
        tag(data).and_then(Self::from_value).unwrap_or_default()
    }

    fn from_value(value: u32) -> Option<Self> {
        let (transpose, columns, rows) = match value {
            1 => (false, false, false),
            2 => (false, true, false),
            3 => (false, true, true),
            4 => (false, false, true),
            5 => (true, false, false),
            6 => (true, true, false),
            7 => (true, true, true),
            8 => (true, false, true),
            _ => return None,
        };
        Some(Self { transpose, columns, rows })
    }

    /// Size of the upright image.
    pub(super) fn size(self, stored: ImageSize) -> ImageSize {
        match self.transpose {
            true => ImageSize { height: stored.width, width: stored.height, ..stored },
            false => stored,
        }
    }

    /// Turns H×W×C pixels of `size` upright, and gives the size that they have then. `size` has one channel or three.
    pub(super) fn apply(self, pixels: &mut Vec<u8>, size: ImageSize) -> ImageSize {
        match size.channels {
            1 => self.turn::<1>(pixels, size),
            _ => self.turn::<3>(pixels, size),
        }
        self.size(size)
    }

    fn turn<const C: usize>(self, pixels: &mut Vec<u8>, size: ImageSize) {
        if self.transpose {
            *pixels = transposed::<C>(pixels, size);
        }
        let width = self.size(size).width;
        let (pixels, _) = pixels.as_chunks_mut::<C>();
        match (self.columns, self.rows) {
            (true, true) => pixels.reverse(),
            (true, false) => pixels.chunks_exact_mut(width).for_each(<[_]>::reverse),
            (false, true) => {
                let mut rows = pixels.chunks_exact_mut(width);
                while let (Some(upper), Some(lower)) = (rows.next(), rows.next_back()) {
                    upper.swap_with_slice(lower);
                }
            }
            (false, false) => {}
        }
    }
}

/// Mirrors along the main diagonal. In squares that stay in the cache: a whole column of a photo does not.
fn transposed<const C: usize>(pixels: &[u8], size: ImageSize) -> Vec<u8> {
    const SIDE: usize = 32;
    let ImageSize { height, width, .. } = size;
    let mut out = vec![0; pixels.len()];
    let ((from, _), (to, _)) = (pixels.as_chunks::<C>(), out.as_chunks_mut::<C>());
    for top in (0..height).step_by(SIDE) {
        for left in (0..width).step_by(SIDE) {
            for x in left..width.min(left + SIDE) {
                for y in top..height.min(top + SIDE) {
                    to[x * height + y] = from[y * width + x];
                }
            }
        }
    }
    out
}

/// The value of the orientation's tag in the first directory of TIFF data.
fn tag(data: &[u8]) -> Option<u32> {
    let little = match data.get(..2)? {
        b"II" => true,
        b"MM" => false,
        _ => return None,
    };
    let short = |place: usize| {
        let bytes = data.get(place..place.checked_add(2)?)?.try_into().ok()?;
        Some(if little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    };
    let long = |place: usize| {
        let bytes = data.get(place..place.checked_add(4)?)?.try_into().ok()?;
        Some(if little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    };
    let directory = usize::try_from(long(4)?).ok()?;
    if short(2)? != 42 {
        return None;
    }
    let first = directory.checked_add(2)?;
    for entry in 0..usize::from(short(directory)?) {
        // Tag, type, number of values, value: 12 bytes.
        let place = first.checked_add(12 * entry)?;
        if short(place)? == TAG {
            return match (short(place + 2)?, long(place + 4)?) {
                (SHORT, 1) => short(place + 8).map(u32::from),
                (LONG, 1) => long(place + 8),
                _ => None,
            };
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// EXIF data with one entry before the orientation.
    fn data(little: bool, kind: u16, value: &[u8; 4]) -> Vec<u8> {
        let short = |x: u16| if little { x.to_le_bytes() } else { x.to_be_bytes() };
        let long = |x: u32| if little { x.to_le_bytes() } else { x.to_be_bytes() };
        let order: &[u8] = if little { b"II" } else { b"MM" };
        let entry = |tag, kind, value: &[u8; 4]| [&short(tag)[..], &short(kind), &long(1), value].concat();
        let entries = [entry(0x010f, 2, b"abc\0"), entry(TAG, kind, value)].concat();
        [order, &short(42), &long(8), &short(2), &entries, &long(0)].concat()
    }

    #[test]
    fn the_tag_is_read_in_both_byte_orders_and_sizes() {
        assert_eq!(tag(&data(true, SHORT, &[6, 0, 0, 0])), Some(6));
        assert_eq!(tag(&data(false, SHORT, &[0, 6, 0, 0])), Some(6));
        assert_eq!(tag(&data(true, LONG, &[8, 0, 0, 0])), Some(8));
        assert_eq!(tag(&data(false, LONG, &[0, 0, 0, 8])), Some(8));
        assert_eq!(tag(&data(false, 2, &[0, 6, 0, 0])), None);
    }

    #[test]
    fn data_that_are_cut_short_or_garbage_say_nothing() {
        let whole = data(true, SHORT, &[6, 0, 0, 0]);
        for length in 0..whole.len() {
            // The value stands at 30; what follows is not looked at.
            assert_eq!(tag(&whole[..length]), (length >= 32).then_some(6), "{length}");
        }
        for value in [0_u8, 9, 255] {
            assert_eq!(Orientation::of(&data(true, SHORT, &[value, 0, 0, 0])), Orientation::default());
        }
        let mut far = whole.clone();
        far[4..8].fill(255);
        assert_eq!(tag(&far), None);
        let mut other = whole;
        other[2] = 43;
        assert_eq!(tag(&other), None);
        assert_eq!(tag(&[255; 64]), None);
    }

    /// Larger than a square of the transposition, on both sides, and of both numbers of channels.
    #[test]
    fn every_orientation_moves_every_pixel_to_its_place() {
        let (height, width) = (37, 70);
        for channels in [1, 3] {
            let size = ImageSize::new(height, width, channels);
            let stored: Vec<u8> = (0..size.values()).map(|place| (place * 31 % 251) as u8).collect();
            for value in 1..=8 {
                let orientation = Orientation::from_value(value).unwrap();
                let mut upright = stored.clone();
                let found = orientation.apply(&mut upright, size);
                let expected = if value > 4 { (width, height) } else { (height, width) };
                assert_eq!((found.height, found.width), expected);
                for (y, x) in (0..found.height).flat_map(|y| (0..found.width).map(move |x| (y, x))) {
                    // Of the standard: which row and column of the stored image are the top and the left.
                    let (row, column) = match value {
                        1 => (y, x),
                        2 => (y, width - 1 - x),
                        3 => (height - 1 - y, width - 1 - x),
                        4 => (height - 1 - y, x),
                        5 => (x, y),
                        6 => (height - 1 - x, y),
                        7 => (height - 1 - x, width - 1 - y),
                        _ => (x, width - 1 - y),
                    };
                    for channel in 0..channels {
                        let from = stored[(row * width + column) * channels + channel];
                        assert_eq!(upright[(y * found.width + x) * channels + channel], from, "{value} {y} {x}");
                    }
                }
            }
        }
    }
}
