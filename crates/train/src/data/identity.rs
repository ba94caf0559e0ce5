use sha2::{Digest, Sha256};
use slowburn_augment::loader::{LoadError, ReadBuffers, Source};

use crate::task::TaskError;

/// Images whose pixels are part of a fingerprint, spread evenly: all of a million would take hours to read.
const LOOKED_AT: usize = 16;

/// SHA-256, in hexadecimal, over the names of all images and the pixels of sixteen of them: equal wherever a folder lies, and
/// other where images came or went, or were made anew. An image that cannot be read counts by its name. Pixels are as the source
/// gives them; how it decodes (EXIF data, grey images) is not part of it beyond these sixteen, and belongs into a run's settings.
///
/// # Errors
/// If a file cannot be read.
pub fn fingerprint(source: &dyn Source) -> Result<String, TaskError> {
    let mut hash = Sha256::new();
    hash.update((source.len() as u64).to_le_bytes());
    for index in 0..source.len() {
        let name = source.id(index);
        // Every list is preceded by its length, so that no two sets share a byte stream.
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name);
    }
    let mut buffers = ReadBuffers::default();
    for place in 0..source.len().min(LOOKED_AT) {
        let index = place * source.len() / source.len().min(LOOKED_AT);
        match source.read(index, &mut buffers) {
            Ok(sample) => {
                let size = sample.image.size();
                for side in [size.height, size.width, size.channels] {
                    hash.update((side as u64).to_le_bytes());
                }
                hash.update(sample.image.bytes().unwrap_or_default());
                sample.image.values().unwrap_or_default().iter().for_each(|value| hash.update(value.to_le_bytes()));
            }
            Err(LoadError::Corrupt { .. } | LoadError::Unreadable { .. }) => hash.update(b"corrupt"),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(hex(&hash.finalize()))
}

/// Index and class of each image that has one: by `labels`, else by what the source knows without reading.
pub(crate) fn labeled_indices(source: &dyn Source, labels: Option<&[Option<usize>]>) -> Vec<(usize, usize)> {
    match labels {
        Some(labels) => labeled(labels),
        None => labeled(&(0..source.len()).map(|index| source.label(index)).collect::<Vec<_>>()),
    }
}

/// Index and class of each image that has one.
pub fn labeled(labels: &[Option<usize>]) -> Vec<(usize, usize)> {
    labels.iter().enumerate().filter_map(|(index, label)| label.map(|class| (index, class))).collect()
}

/// SHA-256, in hexadecimal, over image and class of every label.
pub fn labels_digest(labels: &[Option<usize>]) -> String {
    let mut hash = Sha256::new();
    for (image, class) in labeled(labels) {
        [image, class].into_iter().for_each(|number| hash.update((number as u64).to_le_bytes()));
    }
    hex(&hash.finalize())
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
