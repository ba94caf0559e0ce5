use std::fmt;

use serde::{Deserialize, Serialize};

use super::Operation;

/// One operation that [`Operation::RandAugment`] may choose. What it drew is an [`Augmented`](crate::Augmented).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Augment {
    /// Nothing.
    Identity,
    /// Each channel stretched to the whole range, as [`Operation::AutoContrast`].
    AutoContrast,
    /// Each channel's histogram made even, as [`Operation::Equalize`].
    Equalize,
    /// A rotation around the centre, nearest pixel, corners black.
    Rotate,
    /// Values from a threshold on inverted.
    Solarize,
    /// Saturation. Nothing on an image of one channel, as in Pillow.
    Color,
    /// Distance to the mean luma.
    Contrast,
    /// A factor of the values.
    Brightness,
    /// Distance to a smoothed image, as [`Operation::Sharpness`].
    Sharpness,
    /// Rows shifted in proportion to their place, anchored at the top left corner; the rest black.
    ShearX,
    /// Columns shifted in proportion to their place, anchored at the top left corner; the rest black.
    ShearY,
    /// A shift along the rows by whole pixels; the rest black.
    TranslateX,
    /// A shift along the columns by whole pixels; the rest black.
    TranslateY,
    /// Only the highest bits of each byte kept.
    Posterize,
}

impl Augment {
    /// The pool of the papers.
    pub const ALL: [Self; 14] = [
        Self::Identity,
        Self::AutoContrast,
        Self::Equalize,
        Self::Rotate,
        Self::Solarize,
        Self::Color,
        Self::Contrast,
        Self::Brightness,
        Self::Sharpness,
        Self::ShearX,
        Self::ShearY,
        Self::TranslateX,
        Self::TranslateY,
        Self::Posterize,
    ];
}

/// How strong the operations of [`Operation::RandAugment`] are.
///
/// | | `Fixmatch` | `Torchvision`, b = `magnitude` / (`bins` − 1) |
/// |---|---|---|
/// | `Color`, `Contrast`, `Brightness`, `Sharpness` | factor uniform in \[0.1, 1.9\] | 1 ± 0.9 b |
/// | `Rotate` | angle uniform in ±30° | ±30° b |
/// | `ShearX`, `ShearY` | slope uniform in ±0.3 | ±0.3 b |
/// | `TranslateX`, `TranslateY` | uniform in ±0.3 of the side, rounded to pixels | ±150/331 b of the side, cut off to pixels |
/// | `Solarize` | threshold uniform in \[0, 1\] | 1 − b |
/// | `Posterize` | 4, 5, 6, 7 or 8 bits | 8 − 4 b bits, rounded half to even |
/// | the others | – | – |
///
/// Signs of torchvision's are drawn, each with probability 1/2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Magnitudes {
    /// Drawn anew for each operation, uniform in the ranges of FixMatch's table of operations (arXiv 2001.07685), but for the four
    /// factors: the table has \[0.05, 0.95\], which only ever darkens, greys and smooths; the authors' code has 0.1 + 1.8 l,
    /// on both sides of 1, and so has this.
    ///
    /// Ported code has other numbers: the authors' RandAugment keeps 1 to 4 bits; kekmodel's and USB's factors stay below 1.
    Fixmatch,
    /// One for all (arXiv 1909.13719), as torchvision's `RandAugment` has them.
    Torchvision {
        /// Which bin. Less than `bins`; torchvision's default is 9.
        magnitude: u32,
        /// Number of bins. 2 to 1024; torchvision's default is 31.
        bins: u32,
    },
}

impl Operation {
    /// FixMatch's RandAugment: `ops` of all 14 operations, each time at another strength. The paper has two of them, and
    /// [`Operation::Cutout`] always behind them.
    pub fn fixmatch_rand_augment(ops: u32) -> Self {
        Self::RandAugment { ops, pool: Augment::ALL.to_vec(), magnitudes: Magnitudes::Fixmatch }
    }

    /// torchvision's `RandAugment(ops, magnitude)`, with its 31 bins. Its defaults are 2 and 9.
    pub fn torchvision_rand_augment(ops: u32, magnitude: u32) -> Self {
        let magnitudes = Magnitudes::Torchvision { magnitude, bins: 31 };
        Self::RandAugment { ops, pool: Augment::ALL.to_vec(), magnitudes }
    }
}

impl fmt::Display for Augment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Identity => "identity",
            Self::AutoContrast => "auto contrast",
            Self::Equalize => "equalise",
            Self::Rotate => "rotate",
            Self::Solarize => "solarise",
            Self::Color => "colour",
            Self::Contrast => "contrast",
            Self::Brightness => "brightness",
            Self::Sharpness => "sharpness",
            Self::ShearX => "shear x",
            Self::ShearY => "shear y",
            Self::TranslateX => "shift x",
            Self::TranslateY => "shift y",
            Self::Posterize => "posterise",
        })
    }
}

impl fmt::Display for Magnitudes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixmatch => write!(f, "FixMatch's magnitudes"),
            Self::Torchvision { magnitude, bins } => write!(f, "torchvision's magnitude {magnitude} of {bins}"),
        }
    }
}

/// `2 of 14 operations`, or their names if they are not the papers'.
pub(super) fn write_pool(f: &mut fmt::Formatter<'_>, ops: u32, pool: &[Augment]) -> fmt::Result {
    write!(f, "{ops} of {} operations", pool.len())?;
    if pool == Augment::ALL {
        return Ok(());
    }
    for (position, augment) in pool.iter().enumerate() {
        let separator = if position == 0 { " (" } else { ", " };
        write!(f, "{separator}{augment}")?;
    }
    write!(f, ")")
}
