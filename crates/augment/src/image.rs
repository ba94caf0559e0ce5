use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Error;

/// Height, width (pixels) and number of channels of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ImageSize {
    /// Rows, in pixels.
    pub height: usize,
    /// Columns, in pixels.
    pub width: usize,
    /// Values per pixel: 1 for grey, 3 for RGB.
    pub channels: usize,
}

impl ImageSize {
    /// A size of `height` rows and `width` columns of `channels` values.
    pub fn new(height: usize, width: usize, channels: usize) -> Self {
        Self { height, width, channels }
    }

    /// Number of values: height · width · channels.
    pub fn values(&self) -> usize {
        self.height * self.width * self.channels
    }
}

impl fmt::Display for ImageSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}×{}×{}", self.height, self.width, self.channels)
    }
}

/// A borrowed image of bytes, rows first and channels last (H×W×C), as decoders and data sets hold it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Image<'a> {
    size: ImageSize,
    pixels: &'a [u8],
}

impl<'a> Image<'a> {
    /// An image of `size` over `pixels` in the order H×W×C.
    ///
    /// # Errors
    ///
    /// [`Error::EmptyImage`] if a side or the number of channels is 0, [`Error::PixelCount`] if `pixels` has not
    /// exactly height · width · channels bytes.
    pub fn new(size: ImageSize, pixels: &'a [u8]) -> Result<Self, Error> {
        if size.values() == 0 {
            return Err(Error::EmptyImage { size });
        }
        if pixels.len() != size.values() {
            return Err(Error::PixelCount { size, found: pixels.len() });
        }
        Ok(Self { size, pixels })
    }

    /// Height, width and channels.
    pub fn size(&self) -> ImageSize {
        self.size
    }

    /// The bytes, in the order H×W×C.
    pub fn pixels(&self) -> &'a [u8] {
        self.pixels
    }
}

impl fmt::Debug for Image<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Image").field("size", &self.size).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_must_fill_the_size() {
        let size = ImageSize::new(2, 3, 3);
        assert_eq!(Image::new(size, &[0; 18]).unwrap().pixels().len(), 18);
        assert_eq!(Image::new(size, &[0; 17]), Err(Error::PixelCount { size, found: 17 }));
        let empty = ImageSize::new(0, 3, 3);
        assert_eq!(Image::new(empty, &[]), Err(Error::EmptyImage { size: empty }));
    }
}
