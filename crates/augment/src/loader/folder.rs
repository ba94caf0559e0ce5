use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::{Decoder, LoadError, ReadBuffers, Sample, Source};
use crate::Image;

/// Endings of the files that are taken for images; the content says which format it is.
const EXTENSIONS: [&str; 3] = ["jpg", "jpeg", "png"];

/// JPEG and PNG files below a folder, read and decoded when they are asked for.
///
/// Files are found by their ending (`.jpg`, `.jpeg`, `.png`, in any case), at any depth, links followed; hidden files
/// and folders (`.name`) are left out. The order is that of the names, folder by folder, so it is the same on every
/// machine. Only the paths are in memory, about 60 bytes an image.
#[derive(Debug, Clone)]
pub struct ImageFolder {
    root: PathBuf,
    /// Below `root`.
    files: Vec<Box<Path>>,
    /// One per file, or none at all.
    labels: Vec<usize>,
    classes: Vec<String>,
    decoder: Decoder,
}

impl ImageFolder {
    /// The images below `root`, without labels.
    ///
    /// # Errors
    ///
    /// [`LoadError::Folder`] for a folder that cannot be read, [`LoadError::Circle`] for a link to a folder around it,
    /// [`LoadError::Empty`] if there is no image.
    pub fn flat(root: impl Into<PathBuf>) -> Result<Self, LoadError> {
        let root = root.into();
        let mut files = Vec::new();
        find(&root, &root, &mut Vec::new(), &mut files)?;
        Self::new(root, files, Vec::new(), Vec::new())
    }

    /// The images `root/<class>/…`. The label is the place of the class folder's name in their sorted list,
    /// [`classes`](ImageFolder::classes); files directly in `root` are left out.
    ///
    /// # Errors
    ///
    /// As [`flat`](ImageFolder::flat); [`LoadError::Empty`] for a class folder without images, too.
    pub fn labeled(root: impl Into<PathBuf>) -> Result<Self, LoadError> {
        let root = root.into();
        let (mut files, mut labels, mut classes) = (Vec::new(), Vec::new(), Vec::new());
        for path in list(&root)?.into_iter().filter(|path| path.is_dir()) {
            let before = files.len();
            find(&root, &path, &mut Vec::new(), &mut files)?;
            if files.len() == before {
                return Err(LoadError::Empty { path });
            }
            labels.resize(files.len(), classes.len());
            classes.push(path.file_name().unwrap_or_default().to_string_lossy().into_owned());
        }
        Self::new(root, files, labels, classes)
    }

    /// These files, in this order, without labels.
    ///
    /// # Errors
    ///
    /// [`LoadError::Empty`] if there is none.
    pub fn files(paths: impl IntoIterator<Item = PathBuf>) -> Result<Self, LoadError> {
        let files = paths.into_iter().map(PathBuf::into_boxed_path).collect();
        Self::new(PathBuf::new(), files, Vec::new(), Vec::new())
    }

    fn new(root: PathBuf, files: Vec<Box<Path>>, labels: Vec<usize>, classes: Vec<String>) -> Result<Self, LoadError> {
        if files.is_empty() {
            return Err(LoadError::Empty { path: root });
        }
        Ok(Self { root, files, labels, classes, decoder: Decoder::default() })
    }

    /// The same files with another decoder, such as [`Decoder::rgb`].
    pub fn with_decoder(self, decoder: Decoder) -> Self {
        Self { decoder, ..self }
    }

    /// Names of the classes; a label is an index into them. Empty without labels.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// Path of the image `index`, or nothing if there are not so many.
    pub fn path(&self, index: usize) -> Option<PathBuf> {
        self.files.get(index).map(|file| self.root.join(file))
    }
}

impl Source for ImageFolder {
    fn len(&self) -> usize {
        self.files.len()
    }

    fn read<'a>(&'a self, index: usize, buffers: &'a mut ReadBuffers) -> Result<Sample<'a>, LoadError> {
        let path = self.path(index).ok_or(LoadError::NoSuchSample { index, len: self.len() })?;
        read_file(index, &path, &mut buffers.encoded)?;
        let size = self.decoder.decode(&buffers.encoded, &mut buffers.pixels).map_err(|source| LoadError::Corrupt {
            index,
            name: path.display().to_string(),
            source,
        })?;
        let image = Image::new(size, &buffers.pixels).map_err(|source| LoadError::BadImage {
            index,
            name: path.display().to_string(),
            source: Box::new(source),
        })?;
        Ok(Sample { image, label: self.labels.get(index).copied() })
    }

    fn name(&self, index: usize) -> String {
        self.path(index).map_or_else(|| index.to_string(), |path| path.display().to_string())
    }
}

/// Whether the ending of `path`, in any case, is that of a JPEG or PNG file.
pub fn has_image_extension(path: &Path) -> bool {
    path.extension()
        .and_then(|extension| extension.to_str())
        .is_some_and(|found| EXTENSIONS.iter().any(|extension| found.eq_ignore_ascii_case(extension)))
}

/// Reads the file of sample `index` into `encoded`, whose memory is used again.
pub(super) fn read_file(index: usize, path: &Path, encoded: &mut Vec<u8>) -> Result<(), LoadError> {
    encoded.clear();
    File::open(path)
        .and_then(|mut file| {
            let length = file.metadata().map_or(0, |metadata| metadata.len());
            encoded.reserve(usize::try_from(length).unwrap_or(0));
            file.read_to_end(encoded)
        })
        .map(|_| ())
        .map_err(|source| LoadError::Unreadable { index, path: path.to_owned(), source })
}

/// Appends the images below `folder` to `files`, as paths below `root`. `above` has the folders that it lies in.
fn find(root: &Path, folder: &Path, above: &mut Vec<PathBuf>, files: &mut Vec<Box<Path>>) -> Result<(), LoadError> {
    let itself = folder.canonicalize().map_err(|source| LoadError::Folder { path: folder.to_owned(), source })?;
    if above.contains(&itself) {
        return Err(LoadError::Circle { path: folder.to_owned() });
    }
    above.push(itself);
    for path in list(folder)? {
        if path.is_dir() {
            find(root, &path, above, files)?;
        } else if has_image_extension(&path) {
            files.push(path.strip_prefix(root).unwrap_or(&path).into());
        }
    }
    above.pop();
    Ok(())
}

/// What is in a folder, sorted, hidden files left out.
fn list(folder: &Path) -> Result<Vec<PathBuf>, LoadError> {
    let unreadable = |source| LoadError::Folder { path: folder.to_owned(), source };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            found.push(entry.path());
        }
    }
    found.sort_unstable();
    Ok(found)
}
