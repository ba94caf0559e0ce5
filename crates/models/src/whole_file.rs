//! Files that are there as a whole or not at all.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// Fills a file beside `path` and puts it in its place when it is whole and on the disk.
pub(crate) fn write_whole(path: &Path, fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    let partial = path.with_file_name(name);
    let filled = File::create(&partial).and_then(|file| {
        let mut buffer = BufWriter::new(file);
        fill(&mut buffer)?;
        buffer.flush()?;
        buffer.get_ref().sync_all()
    });
    let placed = filled.and_then(|()| std::fs::rename(&partial, path));
    placed.inspect_err(|_| drop(std::fs::remove_file(&partial)))
}
