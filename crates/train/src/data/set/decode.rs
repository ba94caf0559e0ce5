//! Images of one size are decoded once and kept.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;
use slowburn_augment::ImageSize;
use slowburn_augment::loader::{ImageFolder, Images, LoadError, OnCorrupt, ReadBuffers, Source};

use super::DataError;

/// Bytes of decoded images that are kept.
const KEPT: usize = 1 << 30;

/// The training image that the others are compared with.
pub(super) struct First {
    path: PathBuf,
    /// Its height, width and channels.
    pub(super) size: ImageSize,
}

/// The first image that can be decoded; the first of all, where none may be skipped.
pub(super) fn first(folder: &ImageFolder, on_corrupt: OnCorrupt) -> Result<First, DataError> {
    let (mut buffers, mut broken) = (ReadBuffers::default(), None);
    for index in 0..folder.len() {
        match folder.read(index, &mut buffers) {
            Ok(sample) => {
                return Ok(First { path: folder.path(index).unwrap_or_default(), size: sample.image.size() });
            }
            Err(error) if on_corrupt == OnCorrupt::Skip && error.is_corrupt() => broken = broken.or(Some(error)),
            Err(error) => return Err(error.into()),
        }
    }
    Err(broken.unwrap_or(LoadError::Empty { path: PathBuf::new() }).into())
}

/// What the images of a folder are.
pub(super) enum Decoded {
    /// Of one size, and here.
    Kept(Images),
    /// To be read as they are needed: images that are left out are among them, or all are too large together.
    Files {
        /// Whether all that can be decoded have one size.
        one_size: bool,
    },
}

/// Decodes on all threads into one piece of memory; nothing is kept where sizes differ, images are left out, or the pieces are too
/// large. Of several bad images the first in order is named.
pub(super) fn decode_all(folder: &ImageFolder, first: &First, on_corrupt: OnCorrupt) -> Result<Decoded, DataError> {
    let size = first.size;
    if folder.len().saturating_mul(size.values()) > KEPT {
        return Ok(Decoded::Files { one_size: have_one_size(folder, size) });
    }
    let mut pixels = vec![0; folder.len() * size.values()];
    let [differ, broken] = [const { AtomicBool::new(false) }; 2];
    let failure = pixels
        .par_chunks_exact_mut(size.values())
        .enumerate()
        .map_init(ReadBuffers::default, |buffers, (index, out)| {
            if differ.load(Ordering::Relaxed) {
                return Ok(());
            }
            let image = match folder.read(index, buffers) {
                Ok(sample) => sample.image,
                Err(error) if on_corrupt == OnCorrupt::Skip && error.is_corrupt() => {
                    broken.store(true, Ordering::Relaxed);
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            };
            match image.bytes() {
                Some(bytes) if image.size() == size => out.copy_from_slice(bytes),
                _ if image.size().channels != size.channels => {
                    return Err(DataError::Channels {
                        first: first.path.clone(),
                        first_size: size,
                        other: folder.path(index).unwrap_or_default(),
                        other_size: image.size(),
                    });
                }
                _ => differ.store(true, Ordering::Relaxed),
            }
            Ok(())
        })
        .find_map_first(Result::err);
    let [differ, broken] = [differ, broken].map(AtomicBool::into_inner);
    match failure {
        // Read as they are needed, a broken one may be left out.
        Some(DataError::Load(LoadError::Corrupt { .. })) if differ => Ok(Decoded::Files { one_size: false }),
        Some(error) => Err(error),
        None if differ || broken => Ok(Decoded::Files { one_size: !differ }),
        None => Ok(Decoded::Kept(Images::new(size, pixels)?.with_exif(folder.exif()))),
    }
}

/// Whether all images have this size, by their headers; those that cannot be read are not asked.
fn have_one_size(folder: &ImageFolder, size: ImageSize) -> bool {
    (0..folder.len())
        .into_par_iter()
        .map_init(ReadBuffers::default, |buffers, index| folder.size(index, buffers))
        .all(|found| found.ok().is_none_or(|found| (found.height, found.width) == (size.height, size.width)))
}
