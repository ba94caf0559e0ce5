use std::io::Cursor;

use png::{BitDepth, ColorType, Transformations};
use serde::{Deserialize, Serialize};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::Exif;
use super::exif::Orientation;
use crate::ImageSize;

/// Why bytes are not an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Neither of the two formats.
    #[error("it is neither JPEG nor PNG (allowed: a complete JPEG or PNG image)")]
    UnknownFormat,
    /// A JPEG file without its end.
    #[error("the file is cut short (allowed: a complete JPEG or PNG image)")]
    Truncated,
    /// The decoder gave up.
    #[error("{reason} (allowed: a complete JPEG or PNG image)")]
    Damaged {
        /// What the decoder says.
        reason: String,
    },
    /// The header announces more pixels than allowed.
    #[error("it has {height}×{width} pixels, allowed: 1 to {allowed} in all")]
    Pixels {
        /// Rows, in pixels.
        height: usize,
        /// Columns, in pixels.
        width: usize,
        /// The limit of the [`Decoder`], in pixels.
        allowed: usize,
    },
}

/// Decodes JPEG and PNG images, told apart by their content.
///
/// | Field | Default | Purpose |
/// |---|---|---|
/// | `rgb` | `false` | grey images become RGB, three equal channels |
/// | `max_pixels` | 2²⁷ | height · width of the largest image; a header that says more is an error, not an allocation |
/// | `exif` | `ignore` | whether photos are turned as their EXIF data say: JPEG (APP1) and PNG (eXIf) |
///
/// Grey images (of 1 to 16 bits, with or without alpha) become one channel of 8 bits unless `rgb` is set, all others
/// (palette, 16 bits, alpha, CMYK) RGB of 8 bits. 16 bits are rounded to 8. Alpha is dropped: a transparent pixel has the
/// colour that is stored below it. Colour profiles are not applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Decoder {
    /// Grey images become RGB. Set it for colour recipes: ImageNet has a few grey files.
    pub rgb: bool,
    /// Height · width of the largest image, in pixels.
    pub max_pixels: usize,
    /// What is done with the orientation in EXIF data.
    pub exif: Exif,
}

impl Default for Decoder {
    fn default() -> Self {
        Self { rgb: false, max_pixels: 1 << 27, exif: Exif::Ignore }
    }
}

impl Decoder {
    /// A decoder that gives three channels, always.
    pub fn rgb() -> Self {
        Self { rgb: true, ..Self::default() }
    }

    /// The same with another treatment of the orientation in EXIF data.
    pub fn with_exif(self, exif: Exif) -> Self {
        Self { exif, ..self }
    }

    /// The size that [`decode`](Decoder::decode) would give, from the headers alone: of the upright image where EXIF data are
    /// applied, and of three channels where grey becomes RGB. Whether the pixels are intact is not known then.
    ///
    /// # Errors
    ///
    /// [`DecodeError`].
    pub fn size(&self, encoded: &[u8]) -> Result<ImageSize, DecodeError> {
        let (size, orientation) = match Format::of(encoded)? {
            Format::Jpeg => {
                let (_, size, orientation) = self.jpeg_headers(encoded)?;
                (size, orientation)
            }
            Format::Png => {
                let mut reader = png_reader(encoded)?;
                (self.png_size(&reader)?, self.png_orientation(&mut reader))
            }
        };
        let size = orientation.size(size);
        Ok(if self.rgb { ImageSize { channels: 3, ..size } } else { size })
    }

