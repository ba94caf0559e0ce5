//! What a weights file says of its network.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::WeightsError;

/// The version of the map that [`Metadata`] stands for.
const VERSION: &str = "1";

const FORMAT: &str = "format";
const METADATA: &str = "slowburn.metadata";
const WRITER: &str = "slowburn.version";
pub(super) const DIGEST: &str = "slowburn.sha256";
const NETWORK: &str = "slowburn.network";
const ROLE: &str = "slowburn.role";
const IMAGE: &str = "slowburn.image";
const MEAN: &str = "slowburn.mean";
const STD: &str = "slowburn.std";
const CLASSES: &str = "slowburn.classes";
const RECIPE: &str = "slowburn.recipe";

/// What a network needs from whoever uses it: it is written into the file, so that nobody has to remember it.
///
/// The file holds a map of strings, the header's `__metadata__`. Version 1 has these keys; only the first three are always
/// there. Lists and maps are JSON.
///
/// | Key | What |
/// |---|---|
/// | `format` | `pt`, which says PyTorch's names and layout to Python's libraries |
/// | `slowburn.metadata` | the version of this map: `1` |
/// | `slowburn.version` | the version of the crate that wrote it |
/// | `slowburn.sha256` | see below |
/// | `slowburn.network` | which network, in the words of the program that made it: `resnet18` |
/// | `slowburn.role` | what it was in training: `student`, `teacher`, `query`, `key` |
/// | `slowburn.image` | the size that it sees: `[channels, height, width]` |
/// | `slowburn.mean`, `slowburn.std` | a number for each channel, of pixel values in [0, 1]: the network sees `(x − mean)/std` |
/// | `slowburn.classes` | the names of the classes, in the order of the logits |
/// | `slowburn.recipe` | how it was trained |
/// | any other | what the program that made it adds: [`more`](Self::more) |
///
/// The digest is SHA-256, in hexadecimal, over every other entry of the map in order of keys, as `key`, a zero byte, `value`,
/// a zero byte; then over every tensor in order of names, as `name`, a zero byte, the type as in the header, a zero byte, the
/// shape as JSON without spaces, a zero byte, and the values as in the file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metadata {
    /// The version of the crate that wrote the file; filled in when it is written.
    pub version: Option<String>,
    /// Which network, in the words of the program that made it.
    pub network: Option<String>,
    /// What it was in training.
    pub role: Option<String>,
    /// The size of the images that it sees: channels, height, width, in pixels.
    pub image: Option<[usize; 3]>,
    /// What is subtracted from pixel values in [0, 1], for each channel; empty where nobody said it.
    pub mean: Vec<f32>,
    /// What they are divided by then, for each channel; empty where nobody said it.
    pub std: Vec<f32>,
    /// The names of the classes, in the order of the logits; empty where there are none.
    pub classes: Vec<String>,
    /// How it was trained.
    pub recipe: Option<String>,
    /// Entries of other names. Names that begin with `slowburn.` are this crate's.
    pub more: BTreeMap<String, String>,
}

impl Metadata {
    /// Whether the file says anything: bare files of other programs do not.
    pub fn is_empty(&self) -> bool {
        let Self { version, network, role, image, mean, std, classes, recipe, more: _ } = self;
        let said = [version, network, role, recipe].iter().any(|entry| entry.is_some());
        !said && image.is_none() && mean.is_empty() && std.is_empty() && classes.is_empty()
    }

    /// The map without its digest.
    pub(crate) fn to_map(&self) -> BTreeMap<String, String> {
        let mut map = self.more.clone();
        let mut set = |key: &str, value: Option<String>| value.map(|value| map.insert(key.to_owned(), value));
        set(FORMAT, Some("pt".to_owned()));
        set(METADATA, Some(VERSION.to_owned()));
        set(WRITER, Some(env!("CARGO_PKG_VERSION").to_owned()));
        set(NETWORK, self.network.clone());
        set(ROLE, self.role.clone());
        set(IMAGE, self.image.map(|image| json(&image)));
        set(MEAN, (!self.mean.is_empty()).then(|| json(&self.mean)));
        set(STD, (!self.std.is_empty()).then(|| json(&self.std)));
        set(CLASSES, (!self.classes.is_empty()).then(|| json(&self.classes)));
        set(RECIPE, self.recipe.clone());
        map
    }

    /// Reads the map of the file at `path`. Maps of other programs' files are all [`more`](Self::more).
    pub(super) fn of_map(mut map: BTreeMap<String, String>, path: &Path) -> Result<Self, WeightsError> {
        let wrong =
            |key: &str, reason: String| WeightsError::Metadata { path: path.to_owned(), key: key.to_owned(), reason };
        match map.remove(METADATA).as_deref() {
            None => return Ok(Self { more: map, ..Self::default() }),
            Some(VERSION) => {}
            Some(other) => {
                return Err(wrong(METADATA, format!("it is of version {other}, this program knows {VERSION}")));
            }
        }
        map.remove(FORMAT);
        map.remove(DIGEST);
        fn list<T: DeserializeOwned>(text: Option<String>) -> Result<Option<T>, String> {
            text.map(|text| serde_json::from_str(&text).map_err(|error| error.to_string())).transpose()
        }
        Ok(Self {
            version: map.remove(WRITER),
            network: map.remove(NETWORK),
            role: map.remove(ROLE),
            image: list(map.remove(IMAGE)).map_err(|reason| wrong(IMAGE, reason))?,
            mean: list(map.remove(MEAN)).map_err(|reason| wrong(MEAN, reason))?.unwrap_or_default(),
            std: list(map.remove(STD)).map_err(|reason| wrong(STD, reason))?.unwrap_or_default(),
            classes: list(map.remove(CLASSES)).map_err(|reason| wrong(CLASSES, reason))?.unwrap_or_default(),
            recipe: map.remove(RECIPE),
            more: map,
        })
    }
}

/// Numbers and strings always have a JSON form.
fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
