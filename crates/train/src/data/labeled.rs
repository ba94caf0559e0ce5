use std::path::Path;
use std::sync::Arc;

use slowburn_augment::loader::{ImageFolder, Source};
use slowburn_semi::{SemiError, choose_balanced};

use super::{Dataset, LabelError, LabelFile};

/// Images of which some have a label.
///
/// ```no_run
/// use slowburn_augment::loader::ImageFolder;
/// use slowburn_train::Labeled;
///
/// let birds = Labeled::from_file(ImageFolder::flat("photos")?, "labels.csv")?;
/// println!("{} of {} images have one of {:?}", birds.count(), birds.labels().len(), birds.classes());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Labeled {
    source: Arc<dyn Source>,
    labels: Vec<Option<usize>>,
    classes: Vec<String>,
}

impl Labeled {
    /// Images with one entry each: the index of its class, or nothing.
    ///
    /// # Errors
    /// [`LabelError::Count`], [`LabelError::Range`], [`LabelError::Classes`] for fewer than two.
    pub fn new(
        source: impl Source + 'static,
        labels: Vec<Option<usize>>,
        classes: Vec<String>,
    ) -> Result<Self, LabelError> {
        if labels.len() != source.len() {
            return Err(LabelError::Count { images: source.len(), labels: labels.len() });
        }
        let out = |label: &Option<usize>| label.is_some_and(|label| label >= classes.len());
        if let Some(index) = labels.iter().position(out) {
            return Err(LabelError::Range { index, label: labels[index].unwrap_or_default(), classes: classes.len() });
        }
        match classes.len() < 2 {
            true => Err(LabelError::Classes { classes }),
            false => Ok(Self { source: Arc::new(source), labels, classes }),
        }
    }

    /// Images with the labels of a [file](LabelFile), whose different labels are the classes.
    ///
    /// # Errors
    /// Those of [`LabelFile::read`].
    pub fn from_file(source: impl Source + 'static, path: impl AsRef<Path>) -> Result<Self, LabelError> {
        Self::read(source, path.as_ref(), None)
    }

    /// Images with the labels of a [file](LabelFile), of these classes: of a file that does not name all of them, or that
    /// names them by index.
    ///
    /// # Errors
    /// Those of [`LabelFile::read`].
    pub fn from_file_with_classes(
        source: impl Source + 'static,
        path: impl AsRef<Path>,
        classes: &[String],
    ) -> Result<Self, LabelError> {
        Self::read(source, path.as_ref(), Some(classes))
    }

    fn read(source: impl Source + 'static, path: &Path, classes: Option<&[String]>) -> Result<Self, LabelError> {
        let names: Vec<String> = (0..source.len()).map(|index| source.id(index)).collect();
        let LabelFile { labels, classes } = LabelFile::read(path, &names, classes)?;
        Self::new(source, labels, classes)
    }

    /// Images in class folders: [`ImageFolder::labeled`]. Those in a folder called `unlabeled` have no label.
    ///
    /// # Errors
    /// [`LabelError::Classes`] for fewer than two.
    pub fn from_folders(folder: ImageFolder) -> Result<Self, LabelError> {
        let labels = (0..folder.len()).map(|index| folder.label(index)).collect();
        let classes = folder.classes().to_vec();
        Self::new(folder, labels, classes)
    }

    /// The training images of a data set, with the labels that they have.
    ///
    /// # Errors
    /// [`LabelError::Classes`] for fewer than two, as of photos alone.
    pub fn from_train(data: &Dataset) -> Result<Self, LabelError> {
        Self::new(Arc::clone(&data.train.images), data.train.labels.clone(), data.classes.clone())
    }

    /// The test images of a data set; none without a test set.
    ///
    /// # Errors
    /// [`LabelError::Classes`] for fewer than two.
    pub fn from_test(data: &Dataset) -> Result<Self, LabelError> {
        let labels = data.test.labels.iter().copied().map(Some).collect();
        Self::new(Arc::clone(&data.test.images), labels, data.classes.clone())
    }

    /// The same images with `count` of the labels, as many of each class, [chosen](choose_balanced) by seed; the others are
    /// forgotten.
    ///
    /// # Errors
    /// Those of [`choose_balanced`]: no labels, fewer than `count`, or a class with fewer than its share.
    pub fn keep_balanced(self, count: usize, seed: u64) -> Result<Self, SemiError> {
        let mut labels = vec![None; self.labels.len()];
        for image in choose_balanced(&self.labels, self.classes.len(), count, seed)? {
            labels[image] = self.labels[image];
        }
        Ok(Self { labels, ..self })
    }

    /// The images.
    pub fn source(&self) -> &Arc<dyn Source> {
        &self.source
    }

    /// The label of each image, or nothing.
    pub fn labels(&self) -> &[Option<usize>] {
        &self.labels
    }

    /// Names of the classes; a label is an index into them.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The number of images with a label.
    pub fn count(&self) -> usize {
        self.labels.iter().flatten().count()
    }

    /// Images with a label, by class.
    pub fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes.len()];
        self.labels.iter().flatten().for_each(|&label| counts[label] += 1);
        counts
    }

    /// Whether some class has ten times as many labels as another, which rare classes suffer from.
    pub fn is_unbalanced(&self) -> bool {
        self.unlike().is_some()
    }

    /// The class with the most labels and that with the fewest, each with their number, where these are too unlike.
    fn unlike(&self) -> Option<[(usize, usize); 2]> {
        let counts: Vec<_> = self.counts().into_iter().enumerate().filter(|&(_, count)| count > 0).collect();
        let most = counts.iter().copied().max_by_key(|&(_, count)| count)?;
        let fewest = counts.iter().copied().min_by_key(|&(_, count)| count)?;
        (most.1 >= UNBALANCED * fewest.1).then_some([most, fewest])
    }

    /// Warns of labels that are probably not meant, in words.
    pub fn concerns(&self) -> Vec<String> {
        let counts = self.counts();
        let without: Vec<&str> =
            self.classes.iter().zip(&counts).filter(|(_, count)| **count == 0).map(|(name, _)| name.as_str()).collect();
        let mut concerns = Vec::new();
        if !without.is_empty() {
            concerns.push(format!("no image has the label of {}: it will never be predicted", without.join(", ")));
        }
        if let Some([(most, high), (fewest, low)]) = self.unlike() {
            let (most, fewest) = (&self.classes[most], &self.classes[fewest]);
            concerns.push(format!(
                "labels are unbalanced: {high} of {most}, {low} of {fewest}; rare classes will be predicted less often than \
                 they occur. As many labels of each class would serve better"
            ));
        }
        concerns
    }

    /// Logs these warnings.
    pub(crate) fn warn(&self) {
        for concern in self.concerns() {
            tracing::warn!("{concern}");
        }
    }
}

/// From this ratio between the labels of two classes on, the smaller one suffers.
const UNBALANCED: usize = 10;

impl std::fmt::Debug for Labeled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Labeled").field("labels", &self.count()).field("classes", &self.classes).finish_non_exhaustive()
    }
}
