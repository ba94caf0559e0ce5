//! The line at the end of a command that says what to do next.

use std::path::Path;

use crate::note;

/// The path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@,".contains(c);
    match !text.is_empty() && text.chars().all(plain) {
        true => text,
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

/// The program as it was called.
fn program() -> &'static str {
    match std::env::var_os("CARGO") {
        Some(_) => "cargo run --release --",
        None => "slowburn",
    }
}

/// A list that there is not yet: one that was filled in must not be named again.
fn new_list(folder: &Path) -> String {
    let names = std::iter::once("label-these".to_owned()).chain((2..).map(|number| format!("label-these-{number}")));
    names.into_iter().find(|name| !folder.join(name).with_extension("csv").exists()).unwrap_or_default()
}

/// After training with labels, on images in this folder; `labels` is the file that they are from, where no test images say how
/// good it is.
pub fn after_training(run: &Path, data: &Path, labels: Option<&Path>) {
    let (program, run, test) = (program(), quoted(run), data.join("test"));
    let images = quoted(if test.is_dir() { &test } else { data });
    match labels.map(quoted) {
        None => note!("next: {program} predict {run} {images}"),
        Some(labels) => {
            let list = new_list(Path::new(""));
            note!("next: {program} suggest {run} {images} --labels {labels} --count 20 --out {list}.csv");
        }
    }
}

/// After pre-training on images in this folder, of which some have a label or none.
pub fn after_pretraining(run: &Path, data: &Path, labelled: bool) {
    let (program, run, images) = (program(), quoted(run), quoted(data));
    match labelled {
        true => note!("next: {program} train --from {run} --data {images}"),
        false => {
            let list = new_list(Path::new(""));
            note!("next: {program} suggest {run} {images} --count 20 --out {list}.csv --sheet {list}.png")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_can_be_pasted() {
        assert_eq!(quoted(Path::new("runs/mean-teacher-17")), "runs/mean-teacher-17");
        assert_eq!(quoted(Path::new("my run's")), r"'my run'\''s'");
    }

    #[test]
    fn a_list_that_exists_is_not_named_again() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in ["label-these", "label-these-2", "label-these-3"] {
            assert_eq!(new_list(folder.path()), name);
            std::fs::write(folder.path().join(name).with_extension("csv"), "").expect("written");
        }
    }
}
