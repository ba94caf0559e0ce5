//! Files that are no images, and images that are not taken for such.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::super::finding::{Severity, Subject, count, verb};
use super::super::format::Format;
use super::super::inspect::sniff;
use super::super::item::Content;
use super::super::walk::name_below;
use super::{Findings, Seen};

/// The ending of a file's name in lower case, with its dot; empty without one.
pub(in super::super) fn ending(path: &Path) -> String {
    path.extension().map_or_else(String::new, |extension| {
        let text = slowburn_augment::loader::escape(extension.as_encoded_bytes(), true);
        format!(".{}", text.to_lowercase())
    })
}

pub(super) fn find(root: &Path, seen: &Seen, found: &mut Findings) {
    unusable(seen, found);
    places(root, seen, found);
    let (images, others): (Vec<&PathBuf>, Vec<&PathBuf>) =
        seen.listed.skipped.iter().partition(|path| Format::of_name(path).is_some() || sniff(path).is_some());
    left_out(root, &images, found);
    if !others.is_empty() {
        let kinds = by_ending(&others);
        let message =
            format!("{} {} skipped: {kinds}", count(others.len(), "other file"), verb(others.len(), "is", "are"));
        found.add(Severity::Note, "skipped", message, others.iter().map(|path| Subject::file(name_below(root, path))));
    }
    if seen.listed.hidden > 0 {
        let hidden = seen.listed.hidden;
        let are = verb(hidden, "hidden file or folder (.name) is", "hidden files and folders (.name) are");
        found.add(Severity::Note, "hidden", format!("{hidden} {are} left out"), []);
    }
}

/// Files in the place of images that are none.
fn unusable(seen: &Seen, found: &mut Findings) {
    let (mut broken, mut empty, mut unreadable) = (Vec::new(), Vec::new(), Vec::new());
    for item in &seen.items {
        match &item.content {
            Content::Broken(reason) => broken.push(Subject::with(&item.name, reason)),
            Content::Empty => empty.push(Subject::file(&item.name)),
            Content::Unreadable(reason) => unreadable.push(Subject::with(&item.name, reason)),
            Content::Image(_) => {}
        }
    }
    found.of(Severity::Problem, "broken", broken, |n| format!("{} cannot be decoded", count(n, "image")));
    found.of(Severity::Problem, "empty", empty, |n| {
        format!("{} {} 0 bytes long", count(n, "image file"), verb(n, "is", "are"))
    });
    found.of(Severity::Problem, "unreadable", unreadable, |n| format!("{} cannot be read", count(n, "image file")));
}

/// Folders and links that training does not take.
fn places(root: &Path, seen: &Seen, found: &mut Findings) {
    let listed = &seen.listed;
    let named = |paths: &[PathBuf]| paths.iter().map(|path| Subject::file(name_below(root, path))).collect();
    found.of(Severity::Problem, "circle", named(&listed.circles), |n| {
        format!("{n} {}", verb(n, "link leads to a folder around it", "links lead to folders around them"))
    });
    let unreadable: Vec<Subject> =
        listed.unreadable.iter().map(|(path, reason)| Subject::with(name_below(root, path), reason)).collect();
    found.of(Severity::Problem, "unreadable-folder", unreadable, |n| format!("{} cannot be read", count(n, "folder")));
    found.of(Severity::Problem, "misplaced", named(&listed.misplaced), |n| {
        format!(
            "{} {} directly in train/ or test/: images belong into class folders",
            count(n, "image"),
            verb(n, "lies", "lie")
        )
    });
}

/// Images of other formats, and files whose content is an image but whose name does not say so.
fn left_out(root: &Path, images: &[&PathBuf], found: &mut Findings) {
    let (named, unnamed): (Vec<&PathBuf>, Vec<&PathBuf>) =
        images.iter().partition(|path| Format::of_name(path).is_some());
    let subject = |path: &&PathBuf| {
        let said = Format::of_name(path);
        match sniff(path) {
            format if format == said => Subject::file(name_below(root, path)),
            Some(format) => Subject::with(name_below(root, path), format!("it is {format}, by its content")),
            None => Subject::with(name_below(root, path), "its content is no image"),
        }
    };
    if !named.is_empty() {
        let message = format!(
            "{} {} left out, neither JPEG nor PNG by name: {}",
            count(named.len(), "image"),
            verb(named.len(), "is", "are"),
            by_ending(&named)
        );
        found.add(Severity::Warning, "other-format", message, named.iter().map(subject));
    }
    found.of(Severity::Warning, "without-ending", unnamed.iter().map(subject).collect(), |n| {
        format!(
            "{} {} left out, though {} of an image: the name ends in none of .jpg, .jpeg, .png",
            count(n, "file"),
            verb(n, "is", "are"),
            verb(n, "its content is that", "their contents are those")
        )
    });
}

/// `3 .txt, 1 without ending`, the most frequent first.
fn by_ending(paths: &[&PathBuf]) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    paths.iter().for_each(|path| *counts.entry(ending(path)).or_insert(0) += 1);
    let mut counts: Vec<(String, usize)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let words = counts.into_iter().map(|(ending, count)| match ending.as_str() {
        "" => format!("{count} without ending"),
        ending => format!("{count} {ending}"),
    });
    words.collect::<Vec<_>>().join(", ")
}
