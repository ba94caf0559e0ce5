use std::error::Error as StdError;
use std::fmt;
use std::marker::PhantomData;
use std::path::PathBuf;

use burn::data::dataset::{Dataset, DatasetError};

use super::{Decoder, Exif, LoadError, ReadBuffers, Sample, Source};
use crate::{Image, ImageSize};

/// What an item of a dataset is, as an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetImage {
    /// The image, in whatever form the item has it.
    pub content: ImageContent,
    /// Index of its class, or nothing if it has no label.
    pub label: Option<usize>,
}

/// The forms in which a dataset may have an image.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ImageContent {
    /// Decoded bytes, H×W×C.
    Pixels {
        /// Height, width and channels.
        size: ImageSize,
        /// The bytes.
        pixels: Vec<u8>,
    },
    /// The bytes of a JPEG or PNG file.
    Encoded(Vec<u8>),
    /// Path of a JPEG or PNG file.
    File(PathBuf),
}

/// Any of Burn's datasets as a [`Source`], with a function that says what image an item is.
///
/// ```
/// use burn::data::dataset::InMemDataset;
/// use slowburn_augment::ImageSize;
/// use slowburn_augment::loader::{ReadBuffers, ImageContent, DatasetImage, DatasetSource, Source};
///
/// // Items of 2×2 grey pixels with a label.
/// let dataset = InMemDataset::new(vec![([0_u8, 1, 2, 3], 7_usize), ([4, 5, 6, 7], 8)]);
/// let source = DatasetSource::new(dataset, |(pixels, label): ([u8; 4], usize)| DatasetImage {
///     content: ImageContent::Pixels { size: ImageSize::new(2, 2, 1), pixels: pixels.to_vec() },
///     label: Some(label),
/// });
/// let mut buffers = ReadBuffers::default();
/// let sample = source.read(1, &mut buffers)?;
/// assert_eq!((sample.image.bytes(), sample.label), (Some(&[4, 5, 6, 7][..]), Some(8)));
/// # Ok::<(), slowburn_augment::loader::LoadError>(())
/// ```
pub struct DatasetSource<D, I, F, E = DatasetError> {
    dataset: D,
    convert: F,
    decoder: Decoder,
    item: PhantomData<fn() -> (I, E)>,
}

impl<D, I, F, E> DatasetSource<D, I, F, E>
where
    D: Dataset<I, E>,
    F: Fn(I) -> DatasetImage + Send + Sync,
    E: StdError + Send + Sync + 'static,
{
    /// The items of `dataset`, each turned into an image by `convert`, which runs on the workers.
    pub fn new(dataset: D, convert: F) -> Self {
        Self { dataset, convert, decoder: Decoder::default(), item: PhantomData }
    }

    /// The same with another decoder for encoded images.
    pub fn with_decoder(self, decoder: Decoder) -> Self {
        Self { decoder, ..self }
    }
}

impl<D, I, F, E> Source for DatasetSource<D, I, F, E>
where
    D: Dataset<I, E>,
    F: Fn(I) -> DatasetImage + Send + Sync,
    E: StdError + Send + Sync + 'static,
{
    fn len(&self) -> usize {
        self.dataset.len()
    }

    fn read<'a>(&'a self, index: usize, buffers: &'a mut ReadBuffers) -> Result<Sample<'a>, LoadError> {
        let item = self.dataset.get(index).map_err(|source| LoadError::Dataset { index, source: Box::new(source) })?;
        let DatasetImage { content, label } = (self.convert)(item);
        let corrupt = |name, source| LoadError::Corrupt { index, name, source };
        let size = match content {
            ImageContent::Pixels { size, pixels } => {
                buffers.pixels = pixels;
                size
            }
            ImageContent::Encoded(encoded) => self
                .decoder
                .decode(&encoded, &mut buffers.pixels)
                .map_err(|source| corrupt(self.name(index), source))?,
            ImageContent::File(path) => {
                super::folder::read_file(index, &path, &mut buffers.encoded)?;
                self.decoder
                    .decode(&buffers.encoded, &mut buffers.pixels)
                    .map_err(|source| corrupt(path.display().to_string(), source))?
            }
        };
        let image = Image::new(size, &buffers.pixels).map_err(|source| LoadError::BadImage {
            index,
            name: self.name(index),
            source: Box::new(source),
        })?;
        Ok(Sample { image, label })
    }

    fn exif(&self) -> Exif {
        self.decoder.exif
    }
}

impl<D, I, F, E> fmt::Debug for DatasetSource<D, I, F, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatasetSource").field("decoder", &self.decoder).finish_non_exhaustive()
    }
}
