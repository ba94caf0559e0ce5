use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use super::event::Event;

/// A file of events, each framed as TensorFlow's records are.
#[derive(Debug)]
pub(super) struct EventFile(File);

impl EventFile {
    /// Begins a file in `folder` for steps from `first` on, which replace those of earlier files there.
    pub(super) fn create(folder: &Path, first: u64) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let mut file = Self(new_file(folder)?);
        file.write(&Event::version())?;
        file.write(&Event::start(first))?;
        Ok(file)
    }

    /// Appends an event: at once, so that a run that is killed loses nothing, and whole.
    pub(super) fn write(&mut self, event: &Event<'_>) -> io::Result<()> {
        self.0.write_all(&frame(&event.encode()))
    }
}

/// A file of a name that no other has. TensorBoard reads the files of a folder in the order of their names.
fn new_file(folder: &Path) -> io::Result<File> {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let name = format!("events.out.tfevents.{seconds:010}.{}", host());
    let mut number = 0;
    loop {
        // Two within a second: the second goes behind.
        let name = if number == 0 { name.clone() } else { format!("{name}.{number:03}") };
        match OpenOptions::new().write(true).create_new(true).open(folder.join(name)) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
            other => return other,
        }
    }
}

/// The machine's name, as far as it can be found without asking a network.
fn host() -> String {
    let file = |path| fs::read_to_string(path).ok();
    let variable = |name| std::env::var(name).ok();
    let name = variable("HOSTNAME").or_else(|| file("/proc/sys/kernel/hostname")).or_else(|| file("/etc/hostname"));
    let name = name.or_else(|| variable("COMPUTERNAME")).unwrap_or_default();
    let plain = |character: &char| character.is_ascii_alphanumeric() || ['-', '_'].contains(character);
    let name: String = name.trim().chars().filter(plain).take(64).collect();
    if name.is_empty() { "localhost".to_owned() } else { name }
}

/// A record: length, its checksum, data, their checksum.
fn frame(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    [&length[..], &masked(&length).to_le_bytes(), data, &masked(data).to_le_bytes()].concat()
}

/// CRC-32C, turned and shifted: a checksum of data that hold checksums is a weak one otherwise.
fn masked(data: &[u8]) -> u32 {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_castagnolis_and_masked() {
        // The check value of the polynomial's catalogue.
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(masked(b""), 0xa282_ead8);
        assert_eq!(frame(b"abc").len(), 8 + 4 + 3 + 4);
    }
}
