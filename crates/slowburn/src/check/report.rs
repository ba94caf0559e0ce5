use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;
use slowburn_augment::loader::{ImageFolder, OnCorrupt, has_image_extension};
use slowburn_train::data::{DataLayout, Dataset, LoadOptions};
use slowburn_train::defaults::{few_labels, pretrain};

use super::counts::{self, ClassCount, Colors, Sizes};
use super::find::{self, Seen};
use super::finding::{Finding, Severity};
use super::idx;
use super::inspect::inspect_all;
use super::item::{Item, Side};
use super::similar;
use super::walk::{Listed, path_as_text};
use crate::train::recipe::{labeled_share, passes_of_strong_views};

/// How a folder is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// IDX files, the form of MNIST.
    Idx,
    /// `train/<class>/` and `test/<class>/`.
    Classes,
    /// `<class>/`, training images alone.
    ClassFolders,
    /// Images at any depth, without labels.
    Flat,
}

/// What training would take for these images where nobody says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Defaults {
    /// For pre-training on the training images, or on all of a flat folder.
    pub pretrain: PretrainSettings,
    /// For learning from labels; nothing where there is none.
    pub train: Option<TrainSettings>,
}

/// Settings of pre-training; see [`pretrain`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PretrainSettings {
    /// Images in a batch.
    pub batch: usize,
    /// Groups of a batch with batch statistics of their own.
    pub splits: usize,
    /// Keys in MoCo's queue.
    pub queue: usize,
    /// Neighbours that vote in the kNN monitor.
    pub k: usize,
    /// Passes over the images.
    pub epochs: u32,
}

/// Settings of learning from few labels; see [`few_labels`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TrainSettings {
    /// Images in a batch.
    pub batch: usize,
    /// Those of them that have a label.
    pub labeled: usize,
    /// Passes over the images without one.
    pub epochs: u32,
}

impl Defaults {
    /// Nothing for fewer than two images.
    fn of(images: usize, labeled: usize) -> Option<Self> {
        (images >= 2).then(|| {
            let chosen = pretrain(images, labeled);
            let (batch, splits, queue) = (chosen.batch, chosen.splits, chosen.queue);
            let few = few_labels(images);
            Self {
                pretrain: PretrainSettings { batch, splits, queue, k: chosen.k, epochs: chosen.epochs },
                train: (labeled > 0).then_some(TrainSettings {
                    batch: few.batch,
                    labeled: labeled_share(few.batch),
                    epochs: passes_of_strong_views(few.epochs),
                }),
            }
        })
    }
}

/// When two images count as near duplicates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Near {
    /// The most bits of 64 in which their hashes differ.
    pub bits: u32,
    /// The most that their thumbnails of 12×12 RGB pixels differ on average, of 255.
    pub difference: u32,
}

