use std::fmt;

use super::{Exif, LoadError, ReadBuffers, Sample, Source};
use crate::{AugmentError, Image, ImageSize};

/// Images of one size in memory, one behind the other: bytes as decoded, or values that something has computed.
///
/// ```
/// use slowburn_augment::ImageSize;
/// use slowburn_augment::loader::Images;
///
/// let images = Images::new(ImageSize::new(1, 2, 1), vec![10, 11, 20, 21])?.with_labels(vec![Some(3), None])?;
/// assert_eq!(images.get(1).bytes(), Some(&[20, 21][..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct Images {
    size: ImageSize,
    pixels: Pixels,
    /// One per image, or none at all.
    labels: Vec<Option<usize>>,
    exif: Exif,
}

#[derive(Clone, PartialEq)]
enum Pixels {
    /// N×H×W×C.
    Bytes(Vec<u8>),
    /// N×C×H×W.
    Values(Vec<f32>),
}

impl Images {
    /// Images of `size` over `pixels` in the order N×H×W×C, without labels.
    ///
    /// # Errors
    ///
    /// [`AugmentError::EmptyImage`] if a side or the number of channels is 0; [`AugmentError::PixelCount`] if `pixels` is not a
    /// whole number of images.
    pub fn new(size: ImageSize, pixels: Vec<u8>) -> Result<Self, AugmentError> {
        check_length(size, pixels.len())?;
        Ok(Self { size, pixels: Pixels::Bytes(pixels), labels: Vec::new(), exif: Exif::Ignore })
    }

    /// Images of `size` over `values` in the order N×C×H×W, in any units, without labels: see
    /// [`Image::from_values`].
    ///
    /// # Errors
    ///
    /// Those of [`new`](Images::new).
    pub fn from_values(size: ImageSize, values: Vec<f32>) -> Result<Self, AugmentError> {
        check_length(size, values.len())?;
        Ok(Self { size, pixels: Pixels::Values(values), labels: Vec::new(), exif: Exif::Ignore })
    }

    /// The same images with a label each.
    ///
    /// # Errors
    ///
    /// [`LoadError::LabelCount`] if there is not one entry per image.
    pub fn with_labels(self, labels: Vec<Option<usize>>) -> Result<Self, LoadError> {
        if labels.len() != self.len() {
            return Err(LoadError::LabelCount { images: self.len(), labels: labels.len() });
        }
        Ok(Self { labels, ..self })
    }

    /// The same images, with what was done with the orientation in EXIF data when they were decoded.
    pub fn with_exif(self, exif: Exif) -> Self {
        Self { exif, ..self }
    }

    /// Height, width and channels of every image.
    pub fn size(&self) -> ImageSize {
        self.size
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        let values = match &self.pixels {
            Pixels::Bytes(bytes) => bytes.len(),
            Pixels::Values(values) => values.len(),
        };
        values / self.size.values()
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The image `index`.
    ///
    /// # Panics
    ///
    /// If there are not so many.
    pub fn get(&self, index: usize) -> Image<'_> {
        let place = index * self.size.values()..(index + 1) * self.size.values();
        match &self.pixels {
            Pixels::Bytes(bytes) => Image::new(self.size, &bytes[place]),
            Pixels::Values(values) => Image::from_values(self.size, &values[place]),
        }
        .expect("the size was checked")
    }

    /// All images, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Image<'_>> {
        (0..self.len()).map(|index| self.get(index))
    }

    /// The bytes of all images, N×H×W×C, of images that have bytes.
    pub fn bytes(&self) -> Option<&[u8]> {
        match &self.pixels {
            Pixels::Bytes(bytes) => Some(bytes),
            Pixels::Values(_) => None,
        }
    }

    /// The values of all images, N×C×H×W, of images that have values.
    pub fn values(&self) -> Option<&[f32]> {
        match &self.pixels {
            Pixels::Bytes(_) => None,
            Pixels::Values(values) => Some(values),
        }
    }
}

fn check_length(size: ImageSize, found: usize) -> Result<(), AugmentError> {
    if size.values() == 0 {
        return Err(AugmentError::EmptyImage { size });
    }
    if !found.is_multiple_of(size.values()) {
        return Err(AugmentError::PixelCount { size, found });
    }
    Ok(())
}

impl Source for Images {
    fn len(&self) -> usize {
        Images::len(self)
    }

    fn read<'a>(&'a self, index: usize, _: &'a mut ReadBuffers) -> Result<Sample<'a>, LoadError> {
        if index >= self.len() {
            return Err(LoadError::NoSuchSample { index, len: self.len() });
        }
        Ok(Sample { image: self.get(index), label: Source::label(self, index) })
    }

    fn label(&self, index: usize) -> Option<usize> {
        self.labels.get(index).copied().flatten()
    }

    fn exif(&self) -> Exif {
        self.exif
    }
}

impl fmt::Debug for Images {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Images").field("size", &self.size).field("len", &self.len()).finish_non_exhaustive()
    }
}
