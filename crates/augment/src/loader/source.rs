use std::fmt;
use std::sync::Arc;

use super::LoadError;
use crate::{Error, Image, ImageSize};

/// Memory of a worker, used again for each image.
#[derive(Debug, Default)]
pub struct Buffers {
    /// An encoded file.
    pub encoded: Vec<u8>,
    /// Decoded bytes, H×W×C.
    pub pixels: Vec<u8>,
}

/// An image and its label.
#[derive(Debug, Clone, Copy)]
pub struct Sample<'a> {
    /// The image, in the source's memory or in the worker's.
    pub image: Image<'a>,
    /// Index of its class, or nothing if it has no label.
    pub label: Option<usize>,
}

/// Where images come from: a numbered collection that several threads read at once.
///
/// Implemented for [`ImageFolder`](super::ImageFolder), [`Images`] in memory and
/// [`DatasetSource`](super::DatasetSource), which takes any of Burn's datasets.
///
/// The same index must give the same image each time: that is what makes a run repeatable.
pub trait Source: Send + Sync {
    /// Number of images.
    fn len(&self) -> usize;

    /// Whether there is no image.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The image `index`, which is less than [`len`](Source::len). `buffers` is memory it may be decoded into.
    ///
    /// # Errors
    ///
    /// [`LoadError::Corrupt`] for content that will not be better next time: the loader may be told to skip it.
    /// Everything else stops the loader.
    fn read<'a>(&'a self, index: usize, buffers: &'a mut Buffers) -> Result<Sample<'a>, LoadError>;

    /// What messages call the image `index`; its decimal index unless it has a better name.
    fn name(&self, index: usize) -> String {
        index.to_string()
    }
}

impl<S: Source + ?Sized> Source for Arc<S> {
    fn len(&self) -> usize {
        (**self).len()
    }

    fn read<'a>(&'a self, index: usize, buffers: &'a mut Buffers) -> Result<Sample<'a>, LoadError> {
        (**self).read(index, buffers)
    }

    fn name(&self, index: usize) -> String {
        (**self).name(index)
    }
}

/// Decoded images of one size in memory, one behind the other.
///
/// ```
/// use slowburn_augment::ImageSize;
/// use slowburn_augment::loader::Images;
///
/// let images = Images::new(ImageSize::new(1, 2, 1), vec![10, 11, 20, 21])?.with_labels(vec![Some(3), None])?;
/// assert_eq!(images.get(1).bytes(), Some(&[20, 21][..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Images {
    size: ImageSize,
    pixels: Vec<u8>,
    /// One per image, or none at all.
    labels: Vec<Option<usize>>,
}

impl Images {
    /// Images of `size` over `pixels` in the order N×H×W×C, without labels.
    ///
    /// # Errors
    ///
    /// [`Error::EmptyImage`] if a side or the number of channels is 0; [`Error::PixelCount`] if `pixels` is not a
    /// whole number of images.
    pub fn new(size: ImageSize, pixels: Vec<u8>) -> Result<Self, Error> {
        if size.values() == 0 {
            return Err(Error::EmptyImage { size });
        }
        if !pixels.len().is_multiple_of(size.values()) {
            return Err(Error::PixelCount { size, found: pixels.len() });
        }
        Ok(Self { size, pixels, labels: Vec::new() })
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

    /// Height, width and channels of every image.
    pub fn size(&self) -> ImageSize {
        self.size
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.pixels.len() / self.size.values()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.pixels.is_empty()
    }

    /// The image `index`.
    ///
    /// # Panics
    ///
    /// If there are not so many.
    pub fn get(&self, index: usize) -> Image<'_> {
        let values = self.size.values();
        let pixels = &self.pixels[index * values..(index + 1) * values];
        Image::new(self.size, pixels).expect("new() checked the size")
    }

    /// All images, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Image<'_>> {
        (0..self.len()).map(|index| self.get(index))
    }

    /// The bytes of all images, N×H×W×C.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }
}

impl Source for Images {
    fn len(&self) -> usize {
        Images::len(self)
    }

    fn read<'a>(&'a self, index: usize, _: &'a mut Buffers) -> Result<Sample<'a>, LoadError> {
        if index >= self.len() {
            return Err(LoadError::NoSuchSample { index, len: self.len() });
        }
        Ok(Sample { image: self.get(index), label: self.labels.get(index).copied().flatten() })
    }
}

impl fmt::Debug for Images {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Images").field("size", &self.size).field("len", &self.len()).finish_non_exhaustive()
    }
}
