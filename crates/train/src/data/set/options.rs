use serde::{Deserialize, Serialize};
use slowburn_augment::loader::{Exif, OnCorrupt};

/// How the files of a data set lie in its folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataLayout {
    /// Files in MNIST's format.
    Idx,
    /// `train/<class>/*`, and perhaps `test/<class>/*`.
    TrainTest,
    /// `<class>/*`, training images alone.
    Classes,
    /// Images at any depth, training images without labels.
    Flat,
}

impl std::fmt::Display for DataLayout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Idx => "IDX files",
            Self::TrainTest => "train/<class>/ and test/<class>/",
            Self::Classes => "<class>/, no test images",
            Self::Flat => "images without classes",
        })
    }
}

/// What becomes of grey images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GreyImages {
    /// They stay grey; grey and coloured images in one data set are an error.
    #[default]
    Keep,
    /// They become RGB where there is a coloured image, in training or test set, and stay grey else.
    RgbAmongColors,
    /// They become RGB.
    Rgb,
}

/// How the images of a data set are read, training and test images alike. IDX files have nothing of all this.
///
/// | Name | Default | [`photos`](LoadOptions::photos) | Purpose |
/// |---|---|---|---|
/// | `exif` | `Ignore` | `Apply` | whether photos are turned as their EXIF data say |
/// | `grey` | `Keep` | `RgbAmongColors` | what becomes of grey images |
/// | `on_corrupt` | `Stop` | `Stop` | whether an image that cannot be decoded is an error, or is left for the loaders to skip |
/// | `layout` | `None` | `None` | the layout to read a folder by, whatever else it looks like |
///
/// Options belong into the settings of a run: [`Dataset::fingerprint`](super::Dataset::fingerprint) knows all pixels of images
/// in memory, but only sixteen of others, which need not be among those that an option changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoadOptions {
    /// What is done with the orientation in EXIF data.
    pub exif: Exif,
    /// What becomes of grey images.
    pub grey: GreyImages,
    /// What happens to an image that cannot be decoded, or is not there.
    pub on_corrupt: OnCorrupt,
    /// The layout; found out where it is `None`.
    pub layout: Option<DataLayout>,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self { exif: Exif::Ignore, grey: GreyImages::Keep, on_corrupt: OnCorrupt::Stop, layout: None }
    }
}

impl LoadOptions {
    /// For one's own photos: upright, and of three channels where any has colours.
    pub fn photos() -> Self {
        Self { exif: Exif::Apply, grey: GreyImages::RgbAmongColors, ..Self::default() }
    }
}
