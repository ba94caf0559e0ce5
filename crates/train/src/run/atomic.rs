use std::fs;
use std::io::{self, Write};
use std::path::Path;

use burn_pack::AtomicFile;

/// Writes a file so that a reader, or a machine that loses power, sees the old content or the new, never a part:
/// temporary file beside it, synced, renamed, folder synced.
///
/// # Errors
/// Any input or output error, a full disk included; the old file is then untouched and the temporary one removed.
pub fn write_atomically(path: &Path, content: &[u8]) -> io::Result<()> {
    let (scratch, mut file) = AtomicFile::create(path).map_err(io::Error::other)?;
    // Through the file's own handle: a disk that is full says so here.
    file.write_all(content)?;
    file.sync_all()?;
    drop(file);
    scratch.commit().map_err(io::Error::other)
}

/// Whether `entry` is the beginning of the file `of` that a killed program left beside it: `NAME.PID-NUMBER.tmp`, or
/// `.NAME.tmp` of earlier versions.
pub(super) fn is_leftover(entry: &Path, of: &Path) -> bool {
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let (Some(entry_name), Some(of_name)) = (name(entry), name(of)) else {
        return false;
    };
    entry.parent() == of.parent() && original(&entry_name).is_some_and(|original| original == of_name)
}

/// Removes the beginnings of files that killed programs left in a folder.
///
/// # Errors
/// If the folder cannot be read or a file not be removed.
pub(super) fn remove_leftovers(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if original(&entry.file_name().to_string_lossy()).is_some() && entry.file_type()?.is_file() {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// The name of the file that a temporary one of this name was to become.
fn original(temporary: &str) -> Option<&str> {
    let stem = temporary.strip_suffix(".tmp")?;
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let by_process = stem.rsplit_once('.').filter(|(name, tail)| {
        let counted = tail.split_once('-').is_some_and(|(process, count)| number(process) && number(count));
        counted && !name.is_empty()
    });
    by_process.map(|(name, _)| name).or_else(|| stem.strip_prefix('.').filter(|name| !name.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_program_leaves_is_known_by_its_name() {
        assert_eq!(original("config.json.4711-0.tmp"), Some("config.json"));
        assert_eq!(original(".config.json.tmp"), Some("config.json"));
        for other in ["config.json", "config.json.tmp", "config.json.4711.tmp", "notes.tmp", ".tmp", "a.1-x.tmp"] {
            assert_eq!(original(other), None, "{other}");
        }
        assert!(is_leftover(Path::new("run/config.json.1-2.tmp"), Path::new("run/config.json")));
        assert!(!is_leftover(Path::new("run/metrics.jsonl.1-2.tmp"), Path::new("run/config.json")));
        assert!(!is_leftover(Path::new("other/config.json.1-2.tmp"), Path::new("run/config.json")));
    }

    /// The names are those of burn-pack 0.22.1, which does not promise them.
    #[test]
    fn burn_names_its_temporary_files_so() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("config.json");
        let (scratch, _file) = AtomicFile::create(&path).expect("made");
        assert!(is_leftover(scratch.path(), &path), "{}", scratch.path().display());
    }

    #[test]
    fn leftovers_go_and_everything_else_stays() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in ["a.ckpt", "a.ckpt.12-3.tmp", ".a.ckpt.tmp", "letter.tmp"] {
            fs::write(folder.path().join(name), name).expect("written");
        }
        remove_leftovers(folder.path()).expect("removed");
        let mut left: Vec<_> =
            fs::read_dir(folder.path()).expect("readable").map(|entry| entry.expect("one").file_name()).collect();
        left.sort();
        assert_eq!(left, ["a.ckpt", "letter.tmp"]);
    }

    #[test]
    fn a_file_is_replaced_and_nothing_else_stays() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("file");
        for content in ["old", "new"] {
            write_atomically(&path, content.as_bytes()).expect("written");
            assert_eq!(fs::read_to_string(&path).expect("there"), content);
        }
        assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 1);
    }
}
