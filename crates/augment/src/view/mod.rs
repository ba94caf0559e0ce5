//! What was drawn for one view: printable, storable, replayable.

mod augmented;
mod check;
mod draw;
mod rand_augment;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use augmented::Augmented;
pub(crate) use draw::noise;

use crate::Key;
// For the links of the documentation.
#[cfg(doc)]
use crate::{Operation, Pipeline};

/// What one operation drew for one view.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Drawn {
    /// The operation has nothing random.
    Deterministic,
    /// Of [`Operation::RandomResizedCrop`]: the box that becomes the view, in pixels of the image.
    RandomResizedCrop {
        /// First row.
        top: u32,
        /// First column.
        left: u32,
        /// Rows. ≥ 1.
        height: u32,
        /// Columns. ≥ 1.
        width: u32,
    },
    /// Of [`Operation::HorizontalFlip`].
    HorizontalFlip {
        /// Mirrored or not.
        flip: bool,
    },
    /// Of [`Operation::Translate`]: the content moves by this many pixels.
    Translate {
        /// To the right, in pixels.
        dx: i32,
        /// Downwards, in pixels.
        dy: i32,
    },
    /// Of [`Operation::Rotate`].
    Rotate {
        /// Angle in degrees, counter-clockwise.
        degrees: f32,
    },
    /// Of [`Operation::ColorJitter`].
    ColorJitter {
        /// What is changed, in the order in which it is. Strengths of 0 are not in it.
        adjustments: Vec<Adjustment>,
    },
    /// Of [`Operation::Grayscale`].
    Grayscale {
        /// Made grey or not.
        gray: bool,
    },
    /// Of [`Operation::Solarize`].
    Solarize {
        /// Solarised or not.
        solarize: bool,
    },
    /// Of [`Operation::Shear`].
    Shear {
        /// Slope of the rows: the pixel at (x, y) shows (x + slope·y, …).
        x: f32,
        /// Slope of the columns.
        y: f32,
    },
    /// Of [`Operation::AutoContrast`].
    AutoContrast {
        /// Stretched or not.
        stretch: bool,
    },
    /// Of [`Operation::Equalize`].
    Equalize {
        /// Equalised or not.
        equalize: bool,
    },
    /// Of [`Operation::Posterize`].
    Posterize {
        /// Bits that are kept; nothing if it is not applied.
        bits: Option<u32>,
    },
    /// Of [`Operation::Sharpness`].
    Sharpness {
        /// Factor of the distance to the smoothed image; nothing if it is not applied.
        factor: Option<f32>,
    },
    /// Of [`Operation::RandAugment`].
    RandAugment {
        /// What is applied, in order.
        applied: Vec<Augmented>,
    },
    /// Of [`Operation::MaskPatches`].
    MaskPatches {
        /// The patches, counted row by row from the top left, in rising order.
        patches: Vec<u32>,
        /// Where their noise comes from, as in [`GaussianNoise`](Drawn::GaussianNoise); nothing if they have one value.
        noise: Option<u64>,
    },
    /// Of [`Operation::GaussianBlur`].
    GaussianBlur {
        /// Standard deviation, in pixels.
        std: f32,
    },
    /// Of [`Operation::Cutout`]: the centre of the square (for an even side, the pixel right of and below it).
    Cutout {
        /// Column, in pixels.
        x: u32,
        /// Row, in pixels.
        y: u32,
    },
    /// Of [`Operation::GaussianNoise`]: too many values to print, so where they come from.
    GaussianNoise {
        /// Stream of the ChaCha8 generator under the view's key.
        stream: u64,
    },
    /// Of [`Operation::RandomApply`].
    RandomApply {
        /// What its operations drew; nothing if they are not applied.
        drawn: Option<Vec<Drawn>>,
    },
}

/// One change of [`Operation::ColorJitter`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Adjustment {
    /// Factor of the values, ≥ 0. 1 changes nothing.
    Brightness(f32),
    /// Factor of the distance to the mean luma, ≥ 0. 1 changes nothing.
    Contrast(f32),
    /// Factor of the distance to the pixel's luma, ≥ 0. 1 changes nothing.
    Saturation(f32),
    /// Turn of the hue as a share of the circle, in [−0.5, 0.5]. 0 changes nothing.
    Hue(f32),
}

