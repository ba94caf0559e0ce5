//! From what was seen to what is worth a word.

mod classes;
mod copies;
mod files;
mod images;

use std::path::Path;

use super::counts::ClassCount;
use super::finding::{Finding, Severity, Subject};
use super::item::Item;
use super::report::Layout;
use super::walk::Listed;

pub(super) use files::ending;

/// All that is known of a folder.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) layout: Layout,
    pub(super) items: Vec<Item>,
    pub(super) listed: Listed,
    /// Every class, also of folders without images.
    pub(super) classes: Vec<String>,
    /// Why training would not take the folder.
    pub(super) refused: Option<String>,
}

/// Findings, the most important first.
pub(super) fn findings(root: &Path, seen: &Seen, classes: &[ClassCount]) -> Vec<Finding> {
    let mut found = Findings(Vec::new());
    if let Some(refused) = &seen.refused {
        found.add(Severity::Problem, "refused", format!("training does not take this folder: {refused}"), []);
    }
    files::find(root, seen, &mut found);
    copies::find(&seen.items, &mut found);
    classes::find(seen, classes, &mut found);
    images::find(&seen.items, &mut found);
    let mut found = found.0;
    // Stable: of one severity they keep this order.
    found.sort_by_key(|finding| finding.severity);
    found
}

/// Findings in the order in which they are made.
struct Findings(Vec<Finding>);

impl Findings {
    fn add(
        &mut self,
        severity: Severity,
        kind: &'static str,
        message: String,
        subjects: impl IntoIterator<Item = Subject>,
    ) {
        self.0.push(Finding { severity, kind, message, subjects: subjects.into_iter().collect() });
    }

    /// Adds what is said of these files, if there is one.
    fn of(
        &mut self,
        severity: Severity,
        kind: &'static str,
        subjects: Vec<Subject>,
        message: impl FnOnce(usize) -> String,
    ) {
        if !subjects.is_empty() {
            self.add(severity, kind, message(subjects.len()), subjects);
        }
    }
}