    /// Decodes `encoded` into `pixels` (H×W×C, what was in it is lost, its memory is used again) and gives the size.
    ///
    /// The colours of JPEG files with subsampled chroma are not libjpeg-turbo's to the bit: zune-jpeg 0.5.15 interpolates them in
    /// two steps, each rounded upwards. The crate's README has figures.
    ///
    /// # Errors
    ///
    /// [`DecodeError`]; `pixels` is unspecified then.
    pub fn decode(&self, encoded: &[u8], pixels: &mut Vec<u8>) -> Result<ImageSize, DecodeError> {
        let (size, orientation) = match Format::of(encoded)? {
            Format::Jpeg => self.decode_jpeg(encoded, pixels)?,
            Format::Png => self.decode_png(encoded, pixels)?,
        };
        let size = orientation.apply(pixels, size);
        if size.channels == 1 && self.rgb {
            repeat_channel(pixels);
            return Ok(ImageSize { channels: 3, ..size });
        }
        Ok(size)
    }

    /// A decoder that has read all before the pixels, with their size and where they are up.
    fn jpeg_headers<'a>(&self, encoded: &'a [u8]) -> Result<(Jpeg<'a>, ImageSize, Orientation), DecodeError> {
        // The format itself ends at 65535 on a side; our own limit is on the area.
        let options = DecoderOptions::new_fast().set_max_width(usize::MAX).set_max_height(usize::MAX);
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(encoded), options);
        decoder.decode_headers().map_err(damaged)?;
        let (channels, output) = match decoder.input_colorspace() {
            Some(ColorSpace::Luma) => (1, ColorSpace::Luma),
            _ => (3, ColorSpace::RGB),
        };
        let (width, height) = decoder.info().map_or((0, 0), |info| (usize::from(info.width), usize::from(info.height)));
        let size = self.check_size(height, width, channels)?;
        decoder.set_options(options.jpeg_set_out_colorspace(output));
        let orientation = self.orientation(decoder.exif().map(Vec::as_slice));
        Ok((decoder, size, orientation))
    }

    fn decode_jpeg(&self, encoded: &[u8], pixels: &mut Vec<u8>) -> Result<(ImageSize, Orientation), DecodeError> {
        if !jpeg_is_complete(encoded) {
            return Err(DecodeError::Truncated);
        }
        let (mut decoder, size, orientation) = self.jpeg_headers(encoded)?;
        pixels.resize(size.values(), 0);
        decoder.decode_into(pixels).map_err(damaged)?;
        Ok((size, orientation))
    }

    fn decode_png(&self, encoded: &[u8], pixels: &mut Vec<u8>) -> Result<(ImageSize, Orientation), DecodeError> {
        let mut reader = png_reader(encoded)?;
        let size = self.png_size(&reader)?;
        let (color, depth) = reader.output_color_type();
        let length = reader.output_buffer_size().unwrap_or(usize::MAX);
        if length == usize::MAX {
            let ImageSize { height, width, .. } = size;
            return Err(DecodeError::Pixels { height, width, allowed: self.max_pixels });
        }
        pixels.resize(length, 0);
        reader.next_frame(pixels).map_err(damaged)?;
        keep_channels(pixels, color.samples(), size.channels, depth);
        let orientation = self.png_orientation(&mut reader);
        Ok((size, orientation))
    }

    fn png_size(&self, reader: &Png<'_>) -> Result<ImageSize, DecodeError> {
        let (height, width) = (reader.info().height as usize, reader.info().width as usize);
        let channels = match reader.output_color_type().0 {
            ColorType::Grayscale | ColorType::GrayscaleAlpha => 1,
            _ => 3,
        };
        self.check_size(height, width, channels)
    }

    fn png_orientation(&self, reader: &mut Png<'_>) -> Orientation {
        if self.exif == Exif::Apply && reader.info().exif_metadata.is_none() {
            // The chunk may stand behind the pixels, which are intact whatever comes there.
            reader.finish().ok();
        }
        self.orientation(reader.info().exif_metadata.as_deref())
    }

    fn orientation(&self, exif: Option<&[u8]>) -> Orientation {
        exif.filter(|_| self.exif == Exif::Apply).map_or_else(Orientation::default, Orientation::of)
    }

    fn check_size(&self, height: usize, width: usize, channels: usize) -> Result<ImageSize, DecodeError> {
        match height.checked_mul(width) {
            Some(area) if (1..=self.max_pixels).contains(&area) => Ok(ImageSize::new(height, width, channels)),
            _ => Err(DecodeError::Pixels { height, width, allowed: self.max_pixels }),
        }
    }
}

