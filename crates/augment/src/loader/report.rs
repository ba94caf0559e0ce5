use std::collections::BTreeMap;
use std::fmt;

/// An image that was left out because it cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Index of the image.
    pub sample: usize,
    /// Its path or name.
    pub name: String,
    /// What the decoder says.
    pub reason: String,
}

/// What a loader has handed out so far, over all epochs; batches made ahead do not count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Images in the batches handed out.
    pub images: u64,
    /// How often an image was left out; one image counts again in each epoch.
    pub times_skipped: u64,
    /// The images left out, each once, by index.
    pub skipped: BTreeMap<usize, Skipped>,
}

impl Report {
    /// Counts a batch. An image is named in a warning when it is left out for the first time, unless that is said elsewhere.
    pub(super) fn add(&mut self, images: usize, skipped: &[Skipped], quiet: bool) {
        self.images += images as u64;
        self.times_skipped += skipped.len() as u64;
        for skipped in skipped {
            self.skipped.entry(skipped.sample).or_insert_with(|| {
                if !quiet {
                    tracing::warn!(sample = skipped.sample, "{} is left out: {}", skipped.name, skipped.reason);
                }
                skipped.clone()
            });
        }
    }
}

impl fmt::Display for Report {
    /// A line of counts and one for each image left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} images loaded, {} left out ({} times)", self.images, self.skipped.len(), self.times_skipped)?;
        for Skipped { sample, name, reason } in self.skipped.values() {
            write!(f, "\nsample {sample}, {name}: {reason}")?;
        }
        Ok(())
    }
}