/// What was found in a folder.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The folder.
    #[serde(serialize_with = "path_as_text")]
    pub path: PathBuf,
    /// How it is read.
    pub layout: Layout,
    /// Files that training takes for images, broken ones included; images of IDX files.
    pub images: usize,
    /// Training images, with and without label; all of a flat folder.
    pub train: usize,
    /// Those of them with a label.
    pub labeled: usize,
    /// Test images.
    pub test: usize,
    /// Counts by class.
    pub classes: Vec<ClassCount>,
    /// Sizes; nothing without an image that can be decoded.
    pub sizes: Option<Sizes>,
    /// Colours.
    pub colors: Colors,
    /// Images that EXIF data turn or mirror.
    pub turned: usize,
    /// Files that are not taken for images, by ending; the empty one has those without.
    pub skipped: BTreeMap<String, usize>,
    /// Hidden files and folders, which are left out.
    pub hidden: usize,
    /// When two images count as near duplicates.
    pub near: Near,
    /// What the defaults would choose; nothing for fewer than two images.
    pub defaults: Option<Defaults>,
    /// The findings, the most important first.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Looks at everything in the folder.
    ///
    /// # Errors
    /// For a folder that cannot be read. What is wrong in it is no error but a finding.
    pub fn of(path: &Path) -> Result<Self> {
        std::fs::read_dir(path).with_context(|| format!("cannot read the folder {}", path.display()))?;
        // What a loader warns of is a finding here.
        let seen = tracing::subscriber::with_default(tracing::subscriber::NoSubscriber::default(), || load(path))
            .with_images(path);
        let Seen { layout, items, listed, classes, .. } = &seen;
        let train = items.iter().filter(|item| item.side != Side::Test).count();
        let labeled = items.iter().filter(|item| item.side != Side::Test && item.label.is_some()).count();
        let classes = counts::classes(items, classes);
        let mut skipped = BTreeMap::new();
        for file in &listed.skipped {
            *skipped.entry(find::ending(file)).or_insert(0) += 1;
        }
        Ok(Self {
            path: path.to_owned(),
            layout: *layout,
            images: items.len(),
            train,
            labeled,
            test: items.len() - train,
            sizes: Sizes::of(items),
            colors: Colors::of(items),
            turned: items.iter().filter_map(Item::facts).filter(|facts| facts.turned).count(),
            skipped,
            hidden: listed.hidden,
            near: Near { bits: similar::MAX_BITS, difference: similar::MAX_DIFFERENCE },
            defaults: Defaults::of(train, labeled),
            findings: find::findings(path, &seen, &classes),
            classes,
        })
    }

    /// The number of findings of this severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }
}

/// Loads the folder as training does.
fn load(path: &Path) -> Loaded {
    let error = |error: &dyn std::error::Error| error.to_string();
    if idx::is_layout(path) {
        return match Dataset::load(path) {
            Ok(data) => Loaded { layout: Layout::Idx, error: None, data: Some(data) },
            Err(source) => Loaded { layout: Layout::Idx, error: Some(error(&source)), data: None },
        };
    }
    if path.join("train").is_dir() || path.join("test").is_dir() {
        let failed = Dataset::load(path).err().map(|source| error(&source));
        return Loaded { layout: Layout::Classes, error: failed, data: None };
    }
    let options = LoadOptions { on_corrupt: OnCorrupt::Skip, ..LoadOptions::photos() };
    match Dataset::load_with(path, options) {
        Ok(data) if data.layout == DataLayout::Classes => {
            return Loaded { layout: Layout::ClassFolders, error: None, data: None };
        }
        Err(source) if has_folders_alone(path) => {
            return Loaded { layout: Layout::ClassFolders, error: Some(error(&source)), data: None };
        }
        _ => {}
    }
    let failed = ImageFolder::flat(path).err().map(|source| error(&source));
    Loaded { layout: Layout::Flat, error: failed, data: None }
}

/// Whether a folder has folders in it and no image beside them.
fn has_folders_alone(path: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(path) else { return false };
    let paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.iter().any(|path| path.is_dir()) && !paths.iter().any(|path| path.is_file() && has_image_extension(path))
}

/// How training would read a folder.
struct Loaded {
    layout: Layout,
    /// Why it would not.
    error: Option<String>,
    /// An IDX folder's images.
    data: Option<Dataset>,
}

impl Loaded {
    /// Looks at every image.
    fn with_images(self, path: &Path) -> Seen {
        let (items, listed, classes) = match self.layout {
            Layout::Idx => {
                let classes = self.data.as_ref().map_or_else(Vec::new, |data| data.classes.clone());
                (self.data.as_ref().map_or_else(Vec::new, idx::items), Listed::default(), classes)
            }
            Layout::Classes | Layout::ClassFolders | Layout::Flat => {
                let mut listed = match self.layout {
                    Layout::Flat => Listed::flat(path),
                    Layout::ClassFolders => Listed::class_folders(path),
                    _ => Listed::classes(path),
                };
                let items = inspect_all(std::mem::take(&mut listed.images));
                let mut classes: Vec<String> = listed.classes.iter().map(|(_, class)| class.clone()).collect();
                classes.sort();
                classes.dedup();
                (items, listed, classes)
            }
        };
        Seen { layout: self.layout, items, listed, classes, refused: self.error }
    }
}