type Jpeg<'a> = JpegDecoder<ZCursor<&'a [u8]>>;
type Png<'a> = png::Reader<Cursor<&'a [u8]>>;

enum Format {
    Jpeg,
    Png,
}

impl Format {
    fn of(encoded: &[u8]) -> Result<Self, DecodeError> {
        match encoded {
            [0xff, 0xd8, 0xff, ..] => Ok(Self::Jpeg),
            [b'\x89', b'P', b'N', b'G', b'\r', b'\n', b'\x1a', b'\n', ..] => Ok(Self::Png),
            _ => Err(DecodeError::UnknownFormat),
        }
    }
}

fn damaged(error: impl std::fmt::Display) -> DecodeError {
    DecodeError::Damaged { reason: error.to_string() }
}

/// A reader that has read all before the pixels.
fn png_reader(encoded: &[u8]) -> Result<Png<'_>, DecodeError> {
    let mut decoder = png::Decoder::new(Cursor::new(encoded));
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    // Palettes to RGB, 1 to 4 bits to 8.
    decoder.set_transformations(Transformations::EXPAND);
    decoder.read_info().map_err(damaged)
}

/// Keeps the first `keep` of `samples` values per pixel, each as 8 bits, in place.
fn keep_channels(pixels: &mut Vec<u8>, samples: usize, keep: usize, depth: BitDepth) {
    let bytes = if depth == BitDepth::Sixteen { 2 } else { 1 };
    if samples == keep && bytes == 1 {
        return;
    }
    let count = pixels.len() / (samples * bytes);
    for pixel in 0..count {
        for channel in 0..keep {
            // Read at or behind the place written: nothing is overwritten before it is read.
            let from = (pixel * samples + channel) * bytes;
            pixels[pixel * keep + channel] = match bytes {
                1 => pixels[from],
                _ => {
                    let wide = u32::from(u16::from_be_bytes([pixels[from], pixels[from + 1]]));
                    // 65535 = 255 · 257: to the nearest.
                    ((wide + 128) / 257) as u8
                }
            };
        }
    }
    pixels.truncate(count * keep);
}

/// One channel to three equal ones, in place: from the end, where nothing unread is overwritten.
fn repeat_channel(pixels: &mut Vec<u8>) {
    let count = pixels.len();
    pixels.resize(3 * count, 0);
    for pixel in (0..count).rev() {
        let value = pixels[pixel];
        pixels[3 * pixel..3 * pixel + 3].fill(value);
    }
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
            // From the end, where it usually is.
            return data[place..].windows(2).rev().any(|pair| pair == END_OF_IMAGE);
        }
        // Any number of FF may stand before a marker.
        place += if kind == 0xff { 1 } else { 2 + usize::from(u16::from_be_bytes([high, low])) };
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_kept_and_repeated_in_place() {
        let mut pixels = vec![1, 2, 3, 4, 5, 6, 7, 8];
        keep_channels(&mut pixels, 4, 3, BitDepth::Eight);
        assert_eq!(pixels, [1, 2, 3, 5, 6, 7]);
        // Grey and alpha of 16 bits: 127.5 · 257 and its neighbours.
        let mut pixels: Vec<u8> =
            [0, 9, 32767, 9, 32768, 9, 65535_u16, 9].iter().flat_map(|x| x.to_be_bytes()).collect();
        keep_channels(&mut pixels, 2, 1, BitDepth::Sixteen);
        assert_eq!(pixels, [0, 127, 128, 255]);
        repeat_channel(&mut pixels);
        assert_eq!(pixels, [0, 0, 0, 127, 127, 127, 128, 128, 128, 255, 255, 255]);
    }
}
