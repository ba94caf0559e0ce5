use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use slowburn_train::monitor::write_features;
use slowburn_train::run::write_atomically;

use super::Features;

/// What a file of features may end with.
const ENDINGS: [&str; 3] = ["safetensors", "npy", "csv"];

/// The ending of a path, if features can be written with it.
fn ending(path: &Path) -> Option<&'static str> {
    let found = path.extension()?.to_str()?;
    ENDINGS.into_iter().find(|ending| ending.eq_ignore_ascii_case(found))
}

/// Checks the ending before anything is computed.
pub(super) fn check(path: Option<&Path>) -> Result<()> {
    match path {
        Some(path) if ending(path).is_none() => {
            bail!("--out {}: it must end with .safetensors, .npy or .csv", path.display())
        }
        _ => Ok(()),
    }
}

/// Writes features with the names of their images.
pub(super) fn write(path: &Path, names: &[String], features: &Features) -> Result<()> {
    match ending(path) {
        Some("npy") => {
            write_atomically(path, &npy(names.len(), features)).with_context(|| path.display().to_string())?;
            let (mut beside, mut list) = (path.as_os_str().to_owned(), String::new());
            beside.push(".names.txt");
            names.iter().for_each(|name| list.extend([name, "\n"]));
            let beside = PathBuf::from(beside);
            write_atomically(&beside, list.as_bytes()).with_context(|| beside.display().to_string())
        }
        Some("csv") => {
            let mut text = Vec::new();
            write_csv(&mut text, names, features)?;
            write_atomically(path, &text).with_context(|| path.display().to_string())
        }
        _ => Ok(write_features(path, names, &features.values, features.dim)?),
    }
}

/// A header and a line an image: its name, then its features.
pub(super) fn write_csv(out: impl Write, names: &[String], features: &Features) -> Result<()> {
    let mut csv = csv::Writer::from_writer(std::io::BufWriter::new(out));
    let header = std::iter::once("image".to_owned()).chain((0..features.dim).map(|number| format!("f{number}")));
    csv.write_record(header)?;
    for (place, name) in names.iter().enumerate() {
        let values = features.row(place).iter().map(ToString::to_string);
        csv.write_record(std::iter::once(name.clone()).chain(values))?;
    }
    Ok(csv.flush()?)
}

/// NumPy's format, version 1.0: magic, version, length of the header, header padded to 64 bytes, values.
fn npy(rows: usize, features: &Features) -> Vec<u8> {
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {}), }}", features.dim);
    let padding = (64 - (10 + header.len() + 1) % 64) % 64;
    let length = (header.len() + padding + 1) as u16;
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend(length.to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(std::iter::repeat_n(b' ', padding));
    bytes.push(b'\n');
    bytes.extend(features.values.iter().flat_map(|value| value.to_le_bytes()));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn features() -> Features {
        Features { samples: vec![0, 1], values: vec![1.0, -2.5, 0.1, 4.0], dim: 2 }
    }

    #[test]
    fn files_are_what_their_endings_say() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let names = ["a,b.jpg".to_owned(), "c.jpg".to_owned()];
        let path = |name: &str| folder.path().join(name);
        write(&path("f.csv"), &names, &features()).expect("written");
        let text = std::fs::read_to_string(path("f.csv")).expect("text");
        assert_eq!(text, "image,f0,f1\n\"a,b.jpg\",1,-2.5\nc.jpg,0.1,4\n");

        write(&path("f.npy"), &names, &features()).expect("written");
        let bytes = std::fs::read(path("f.npy")).expect("bytes");
        assert_eq!((bytes.len() - 16) % 64, 0, "the header ends at a multiple of 64");
        assert!(
            bytes.starts_with(b"\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }")
        );
        assert_eq!(bytes[bytes.len() - 4..], 4.0f32.to_le_bytes());
        let list = std::fs::read_to_string(path("f.npy.names.txt")).expect("names");
        assert_eq!(list, "a,b.jpg\nc.jpg\n");
        assert!(check(Some(&path("f.txt"))).is_err() && check(Some(&path("f.NPY"))).is_ok() && check(None).is_ok());
    }
}
