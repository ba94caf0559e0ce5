use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use sha2::{Digest, Sha256};
use slowburn_augment::loader::{Exif, Images, LoadError, ReadBuffers, Sample, Source};
use slowburn_augment::{ImageSize, WhiteningConfig};

use super::{DataError, DataLayout};
use crate::data::{fingerprint, hex};

/// Images with names and labels `L`, three lists of one length.
#[derive(Clone)]
pub struct Split<L> {
    /// The images.
    pub images: Arc<dyn Source>,
    /// The same images where they are in memory.
    pub memory: Option<Arc<Images>>,
    /// Name of each image: the path below `train/` or `test/`, or below the folder where there are no such, with `/` between folders, or the decimal index in an
    /// IDX file.
    pub names: Vec<String>,
    /// Label of each image: an index into [`Dataset::classes`].
    pub labels: Vec<L>,
}

impl<L> Split<L> {
    /// Images in memory.
    pub(super) fn in_memory(images: Images, names: Vec<String>, labels: Vec<L>) -> Self {
        let images = Arc::new(images);
        Self { images: Arc::clone(&images) as _, memory: Some(images), names, labels }
    }

    /// No images.
    pub(super) fn empty() -> Self {
        Self { images: Arc::new(Nothing), memory: None, names: Vec::new(), labels: Vec::new() }
    }

    /// The number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }
}

impl<L: Clone> Split<L> {
    /// The images for which `keep` holds, in their order and numbered anew; they are read from where they are.
    #[must_use]
    pub fn filtered(&self, keep: impl Fn(usize) -> bool) -> Self {
        let rows: Vec<usize> = (0..self.len()).filter(|&image| keep(image)).collect();
        let names = rows.iter().map(|&image| self.names[image].clone()).collect();
        let labels = rows.iter().map(|&image| self.labels[image].clone()).collect();
        Self { images: Arc::new(Chosen { images: Arc::clone(&self.images), rows }), memory: None, names, labels }
    }
}

impl<L: PartialEq> PartialEq for Split<L> {
    /// Equal names and labels, and equal pixels where they are in memory.
    fn eq(&self, other: &Self) -> bool {
        (&self.names, &self.labels, &self.memory) == (&other.names, &other.labels, &other.memory)
    }
}

impl<L> std::fmt::Debug for Split<L> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Split").field("images", &self.len()).finish_non_exhaustive()
    }
}

/// A source without images.
struct Nothing;

impl Source for Nothing {
    fn len(&self) -> usize {
        0
    }

    fn read<'a>(&'a self, index: usize, _: &'a mut ReadBuffers) -> Result<Sample<'a>, LoadError> {
        Err(LoadError::NoSuchSample { index, len: 0 })
    }
}

/// Some images of a source.
struct Chosen {
    images: Arc<dyn Source>,
    rows: Vec<usize>,
}

impl Source for Chosen {
    fn len(&self) -> usize {
        self.rows.len()
    }

    fn read<'a>(&'a self, index: usize, buffers: &'a mut ReadBuffers) -> Result<Sample<'a>, LoadError> {
        match self.rows.get(index) {
            Some(&row) => self.images.read(row, buffers),
            None => Err(LoadError::NoSuchSample { index, len: self.rows.len() }),
        }
    }

    fn name(&self, index: usize) -> String {
        self.images.name(self.rows[index])
    }

    fn label(&self, index: usize) -> Option<usize> {
        self.images.label(self.rows[index])
    }

    fn id(&self, index: usize) -> String {
        self.images.id(self.rows[index])
    }

    fn exif(&self) -> Exif {
        self.images.exif()
    }
}

/// A data set: training images, of which some may have no label, and test images.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// The folder it was loaded from.
    pub path: PathBuf,
    /// How its files lie.
    pub layout: DataLayout,
    /// Names of the classes; a label is an index into them. None where there are images alone.
    pub classes: Vec<String>,
    /// Training images; `None` is an image without label.
    pub train: Split<Option<usize>>,
    /// Test images; none without a test set.
    pub test: Split<usize>,
    /// Images of formats that cannot be decoded, `.webp` for one: they are in neither part.
    pub left_out: Vec<PathBuf>,
    /// Height, width and channels of the first training image that can be decoded, and of all in memory.
    pub(super) size: ImageSize,
    /// Whether all that can be decoded have that size.
    pub(super) one_size: bool,
}

