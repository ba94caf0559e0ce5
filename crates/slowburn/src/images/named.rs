use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Result, ensure};
use clap::Args;
use slowburn_augment::loader::{Decoder, ImageFolder, Source, escape};
use slowburn_train::data::{Dataset, LabelFile};

use super::gray::Gray;
use crate::args::{Reading, ReadingFlags};

/// The images of a command that uses a trained network.
#[derive(Debug, Clone, Default, Args)]
pub struct NamedImages {
    /// Images (JPEG or PNG), folders of them at any depth, or a folder of IDX files, of which the test images are taken
    #[arg(required = true, value_name = "IMAGES")]
    pub images: Vec<PathBuf>,
    /// Images that are in memory at a time; results do not depend on it [default: 256]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65536))]
    pub batch: Option<u32>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub reading: ReadingFlags,
}

/// Images with their names, and what their places say of their classes.
#[derive(Clone)]
pub struct Named {
    /// The images.
    pub source: Arc<dyn Source>,
    /// The name of each: the path below the folder, where one folder was named; else the path as it was named. Bytes that are
    /// no UTF-8 are written as `\xNN`.
    pub names: Vec<String>,
    /// The class that each may have: that of an IDX file, else the name of its folder.
    pub truth: Vec<Option<String>>,
}

impl std::fmt::Debug for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Named").field("images", &self.names.len()).finish_non_exhaustive()
    }
}

impl NamedImages {
    /// Finds the images, to be read with this many channels.
    ///
    /// # Errors
    /// For paths that do not exist, and folders that hold no image.
    pub fn find(&self, reading: Reading, channels: usize) -> Result<Named> {
        if let [folder] = &self.images[..]
            && is_idx(folder)
        {
            return idx(folder);
        }
        let (mut paths, mut names) = (Vec::new(), Vec::new());
        for named in &self.images {
            ensure!(named.exists(), "{} does not exist: name image files and folders of them", named.display());
            if !named.is_dir() {
                names.push(escape(named.as_os_str().as_encoded_bytes(), true));
                paths.push(named.clone());
                continue;
            }
            let folder = ImageFolder::flat(named)?;
            for index in 0..folder.len() {
                let Some(path) = folder.path(index) else { continue };
                names.push(match self.images.len() {
                    1 => folder.id(index),
                    _ => escape(path.as_os_str().as_encoded_bytes(), true),
                });
                paths.push(path);
            }
        }
        let truth = paths.iter().map(|path| folder_of(path)).collect();
        let decoder = Decoder::rgb().with_exif(reading.exif);
        let files: Arc<dyn Source> = Arc::new(ImageFolder::files(paths)?.with_decoder(decoder));
        let source = if channels == 1 { Arc::new(Gray(files)) } else { files };
        Ok(Named { source, names, truth })
    }
}

impl Named {
    /// Takes classes from a label file, which may be about more images than these, in the place of folders.
    ///
    /// # Errors
    /// Those of the label file.
    pub fn with_labels(mut self, path: &Path, classes: Option<&[String]>) -> Result<Self> {
        let LabelFile { labels, classes } = LabelFile::read_of_more(path, &self.names, classes)?;
        self.truth = labels.into_iter().map(|label| label.and_then(|label| classes.get(label).cloned())).collect();
        Ok(self)
    }
}

fn is_idx(folder: &Path) -> bool {
    ["t10k-images-idx3-ubyte", "t10k-images-idx3-ubyte.gz"].iter().any(|name| folder.join(name).is_file())
}

/// The test images of IDX files.
fn idx(folder: &Path) -> Result<Named> {
    let Dataset { classes, test, .. } = Dataset::load(folder)?;
    ensure!(!test.is_empty(), "{} has no test images", folder.display());
    let truth = test.labels.iter().map(|&label| classes.get(label).cloned()).collect();
    Ok(Named { names: test.names, source: test.images, truth })
}

fn folder_of(path: &Path) -> Option<String> {
    let name = path.parent()?.file_name()?;
    Some(escape(name.as_encoded_bytes(), true))
}