/// The parameters of one view of one image: what a [`Pipeline`] drew, one entry per operation.
///
/// A view can be printed, stored and replayed: applying it to the same image gives the same values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct View {
    /// The key the parameters were drawn with.
    pub key: Key,
    /// What each operation of the pipeline drew, in its order.
    pub drawn: Vec<Drawn>,
}

impl fmt::Display for Adjustment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Brightness(factor) => write!(f, "brightness ×{factor:.3}"),
            Self::Contrast(factor) => write!(f, "contrast ×{factor:.3}"),
            Self::Saturation(factor) => write!(f, "saturation ×{factor:.3}"),
            Self::Hue(turn) => write!(f, "hue {turn:+.3}"),
        }
    }
}

impl fmt::Display for Drawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deterministic => write!(f, "fixed"),
            Self::RandomResizedCrop { top, left, height, width } => {
                write!(f, "box {height}×{width} at ({left}, {top}) px")
            }
            Self::HorizontalFlip { flip: true } => write!(f, "flip"),
            Self::HorizontalFlip { flip: false } => write!(f, "no flip"),
            Self::Translate { dx, dy } => write!(f, "shift ({dx:+}, {dy:+}) px"),
            Self::Rotate { degrees } => write!(f, "rotate {degrees:+.1}°"),
            Self::ColorJitter { adjustments } if adjustments.is_empty() => write!(f, "no jitter"),
            Self::ColorJitter { adjustments } => write_list(f, adjustments, " "),
            Self::Grayscale { gray: true } => write!(f, "grey"),
            Self::Grayscale { gray: false } => write!(f, "in colour"),
            Self::Solarize { solarize: true } => write!(f, "solarise"),
            Self::Solarize { solarize: false } => write!(f, "not solarised"),
            Self::Shear { x, y } => write!(f, "shear ({x:+.3}, {y:+.3})"),
            Self::AutoContrast { stretch: true } => write!(f, "stretch contrast"),
            Self::AutoContrast { stretch: false } => write!(f, "contrast not stretched"),
            Self::Equalize { equalize: true } => write!(f, "equalise"),
            Self::Equalize { equalize: false } => write!(f, "not equalised"),
            Self::Posterize { bits: Some(bits) } => write!(f, "posterise to {bits} bits"),
            Self::Posterize { bits: None } => write!(f, "not posterised"),
            Self::Sharpness { factor: Some(factor) } => write!(f, "sharpness ×{factor:.3}"),
            Self::Sharpness { factor: None } => write!(f, "sharpness as it is"),
            Self::RandAugment { applied } => write_list(f, applied, ", "),
            Self::MaskPatches { patches, .. } if patches.is_empty() => write!(f, "no patch masked"),
            Self::MaskPatches { patches, noise } => {
                write!(f, "mask patches ")?;
                write_list(f, patches, " ")?;
                noise.map_or(Ok(()), |stream| write!(f, " with noise of stream {stream}"))
            }
            Self::GaussianBlur { std } => write!(f, "blur {std:.2} px"),
            Self::Cutout { x, y } => write!(f, "cut out at ({x}, {y}) px"),
            Self::GaussianNoise { stream } => write!(f, "noise of stream {stream}"),
            Self::RandomApply { drawn: None } => write!(f, "not applied"),
            Self::RandomApply { drawn: Some(drawn) } => write_list(f, drawn, ", "),
        }
    }
}

fn write_list(f: &mut fmt::Formatter<'_>, items: &[impl fmt::Display], separator: &str) -> fmt::Result {
    for (position, item) in items.iter().enumerate() {
        let separator = if position == 0 { "" } else { separator };
        write!(f, "{separator}{item}")?;
    }
    Ok(())
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Key { seed, epoch, sample, view } = self.key;
        write!(f, "view {view} of sample {sample} in epoch {epoch} of seed {seed}:")?;
        for (position, drawn) in self.drawn.iter().enumerate() {
            let separator = if position == 0 { " " } else { ", " };
            write!(f, "{separator}{drawn}")?;
        }
        Ok(())
    }
}
