use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::{Decoder, Exif, LoadError, ReadBuffers, Sample, Source};
use crate::{Image, ImageSize};

/// Endings of the files that are taken for images; the content says which format it is.
const EXTENSIONS: [&str; 4] = ["jpg", "jpeg", "jfif", "png"];
/// Endings of images that cannot be decoded here.
const OTHER_IMAGES: [&str; 9] = ["webp", "gif", "bmp", "tif", "tiff", "heic", "heif", "avif", "jxl"];
/// The folder beside class folders whose images have no label.
const UNLABELED: &str = "unlabeled";

/// JPEG and PNG files below a folder, read and decoded when they are asked for.
///
/// Files are found by their ending (`.jpg`, `.jpeg`, `.jfif`, `.png`, in any case), at any depth, links followed; hidden files
/// and folders (`.name`) are left out, and images of other formats are [counted](ImageFolder::left_out). The order is that of
/// the names, folder by folder, so it is the same on every machine. Only the paths are in memory, about 60 bytes an image.
#[derive(Debug, Clone)]
pub struct ImageFolder {
    root: PathBuf,
    /// Below `root`.
    files: Vec<Box<Path>>,
    /// One per file of a class, which come first.
    labels: Vec<usize>,
    classes: Vec<String>,
    /// Images of other formats.
    left_out: Vec<PathBuf>,
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
        let mut found = Found::default();
        found.walk(&root, &root, &mut Vec::new())?;
        Self::new(root, found, Vec::new(), Vec::new())
    }

    /// The images `root/<class>/…`. The label is the place of the class folder's name in their sorted list,
    /// [`classes`](ImageFolder::classes); files directly in `root` are left out. Images in `root/unlabeled` have no label and
    /// come last, so that the others keep their places when some are added.
    ///
    /// # Errors
    ///
    /// As [`flat`](ImageFolder::flat); [`LoadError::Empty`] for a class folder without images, too.
    pub fn labeled(root: impl Into<PathBuf>) -> Result<Self, LoadError> {
        let root = root.into();
        let (mut found, mut labels, mut classes) = (Found::default(), Vec::new(), Vec::new());
        let mut folders: Vec<PathBuf> = list(&root)?.into_iter().filter(|path| path.is_dir()).collect();
        let unlabeled = |path: &PathBuf| path.file_name().is_some_and(|name| name == UNLABELED);
        folders.sort_by_key(unlabeled);
        for path in folders {
            let before = found.files.len();
            found.walk(&root, &path, &mut Vec::new())?;
            if found.files.len() == before {
                return Err(LoadError::Empty { path });
            }
            if !unlabeled(&path) {
                labels.resize(found.files.len(), classes.len());
                classes.push(super::name::relative(Path::new(path.file_name().unwrap_or_default())));
            }
        }
        Self::new(root, found, labels, classes)
    }

    /// These files, in this order, without labels.
    ///
    /// # Errors
    ///
    /// [`LoadError::Empty`] if there is none.
    pub fn files(paths: impl IntoIterator<Item = PathBuf>) -> Result<Self, LoadError> {
        let files = paths.into_iter().map(PathBuf::into_boxed_path).collect();
        Self::new(PathBuf::new(), Found { files, left_out: Vec::new() }, Vec::new(), Vec::new())
    }

    fn new(root: PathBuf, found: Found, labels: Vec<usize>, classes: Vec<String>) -> Result<Self, LoadError> {
        let Found { files, left_out } = found;
        if files.is_empty() {
            return Err(LoadError::Empty { path: root });
        }
        if let Some(first) = left_out.first() {
            tracing::warn!(
                "{} images below {} are neither JPEG nor PNG and are left out, the first is {}",
                left_out.len(),
                root.display(),
                first.display()
            );
        }
        Ok(Self { root, files, labels, classes, left_out, decoder: Decoder::default() })
    }

    /// The same files with another decoder, such as [`Decoder::rgb`].
    pub fn with_decoder(self, decoder: Decoder) -> Self {
        Self { decoder, ..self }
    }

    /// The same files, whose orientation in EXIF data is applied or not.
    pub fn with_exif(self, exif: Exif) -> Self {
        Self { decoder: self.decoder.with_exif(exif), ..self }
    }

    /// How the files are decoded.
    pub fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    /// The size of the image `index` as [`read`](Source::read) gives it, from the file's headers alone.
    ///
    /// # Errors
    ///
    /// As `read`.
    pub fn size(&self, index: usize, buffers: &mut ReadBuffers) -> Result<ImageSize, LoadError> {
        let path = self.path(index).ok_or(LoadError::NoSuchSample { index, len: self.len() })?;
        read_file(index, &path, &mut buffers.encoded)?;
        self.decoder.size(&buffers.encoded).map_err(|source| LoadError::Corrupt {
            index,
            name: path.display().to_string(),
            source,
        })
    }

    /// Names of the classes; a label is an index into them. Empty without labels.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// Images of formats that cannot be decoded here, `.webp` for one: they are no samples.
    pub fn left_out(&self) -> &[PathBuf] {
        &self.left_out
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
        Ok(Sample { image, label: self.label(index) })
    }

    fn label(&self, index: usize) -> Option<usize> {
        self.labels.get(index).copied()
    }

    fn exif(&self) -> Exif {
        self.decoder.exif
    }

    /// The path below the folder with `/` between folders; bytes that are no UTF-8 as `\\xNN`, a backslash as two.
    fn id(&self, index: usize) -> String {
        self.files.get(index).map_or_else(|| index.to_string(), |file| super::name::relative(file))
    }

    fn name(&self, index: usize) -> String {
        self.path(index).map_or_else(|| index.to_string(), |path| path.display().to_string())
    }
}

/// Whether the ending of `path`, in any case, is that of a JPEG or PNG file.
pub fn has_image_extension(path: &Path) -> bool {
    has_extension(path, &EXTENSIONS)
}

fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    path.extension()
        .and_then(|extension| extension.to_str())
        .is_some_and(|found| extensions.iter().any(|extension| found.eq_ignore_ascii_case(extension)))
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

/// What a walk through folders has found.
#[derive(Default)]
struct Found {
    /// Below the root.
    files: Vec<Box<Path>>,
    left_out: Vec<PathBuf>,
}

impl Found {
    /// Adds the images below `folder`. `above` has the folders that it lies in.
    fn walk(&mut self, root: &Path, folder: &Path, above: &mut Vec<PathBuf>) -> Result<(), LoadError> {
        let itself = folder.canonicalize().map_err(|source| LoadError::Folder { path: folder.to_owned(), source })?;
        if above.contains(&itself) {
            return Err(LoadError::Circle { path: folder.to_owned() });
        }
        above.push(itself);
        for path in list(folder)? {
            if has_extension(&path, &EXTENSIONS) && !path.is_dir() {
                self.files.push(path.strip_prefix(root).unwrap_or(&path).into());
            } else if path.is_dir() {
                self.walk(root, &path, above)?;
            } else if has_extension(&path, &OTHER_IMAGES) {
                self.left_out.push(path);
            }
        }
        above.pop();
        Ok(())
    }
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
