//! An image of a data set and what was seen of it.

use std::path::PathBuf;

use super::format::Format;
use super::similar::Print;

/// Where an image lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Side {
    /// In a folder without `train` and `test`.
    Flat,
    Train,
    Test,
}

/// A file that training would take for an image.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) path: PathBuf,
    /// Below the folder, with `/` between folders; bytes that are no UTF-8 as `\xNN`.
    pub(super) name: String,
    pub(super) side: Side,
    /// The name of its class; nothing without label.
    pub(super) label: Option<String>,
}

/// An image, or what is in the place of one.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) name: String,
    pub(super) side: Side,
    pub(super) label: Option<String>,
    /// SHA-256 of the file's bytes; of the pixels in an IDX file. Nothing of a file that is empty or was not read.
    pub(super) sha256: Option<[u8; 32]>,
    pub(super) content: Content,
}

#[derive(Debug, Clone)]
pub(super) enum Content {
    Image(Facts),
    /// 0 bytes.
    Empty,
    /// It cannot be decoded, and why.
    Broken(String),
    /// It cannot be read, and why.
    Unreadable(String),
}

/// What is known of an image that can be decoded.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    /// Pixels, as they are stored.
    pub(super) height: usize,
    pub(super) width: usize,
    /// One channel.
    pub(super) gray: bool,
    pub(super) alpha: bool,
    /// More than 8 bits a channel.
    pub(super) deep: bool,
    /// EXIF data say that it is to be turned or mirrored.
    pub(super) turned: bool,
    /// The format of its content, where its name says another one.
    pub(super) misnamed: Option<Format>,
    /// Nothing of images that are not compared.
    pub(super) print: Option<Box<Print>>,
    /// Nearly one colour: it has no print.
    pub(super) flat: bool,
}

impl Item {
    pub(super) fn facts(&self) -> Option<&Facts> {
        match &self.content {
            Content::Image(facts) => Some(facts),
            _ => None,
        }
    }
}
