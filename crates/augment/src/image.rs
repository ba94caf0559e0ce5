use std::fmt;

use serde::{Deserialize, Serialize};

use crate::AugmentError;

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

/// A borrowed image: bytes, rows first and channels last (H×W×C), as decoders hold them; or values that something has
/// computed before, channels first (C×H×W), as whitened data sets are.
#[derive(Clone, Copy, PartialEq)]
pub struct Image<'a> {
    size: ImageSize,
    source: Source<'a>,
}

/// Where an image's pixels are.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Source<'a> {
    /// H×W×C.
    Bytes(&'a [u8]),
    /// C×H×W.
    Values(&'a [f32]),
}

impl<'a> Image<'a> {
    /// An image of `size` over `pixels` in the order H×W×C.
    ///
    /// # Errors
    ///
    /// [`AugmentError::EmptyImage`] if a side or the number of channels is 0, [`AugmentError::PixelCount`] if `pixels` has not
    /// exactly height · width · channels bytes.
    pub fn new(size: ImageSize, pixels: &'a [u8]) -> Result<Self, AugmentError> {
        check_length(size, pixels.len())?;
        Ok(Self { size, source: Source::Bytes(pixels) })
    }

    /// An image of `size` over `values` in the order C×H×W, in any units: taken as they are, not divided by 255, and
    /// refused by operations that need values in \[0, 1\].
    ///
    /// # Errors
    ///
    /// Those of [`new`](Image::new).
    pub fn from_values(size: ImageSize, values: &'a [f32]) -> Result<Self, AugmentError> {
        check_length(size, values.len())?;
        Ok(Self { size, source: Source::Values(values) })
    }

    /// Height, width and channels.
    pub fn size(&self) -> ImageSize {
        self.size
    }

    /// The bytes in the order H×W×C, of an image that has bytes.
    pub fn bytes(&self) -> Option<&'a [u8]> {
        match self.source {
            Source::Bytes(bytes) => Some(bytes),
            Source::Values(_) => None,
        }
    }

    /// The values in the order C×H×W, of an image that has values.
    pub fn values(&self) -> Option<&'a [f32]> {
        match self.source {
            Source::Bytes(_) => None,
            Source::Values(values) => Some(values),
        }
    }

    pub(crate) fn source(&self) -> Source<'a> {
        self.source
    }
}

fn check_length(size: ImageSize, found: usize) -> Result<(), AugmentError> {
    if size.values() == 0 {
        return Err(AugmentError::EmptyImage { size });
    }
    if found != size.values() {
        return Err(AugmentError::PixelCount { size, found });
    }
    Ok(())
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
        assert_eq!(Image::new(size, &[0; 18]).unwrap().bytes().unwrap().len(), 18);
        assert_eq!(Image::new(size, &[0; 17]), Err(AugmentError::PixelCount { size, found: 17 }));
        let empty = ImageSize::new(0, 3, 3);
        assert_eq!(Image::new(empty, &[]), Err(AugmentError::EmptyImage { size: empty }));
    }
}