impl Dataset {
    /// Height, width and channels of the first training image; of every image where they are in memory.
    pub fn image_size(&self) -> ImageSize {
        self.size
    }

    /// Whether all images that can be decoded have the height and width of [`image_size`](Self::image_size), test images too.
    pub fn has_one_size(&self) -> bool {
        self.one_size
    }

    /// The same without its test images.
    #[must_use]
    pub fn without_test(self) -> Self {
        Self { test: Split::empty(), ..self }
    }

    /// The same images whitened, fitted on the training images: values instead of bytes.
    ///
    /// # Errors
    /// [`DataError::NotInMemory`] for images of several sizes or too many, [`DataError::Whitening`] if the images do not fit the
    /// whitening's preparation, or are fewer than two.
    pub fn whitened(self, config: &WhiteningConfig) -> Result<Self, DataError> {
        let none = || DataError::NotInMemory { path: self.path.clone(), wanted: "whitening" };
        let train = self.train.memory.clone().ok_or_else(none)?;
        let test = self.test.memory.clone().ok_or_else(none)?;
        let started = Instant::now();
        tracing::info!("whitening: fitting on {} training images", train.len());
        let whitening = config.fit(&train.iter().collect::<Vec<_>>())?;
        let white = |images: &Images| -> Result<Images, DataError> {
            let values = whitening.apply(&images.iter().collect::<Vec<_>>())?;
            Ok(Images::from_values(whitening.output_size(), values)?.with_exif(images.exif()))
        };
        let (train, test) = (white(&train)?, white(&test)?);
        tracing::info!("whitening: done in {:.1} s", started.elapsed().as_secs_f64());
        Ok(Self {
            size: train.size(),
            train: Split::in_memory(train, self.train.names, self.train.labels),
            test: Split::in_memory(test, self.test.names, self.test.labels),
            ..self
        })
    }

    /// Where it is and how many images it has.
    pub fn describe(&self) -> String {
        let sizes = if self.one_size { "of" } else { "of any size, the first" };
        let classes = match self.classes.len() {
            0 => "no labels".to_owned(),
            count => format!("{count} classes"),
        };
        format!(
            "{}: {} training images {sizes} {}, {} test images, {classes}",
            self.path.display(),
            self.train.len(),
            self.image_size(),
            self.test.len(),
        )
    }

    /// SHA-256, in hexadecimal, over sizes, class names, labels and pixels: equal for equal data wherever it lies,
    /// so that a resumed run can prove that it continues with the data it began with. Of images in memory all pixels count and no
    /// names; of others as [`fingerprint`] says.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn fingerprint(&self) -> Result<String, crate::TaskError> {
        let mut hash = Sha256::new();
        let size = self.image_size();
        // Every list is preceded by its length, so that no two data sets share a byte stream.
        for number in [size.height, size.width, size.channels, self.classes.len()] {
            hash.update((number as u64).to_le_bytes());
        }
        for class in &self.classes {
            hash.update((class.len() as u64).to_le_bytes());
            hash.update(class);
        }
        let no_label = u64::MAX;
        let train = self.train.labels.iter().map(|label| match label {
            Some(class) => *class as u64,
            None => no_label,
        });
        update(&mut hash, train, &self.train)?;
        let test = self.test.labels.iter().map(|class| *class as u64);
        update(&mut hash, test, &self.test)?;
        Ok(hex(&hash.finalize()))
    }
}

/// Number of images, labels, pixels.
fn update<L>(hash: &mut Sha256, labels: impl Iterator<Item = u64>, split: &Split<L>) -> Result<(), crate::TaskError> {
    hash.update((split.len() as u64).to_le_bytes());
    for label in labels {
        hash.update(label.to_le_bytes());
    }
    match &split.memory {
        Some(images) => {
            hash.update(images.bytes().unwrap_or_default());
            images.values().unwrap_or_default().iter().for_each(|value| hash.update(value.to_le_bytes()));
        }
        None => hash.update(fingerprint(split.images.as_ref())?),
    }
    Ok(())
}
