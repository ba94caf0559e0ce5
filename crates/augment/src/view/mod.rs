//! What was drawn for one view: printable, storable, replayable.

mod draw;

use std::fmt;

use serde::{Deserialize, Serialize};

pub(crate) use draw::noise;

use crate::operation::{check_crop, check_shift};
use crate::{AugmentError, ImageSize, Key, Operation, Pipeline};

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

impl Pipeline {
    /// Checks that `view` can be applied to an image of `size` by this pipeline.
    pub(crate) fn check_view(&self, view: &View, size: ImageSize) -> Result<(), AugmentError> {
        let foreign = |reason| AugmentError::ForeignView { pipeline: self.name().to_owned(), reason };
        if view.drawn.len() != self.operations().len() {
            return Err(foreign(format!(
                "it has {} entries, the pipeline {} operations",
                view.drawn.len(),
                self.operations().len()
            )));
        }
        let mut size = size;
        for (position, (operation, drawn)) in self.operations().iter().zip(&view.drawn).enumerate() {
            if !check_drawn(position, operation, drawn, size)? {
                return Err(foreign(format!("operation {position} is {}, the view has {drawn:?}", operation.name())));
            }
            size = operation.output_size(size);
        }
        Ok(())
    }
}

/// Whether `operation` can have drawn something like `drawn`; an error if it cannot be applied to an image of `size`.
fn check_drawn(position: usize, operation: &Operation, drawn: &Drawn, size: ImageSize) -> Result<bool, AugmentError> {
    let within = |field, value: f32, valid: bool, allowed: &str| {
        if valid {
            return Ok(true);
        }
        let (operation, allowed) = (operation.name(), allowed.to_owned());
        Err(AugmentError::InvalidDraw { position, operation, field, value: value.to_string(), allowed })
    };
    match (operation, drawn) {
        (Operation::RandomResizedCrop { .. }, Drawn::RandomResizedCrop { top, left, height, width }) => {
            check_box(position, [*top, *left, *height, *width], size)
        }
        (Operation::Translate { .. }, Drawn::Translate { dx, dy }) => {
            let shift = dx.unsigned_abs().max(dy.unsigned_abs());
            check_shift(position, shift as usize, size)?;
            Ok(true)
        }
        (Operation::Rotate { .. }, Drawn::Rotate { degrees }) => {
            within("degrees", *degrees, (-180.0..=180.0).contains(degrees), "an angle in [-180, 180]")
        }
        (Operation::ColorJitter { .. }, Drawn::ColorJitter { adjustments }) => {
            for adjustment in adjustments {
                match adjustment {
                    Adjustment::Hue(turn) => {
                        within("hue", *turn, (-0.5..=0.5).contains(turn), "a share of the circle in [-0.5, 0.5]")?
                    }
                    Adjustment::Brightness(factor) | Adjustment::Contrast(factor) | Adjustment::Saturation(factor) => {
                        within("factor", *factor, factor.is_finite() && *factor >= 0.0, "a finite number ≥ 0")?
                    }
                };
            }
            let colored = |a: &Adjustment| matches!(a, Adjustment::Hue(_) | Adjustment::Saturation(_));
            Ok(size.channels == 3 || !adjustments.iter().any(colored))
        }
        (Operation::GaussianBlur { .. }, Drawn::GaussianBlur { std }) => {
            within("std", *std, std.is_finite() && *std >= 0.0, "a finite number of pixels ≥ 0")
        }
        (Operation::RandomApply { operations, .. }, Drawn::RandomApply { drawn: Some(drawn) }) => {
            let mut fits = operations.len() == drawn.len();
            for (operation, drawn) in operations.iter().zip(drawn) {
                fits &= check_drawn(position, operation, drawn, size)?;
            }
            Ok(fits)
        }
        (Operation::CenterCrop { height, width }, Drawn::Deterministic) => {
            check_crop(position, [*height, *width], size)?;
            Ok(true)
        }
        (Operation::HorizontalFlip { .. }, Drawn::HorizontalFlip { .. })
        | (Operation::Grayscale { .. }, Drawn::Grayscale { .. })
        | (Operation::Solarize { .. }, Drawn::Solarize { .. })
        | (Operation::Cutout { .. }, Drawn::Cutout { .. })
        | (Operation::GaussianNoise { .. }, Drawn::GaussianNoise { .. })
        | (Operation::RandomApply { .. }, Drawn::RandomApply { drawn: None }) => Ok(true),
        (operation, Drawn::Deterministic) => Ok(!operation.is_random()),
        _ => Ok(false),
    }
}

/// Whether the box (top, left, height, width) lies inside the image.
fn check_box(position: usize, numbers: [u32; 4], size: ImageSize) -> Result<bool, AugmentError> {
    let [top, left, height, width] = numbers.map(|number| number as usize);
    let inside = |start: usize, length: usize, side: usize| length >= 1 && start < side && length <= side - start;
    if inside(top, height, size.height) && inside(left, width, size.width) {
        return Ok(true);
    }
    Err(AugmentError::InvalidDraw {
        position,
        operation: "RandomResizedCrop",
        field: "box",
        value: format!("{height}×{width} at ({left}, {top})"),
        allowed: format!("a box of at least 1×1 inside the image of {size}"),
    })
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
