use std::sync::Arc;

use super::{Exif, LoadError};
use crate::Image;

/// Memory of a worker, used again for each image.
#[derive(Debug, Default)]
pub struct ReadBuffers {
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
/// Implemented for [`ImageFolder`](super::ImageFolder), [`Images`](super::Images) in memory and
/// [`DatasetSource`](super::DatasetSource), which takes any of Burn's datasets.
///
/// The same index must give the same image each time: that is what makes a run repeatable.
pub trait Source: Send + Sync {
    /// Number of images.
    fn len(&self) -> usize;

    /// Whether it is empty.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The image `index`, which is less than [`len`](Source::len). `buffers` is memory it may be decoded into.
    ///
    /// # Errors
    ///
    /// [`LoadError::Corrupt`] for content that will not be better next time: the loader may be told to skip it.
    /// Everything else stops the loader.
    fn read<'a>(&'a self, index: usize, buffers: &'a mut ReadBuffers) -> Result<Sample<'a>, LoadError>;

    /// What messages call the image `index`; its decimal index unless it has a better name.
    fn name(&self, index: usize) -> String {
        index.to_string()
    }

    /// The label of the image `index`, as far as it is known without reading the image.
    fn label(&self, index: usize) -> Option<usize> {
        let _ = index;
        None
    }

    /// What files of labels and predictions call the image `index`: the same wherever the source lies.
    fn id(&self, index: usize) -> String {
        self.name(index)
    }

    /// What is done with the orientation in the EXIF data of its files: a run that keeps it is not gone on with by images that
    /// are turned otherwise.
    fn exif(&self) -> Exif {
        Exif::Ignore
    }
}

impl<S: Source + ?Sized> Source for Arc<S> {
    fn len(&self) -> usize {
        (**self).len()
    }

    fn read<'a>(&'a self, index: usize, buffers: &'a mut ReadBuffers) -> Result<Sample<'a>, LoadError> {
        (**self).read(index, buffers)
    }

    fn name(&self, index: usize) -> String {
        (**self).name(index)
    }

    fn label(&self, index: usize) -> Option<usize> {
        (**self).label(index)
    }

    fn id(&self, index: usize) -> String {
        (**self).id(index)
    }

    fn exif(&self) -> Exif {
        (**self).exif()
    }
}
