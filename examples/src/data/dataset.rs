use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use sha2::{Digest, Sha256};
use slowburn_augment::loader::Images;
use slowburn_augment::{ImageSize, WhiteningConfig};

/// Images with names and labels `L`, three lists of one length.
#[derive(Debug, Clone, PartialEq)]
pub struct Split<L> {
    /// The images.
    pub images: Arc<Images>,
    /// Name of each image: the path below `train/` or `test/` with `/` between folders, or the decimal index in an
    /// IDX file.
    pub names: Vec<String>,
    /// Label of each image: an index into [`Dataset::classes`].
    pub labels: Vec<L>,
}

/// A data set in memory: bytes as decoded, nothing else.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// The folder it was loaded from.
    pub path: PathBuf,
    /// Names of the classes; a label is an index into them.
    pub classes: Vec<String>,
    /// Training images; `None` is an image without label.
    pub train: Split<Option<usize>>,
    /// Test images, of the same size.
    pub test: Split<usize>,
}

impl Dataset {
    /// Height, width and channels of every image.
    pub fn image_size(&self) -> ImageSize {
        self.train.images.size()
    }

    /// The same images whitened, fitted on the training images: values instead of bytes.
    ///
    /// # Errors
    /// If the images do not fit the whitening's preparation, or are fewer than two.
    pub fn whitened(self, config: &WhiteningConfig) -> anyhow::Result<Self> {
        let (training, started) = (self.train.images.len(), Instant::now());
        tracing::info!("whitening: fitting on {training} training images");
        let whitening = config.fit(&self.train.images.iter().collect::<Vec<_>>())?;
        let white = |images: &Images| {
            let values = whitening.apply(&images.iter().collect::<Vec<_>>())?;
            anyhow::Ok(Arc::new(Images::from_values(whitening.output_size(), values)?))
        };
        let (train, test) = (white(&self.train.images)?, white(&self.test.images)?);
        tracing::info!("whitening: done in {:.1} s", started.elapsed().as_secs_f64());
        Ok(Self { train: Split { images: train, ..self.train }, test: Split { images: test, ..self.test }, ..self })
    }

    /// Where it is and how many images it has.
    pub fn describe(&self) -> String {
        format!(
            "{}: {} training images of {}, {} test images, {} classes",
            self.path.display(),
            self.train.images.len(),
            self.image_size(),
            self.test.images.len(),
            self.classes.len()
        )
    }

    /// SHA-256, in hexadecimal, over sizes, class names, labels and pixels: equal for equal data wherever it lies,
    /// so that a resumed run can prove that it goes on with the data it began with. Names of images are not in it.
    pub fn fingerprint(&self) -> String {
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
        update(&mut hash, train, &self.train.images);
        let test = self.test.labels.iter().map(|class| *class as u64);
        update(&mut hash, test, &self.test.images);
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Number of images, labels, pixels.
fn update(hash: &mut Sha256, labels: impl Iterator<Item = u64>, images: &Images) {
    hash.update((images.len() as u64).to_le_bytes());
    for label in labels {
        hash.update(label.to_le_bytes());
    }
    hash.update(images.bytes().unwrap_or_default());
    for value in images.values().unwrap_or_default() {
        hash.update(value.to_le_bytes());
    }
}
