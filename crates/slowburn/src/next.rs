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

/// After training with labels.
pub fn after_training(run: &Path, scored: bool) {
    let run = quoted(run);
    let score = if scored { "" } else { " --labels LABELS.csv" };
    note!("next: {} predict {run} IMAGES{score}", program());
}

/// After pre-training.
pub fn after_pretraining(run: &Path, data: Option<&Path>) {
    let run = quoted(run);
    let images = data.map_or_else(|| "IMAGES".to_owned(), quoted);
    note!("next: {} embed {run} {images} --out features.safetensors", program());
    note!("  or: {} train --from {run} --data {images} --labels LABELS.csv", program());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_can_be_pasted() {
        assert_eq!(quoted(Path::new("runs/mean-teacher-17")), "runs/mean-teacher-17");
        assert_eq!(quoted(Path::new("my run's")), r"'my run'\''s'");
    }
}
