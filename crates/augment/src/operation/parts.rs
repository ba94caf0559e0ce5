use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ImageSize;

/// How an image is resized. Both filters are antialiased: they widen when the image shrinks, as Pillow's do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Filter {
    /// A triangle over two pixels.
    Bilinear,
    /// Keys' cubic with a = −0.5 over four pixels (Pillow's; PyTorch's without antialiasing has −0.75).
    Bicubic,
}

/// The size that [`Operation::Resize`](crate::Operation::Resize) makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum ResizeTo {
    /// The shorter side gets this many pixels, the longer one keeps the ratio (rounded down, as torchvision).
    ShorterSide(u32),
    /// Exactly this size, whatever the ratio.
    Exact {
        /// Rows, in pixels. ≥ 1.
        height: u32,
        /// Columns, in pixels. ≥ 1.
        width: u32,
    },
}

impl ResizeTo {
    pub(crate) fn applied_to(self, input: ImageSize) -> ImageSize {
        match self {
            Self::Exact { height, width } => ImageSize::new(height as usize, width as usize, input.channels),
            Self::ShorterSide(side) => {
                let side = side as usize;
                let longer = |long: usize, short: usize| side * long / short.max(1);
                if input.height <= input.width {
                    ImageSize::new(side, longer(input.width, input.height), input.channels)
                } else {
                    ImageSize::new(longer(input.height, input.width), side, input.channels)
                }
            }
        }
    }
}

/// How a rotated image finds values between pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RotationFilter {
    /// The pixel that the point lies in: torchvision's default.
    Nearest,
    /// Between the four pixels around the point.
    Bilinear,
}

/// What lies outside an image that is rotated.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Border {
    /// A value, in the units of the image's values. Recipes have 0, black.
    Fill(f32),
    /// The nearest pixel of the edge.
    Edge,
}

/// What [`Operation::MaskPatches`](crate::Operation::MaskPatches) shows in the place of a patch, in the units of the values
/// before it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum MaskFill {
    /// A value. Behind a normalisation 0 is the mean of the data set.
    Value(f32),
    /// Independent normal values of mean 0.
    Noise {
        /// Standard deviation. Finite, ≥ 0; behind a normalisation 1 is that of the data set.
        std: f32,
    },
}

/// Which filter approximates a Gaussian.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum BlurKernel {
    /// Three extended box filters per axis (Gwosdek et al., SSVM 2011), the edge pixel repeated: what Pillow's
    /// `GaussianBlur(radius = std)` computes, hence the recipes of MoCo and all that load images with Pillow.
    /// The variance is exact, the shape nearly Gaussian.
    Boxes,
    /// The Gaussian sampled at the pixels up to `radius` from the centre and normalised, reflected at the edges: what
    /// torchvision's `GaussianBlur(kernel_size = 2·radius + 1)` computes. `radius` must be shorter than the sides.
    Truncated {
        /// Pixels to each side of the centre. ≥ 1.
        radius: u32,
    },
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bilinear => "bilinear",
            Self::Bicubic => "bicubic",
        })
    }
}

impl fmt::Display for ResizeTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ShorterSide(side) => write!(f, "the shorter side to {side} px"),
            Self::Exact { height, width } => write!(f, "to {height}×{width} px"),
        }
    }
}

impl fmt::Display for RotationFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nearest => "nearest",
            Self::Bilinear => "bilinear",
        })
    }
}

impl fmt::Display for Border {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fill(value) => write!(f, "filled with {value}"),
            Self::Edge => write!(f, "edge repeated"),
        }
    }
}

impl fmt::Display for MaskFill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(value) => write!(f, "filled with {value}"),
            Self::Noise { std } => write!(f, "filled with noise of std {std}"),
        }
    }
}

impl fmt::Display for BlurKernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boxes => write!(f, "three boxes"),
            Self::Truncated { radius } => write!(f, "cut at {radius} px"),
        }
    }
}
