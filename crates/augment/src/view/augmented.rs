use std::fmt;

use serde::{Deserialize, Serialize};

/// One operation that [`Operation::RandAugment`](crate::Operation::RandAugment) applied, with what it drew.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Augmented {
    /// Nothing.
    Identity,
    /// Each channel stretched to the whole range.
    AutoContrast,
    /// Each channel's histogram made even.
    Equalize,
    /// An angle in degrees, counter-clockwise.
    Rotate(f32),
    /// The threshold, in [0, 1].
    Solarize(f32),
    /// Factor of the distance to the pixel's luma, ≥ 0.
    Color(f32),
    /// Factor of the distance to the mean luma, ≥ 0.
    Contrast(f32),
    /// Factor of the values, ≥ 0.
    Brightness(f32),
    /// Factor of the distance to the smoothed image, ≥ 0.
    Sharpness(f32),
    /// Slope of the rows: the pixel at (x, y) shows (x + s·y, y). In [−1, 1].
    ShearX(f32),
    /// Slope of the columns: the pixel at (x, y) shows (x, y + s·x). In [−1, 1].
    ShearY(f32),
    /// The content moves to the right by this many pixels.
    TranslateX(i32),
    /// The content moves down by this many pixels.
    TranslateY(i32),
    /// Bits that are kept, 1 to 8.
    Posterize(u32),
}

impl Augmented {
    /// What is wrong with a number that no pipeline drew: its field, its value and what is allowed.
    pub(super) fn problem(&self) -> Option<(&'static str, String, &'static str)> {
        let slope = "a slope in [-1, 1]";
        let (field, value, valid, allowed) = match *self {
            Self::Identity | Self::AutoContrast | Self::Equalize => return None,
            Self::TranslateX(_) | Self::TranslateY(_) => return None,
            Self::Rotate(degrees) => {
                ("degrees", degrees, (-180.0..=180.0).contains(&degrees), "an angle in [-180, 180]")
            }
            Self::Solarize(threshold) => {
                ("threshold", threshold, (0.0..=1.0).contains(&threshold), "a value in [0, 1]")
            }
            Self::Color(factor) | Self::Contrast(factor) | Self::Brightness(factor) | Self::Sharpness(factor) => {
                ("factor", factor, factor.is_finite() && factor >= 0.0, "a finite number ≥ 0")
            }
            Self::ShearX(by) | Self::ShearY(by) => ("shear", by, (-1.0..=1.0).contains(&by), slope),
            Self::Posterize(bits) => ("bits", bits as f32, (1..=8).contains(&bits), "1 to 8 bits"),
        };
        (!valid).then(|| (field, value.to_string(), allowed))
    }
}

impl fmt::Display for Augmented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Identity => write!(f, "identity"),
            Self::AutoContrast => write!(f, "stretch contrast"),
            Self::Equalize => write!(f, "equalise"),
            Self::Rotate(degrees) => write!(f, "rotate {degrees:+.1}°"),
            Self::Solarize(threshold) => write!(f, "solarise from {threshold:.3}"),
            Self::Color(factor) => write!(f, "saturation ×{factor:.3}"),
            Self::Contrast(factor) => write!(f, "contrast ×{factor:.3}"),
            Self::Brightness(factor) => write!(f, "brightness ×{factor:.3}"),
            Self::Sharpness(factor) => write!(f, "sharpness ×{factor:.3}"),
            Self::ShearX(slope) => write!(f, "shear x {slope:+.3}"),
            Self::ShearY(slope) => write!(f, "shear y {slope:+.3}"),
            Self::TranslateX(pixels) => write!(f, "shift x {pixels:+} px"),
            Self::TranslateY(pixels) => write!(f, "shift y {pixels:+} px"),
            Self::Posterize(bits) => write!(f, "posterise to {bits} bits"),
        }
    }
}
