//! The same images for both sides.

use std::fs::File;
use std::io::BufWriter;

use anyhow::Result;
use image::codecs::jpeg::JpegEncoder;
use slowburn_benches::work::images::picture;
use tempfile::TempDir;

const FILES: usize = 64;

/// File of decoded images of 32×32, one behind the other.
pub(super) const DECODED: &str = "decoded.bin";

/// How many.
const DECODED_IMAGES: usize = 2048;

/// Height and width of the pictures: ImageNet's most frequent size.
pub(super) const SIDES: (usize, usize) = (375, 500);

/// A folder of pictures, encoded and decoded, gone when the value is dropped.
pub(super) fn write() -> Result<TempDir> {
    let folder = tempfile::tempdir()?;
    for seed in 0..FILES {
        let (height, width) = SIDES;
        let file = BufWriter::new(File::create(folder.path().join(format!("{seed:03}.jpg")))?);
        let pixels = picture(height, width, seed as u32);
        let color = image::ExtendedColorType::Rgb8;
        JpegEncoder::new_with_quality(file, 90).encode(&pixels, width as u32, height as u32, color)?;
    }
    let decoded: Vec<u8> = (0..DECODED_IMAGES).flat_map(|seed| picture(32, 32, seed as u32)).collect();
    std::fs::write(folder.path().join(DECODED), decoded)?;
    Ok(folder)
}
