use std::io::Cursor;
use std::path::Path;

use image::{ColorType, DynamicImage, ImageFormat, ImageReader};
use slowburn_augment::ImageSize;

use super::DataError;

/// Decodes a JPEG or PNG image, whatever the ending of its name, to size and bytes H×W×C.
///
/// Grey images (of 1 to 16 bits, with or without alpha) become one channel of 8 bits, all others (palette, 16 bits,
/// alpha, CMYK) RGB of 8 bits. Alpha is dropped. A rotation in EXIF data is not applied.
pub(super) fn decode(path: &Path) -> Result<(ImageSize, Vec<u8>), DataError> {
    let data = std::fs::read(path).map_err(|source| DataError::unreadable(path, source))?;
    let corrupt = |reason: String| DataError::CorruptImage { path: path.to_owned(), reason };
    let reader = ImageReader::new(Cursor::new(&data))
        .with_guessed_format()
        .map_err(|source| DataError::unreadable(path, source))?;
    if reader.format() == Some(ImageFormat::Jpeg) && !jpeg_is_complete(&data) {
        return Err(corrupt("the file is cut short".into()));
    }
    let image = reader.decode().map_err(|error| corrupt(error.to_string()))?;
    let (height, width) = (image.height() as usize, image.width() as usize);
    let (channels, pixels) = match image.color() {
        ColorType::L8 | ColorType::La8 | ColorType::L16 | ColorType::La16 => (1, grey(image)),
        _ => (3, image.into_rgb8().into_raw()),
    };
    if pixels.is_empty() {
        return Err(corrupt("it has no pixels".into()));
    }
    Ok((ImageSize::new(height, width, channels), pixels))
}

fn grey(image: DynamicImage) -> Vec<u8> {
    image.into_luma8().into_raw()
}

/// Whether a JPEG file has its end marker behind the first scan. The decoder fills what is missing with grey, as
/// browsers do; a training set should not.
fn jpeg_is_complete(data: &[u8]) -> bool {
    const START_OF_SCAN: u8 = 0xda;
    const END_OF_IMAGE: [u8; 2] = [0xff, 0xd9];
    // Over the segments (a thumbnail in one may have an end marker of its own): FF, kind, length including itself.
    let mut place = 2;
    while let Some(&[marker, kind, high, low]) = data.get(place..place + 4) {
        if marker != 0xff {
            return false;
        }
        if kind == START_OF_SCAN {
            return data[place..].windows(2).any(|pair| pair == END_OF_IMAGE);
        }
        // Any number of FF may stand before a marker.
        place += if kind == 0xff { 1 } else { 2 + usize::from(u16::from_be_bytes([high, low])) };
    }
    false
}
