//! Finding the files of a data set, by the rules of [`ImageFolder`](slowburn_augment::loader::ImageFolder).

use std::path::{Path, PathBuf};

use serde::Serializer;
use slowburn_augment::loader::{escape, has_image_extension};

use super::item::{Place, Side};

/// The folder beside class folders whose images have no label.
const UNLABELED: &str = "unlabeled";

/// What a walk through a folder has found. Where something cannot be read, it goes on.
#[derive(Debug, Default)]
pub(super) struct Listed {
    /// Files that training takes for images, in its order.
    pub(super) images: Vec<Place>,
    /// Other files.
    pub(super) skipped: Vec<PathBuf>,
    /// Files and folders whose name begins with a dot.
    pub(super) hidden: usize,
    /// Images directly in `train` or `test`.
    pub(super) misplaced: Vec<PathBuf>,
    /// Links to a folder around them.
    pub(super) circles: Vec<PathBuf>,
    /// Folders that cannot be read, and why.
    pub(super) unreadable: Vec<(PathBuf, String)>,
    /// Class folders, also those without images.
    pub(super) classes: Vec<(Side, String)>,
    /// Folders with images directly below the one that was walked, where that is flat.
    pub(super) folders: usize,
}

/// The path below `root` as text, with `/` between folders; of `root` itself its own name.
pub(crate) fn name_below(root: &Path, path: &Path) -> String {
    let below = path.strip_prefix(root).unwrap_or(path);
    let itself = below.as_os_str().is_empty();
    let below = if itself { Path::new(path.file_name().unwrap_or(path.as_os_str())) } else { below };
    let parts: Vec<String> = below.components().map(|part| escape(part.as_os_str().as_encoded_bytes(), true)).collect();
    parts.join("/")
}

/// Serialises a path as text that can be read back, whatever bytes it has.
pub(crate) fn path_as_text<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&escape(path.as_os_str().as_encoded_bytes(), true))
}

impl Listed {
    /// All images below `root`.
    pub(super) fn flat(root: &Path) -> Self {
        let mut found = Self::default();
        found.walk(root, root, (Side::Flat, None), &mut Vec::new());
        let first = |place: &Place| place.name.split_once('/').map(|(folder, _)| folder.to_owned());
        let mut folders: Vec<String> = found.images.iter().filter_map(first).collect();
        folders.dedup();
        found.folders = folders.len();
        found
    }

    /// The images `train/<class>/…` and `test/<class>/…` below `root`.
    pub(super) fn classes(root: &Path) -> Self {
        let mut found = Self::default();
        for (side, name) in [(Side::Train, "train"), (Side::Test, "test")] {
            let folder = root.join(name);
            if !folder.is_dir() {
                continue;
            }
            found.side(root, &folder, side);
        }
        found
    }

    /// The training images `<class>/…` below `root`.
    pub(super) fn class_folders(root: &Path) -> Self {
        let mut found = Self::default();
        found.side(root, root, Side::Train);
        found
    }

    /// Adds the images of the class folders in `folder`.
    fn side(&mut self, root: &Path, folder: &Path, side: Side) {
        let mut entries = self.list(folder);
        entries.sort_by_key(|path| path.file_name().is_some_and(|name| name == UNLABELED));
        for path in entries {
            if !path.is_dir() {
                let misplaced = has_image_extension(&path);
                if misplaced { &mut self.misplaced } else { &mut self.skipped }.push(path);
                continue;
            }
            let class = escape(path.file_name().unwrap_or_default().as_encoded_bytes(), true);
            let label = (class != UNLABELED).then_some(class);
            self.classes.extend(label.clone().map(|class| (side, class)));
            self.walk(root, &path, (side, label.as_deref()), &mut Vec::new());
        }
    }

    /// Adds what is below `folder`. `above` has the folders that it lies in.
    fn walk(&mut self, root: &Path, folder: &Path, of: (Side, Option<&str>), above: &mut Vec<PathBuf>) {
        let itself = match folder.canonicalize() {
            Ok(itself) => itself,
            Err(error) => return self.unreadable.push((folder.to_owned(), error.to_string())),
        };
        if above.contains(&itself) {
            return self.circles.push(folder.to_owned());
        }
        above.push(itself);
        let (side, label) = of;
        for path in self.list(folder) {
            if path.is_dir() {
                self.walk(root, &path, of, above);
            } else if has_image_extension(&path) {
                let name = name_below(root, &path);
                self.images.push(Place { path, name, side, label: label.map(str::to_owned) });
            } else {
                self.skipped.push(path);
            }
        }
        above.pop();
    }

    /// What is in a folder, sorted, hidden files left out and counted.
    fn list(&mut self, folder: &Path) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => {
                self.unreadable.push((folder.to_owned(), error.to_string()));
                return found;
            }
        };
        for entry in entries {
            match entry {
                Ok(entry) if entry.file_name().as_encoded_bytes().starts_with(b".") => self.hidden += 1,
                Ok(entry) => found.push(entry.path()),
                Err(error) => self.unreadable.push((folder.to_owned(), error.to_string())),
            }
        }
        found.sort_unstable();
        found
    }
}
