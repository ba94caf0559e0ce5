use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Writes a file so that a reader, or a machine that loses power, sees the old content or the new, never a part:
/// temporary file beside it, synced, renamed, folder synced.
///
/// # Errors
/// Any input or output error, a full disk included; the old file is then untouched and the temporary one removed.
pub fn write_atomically(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let temporary = temporary(path).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidFilename))?;
    let written = (|| {
        let mut file = File::create(&temporary)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        File::open(folder)?.sync_all()
    })();
    if written.is_err() {
        // The error that matters is the one above.
        fs::remove_file(&temporary).ok();
    }
    written
}

/// Where a file's content is until it is whole; nothing if the path has no file name.
pub(super) fn temporary(path: &Path) -> Option<PathBuf> {
    Some(path.with_file_name(format!(".{}.tmp", path.file_name()?.to_string_lossy())))
}
