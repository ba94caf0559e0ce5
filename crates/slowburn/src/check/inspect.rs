//! Looking at one file: its bytes, its format, its pixels.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use image::ImageDecoder;
use image::codecs::{jpeg::JpegDecoder, png::PngDecoder};
use image::metadata::Orientation;
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use slowburn_augment::loader::{DecodeError, Decoder, ReadBuffers};

use super::format::{self, Format};
use super::item::{Content, Facts, Item, Place};
use super::similar::Printer;

/// Seconds from one word about progress to the next.
const QUIET: Duration = Duration::from_secs(10);

/// Looks at all files, on all threads.
pub(super) fn inspect_all(places: Vec<Place>) -> Vec<Item> {
    let (started, told, done) = (Instant::now(), AtomicUsize::new(0), AtomicUsize::new(0));
    let all = places.len();
    let tell = |done: usize| {
        let due = started.elapsed().as_secs() as usize / QUIET.as_secs() as usize;
        if due > told.load(Ordering::Relaxed) && told.fetch_max(due, Ordering::Relaxed) < due {
            tracing::info!("{done} of {all} images looked at");
        }
    };
    places
        .into_par_iter()
        .map_init(
            || (ReadBuffers::default(), Printer::new()),
            |(buffers, printer), place| {
                let (sha256, content) = inspect(&place.path, buffers, printer);
                tell(done.fetch_add(1, Ordering::Relaxed) + 1);
                Item { name: place.name, side: place.side, label: place.label, sha256, content }
            },
        )
        .collect()
}

fn inspect(path: &Path, buffers: &mut ReadBuffers, printer: &mut Printer) -> (Option<[u8; 32]>, Content) {
    if let Err(reason) = read(path, &mut buffers.encoded) {
        return (None, Content::Unreadable(reason));
    }
    if buffers.encoded.is_empty() {
        return (None, Content::Empty);
    }
    let sha256 = Some(Sha256::digest(&buffers.encoded).into());
    let format = Format::of_content(&buffers.encoded);
    let size = match Decoder::default().decode(&buffers.encoded, &mut buffers.pixels) {
        Ok(size) => size,
        Err(error) => return (sha256, Content::Broken(reason(&error, format))),
    };
    let header = format.and_then(|format| Header::read(&buffers.encoded, format)).unwrap_or_default();
    let print = printer.print(size, &buffers.pixels, header.orientation);
    let facts = Facts {
        height: size.height,
        width: size.width,
        gray: size.channels == 1,
        alpha: header.alpha,
        deep: header.deep,
        turned: header.orientation != Orientation::NoTransforms,
        misnamed: format.filter(|format| Format::of_name(path).is_some_and(|named| named != *format)),
        flat: print.is_none(),
        print: print.map(Box::new),
    };
    (sha256, Content::Image(facts))
}

fn reason(error: &DecodeError, format: Option<Format>) -> String {
    match (error, format) {
        (DecodeError::UnknownFormat, Some(format)) => format!("it is {format}, by its content"),
        (DecodeError::UnknownFormat, None) => "its content is no image".to_owned(),
        (error, _) => {
            let said = error.to_string();
            said.split(" (allowed:").next().unwrap_or_default().to_owned()
        }
    }
}

/// Reads a file, and nothing that only looks like one: a pipe would never end.
fn read(path: &Path, into: &mut Vec<u8>) -> Result<(), String> {
    into.clear();
    let metadata = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        return Err("it is no regular file".to_owned());
    }
    let read = File::open(path).and_then(|mut file| file.read_to_end(into));
    read.map(|_| ()).map_err(|error| error.to_string())
}

/// The format of a file's content, by its first bytes; nothing where it cannot be read.
pub(super) fn sniff(path: &Path) -> Option<Format> {
    let mut bytes = Vec::new();
    if !std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file()) {
        return None;
    }
    File::open(path).ok()?.take(format::LOOKED_AT as u64).read_to_end(&mut bytes).ok()?;
    Format::of_content(&bytes)
}

/// What the decoder of training does not say.
struct Header {
    alpha: bool,
    deep: bool,
    orientation: Orientation,
}

impl Default for Header {
    fn default() -> Self {
        Self { alpha: false, deep: false, orientation: Orientation::NoTransforms }
    }
}

impl Header {
    fn read(encoded: &[u8], format: Format) -> Option<Self> {
        match format {
            Format::Jpeg => Self::of(JpegDecoder::new(Cursor::new(encoded)).ok()?),
            Format::Png => Self::of(PngDecoder::new(Cursor::new(encoded)).ok()?),
            _ => None,
        }
    }

    fn of(mut decoder: impl ImageDecoder) -> Option<Self> {
        let color = decoder.color_type();
        let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
        Some(Self { alpha: color.has_alpha(), deep: color.bytes_per_pixel() > color.channel_count(), orientation })
    }
}
