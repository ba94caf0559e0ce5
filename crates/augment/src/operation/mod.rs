//! What a pipeline is made of: the operations, their parameters and what is allowed for them.

mod check;
mod parts;
mod rand_augment;

use std::fmt;

use serde::{Deserialize, Serialize};

pub(crate) use check::{check_crop, check_shift};
pub use parts::{BlurKernel, Border, Filter, MaskFill, ResizeTo, RotationFilter};
use rand_augment::write_pool;
pub use rand_augment::{Augment, Magnitudes};

use crate::ImageSize;

/// One step of a [`Pipeline`](crate::Pipeline).
///
/// | Variant | Parameters | Range | What is drawn |
/// |---|---|---|---|
/// | `RandomResizedCrop` | `height`, `width` | ≥ 1 px | box of the crop |
/// | | `scale` | 0 < low ≤ high ≤ 1, share of the area | |
/// | | `ratio` | 0 < low ≤ high, width : height | |
/// | `Resize` | `to` | ≥ 1 px | nothing |
/// | `CenterCrop` | `height`, `width` | 1 px to the image's side | nothing |
/// | `HorizontalFlip` | `probability` | \[0, 1\] | flip or not |
/// | `Translate` | `max_pixels` | 0 to the shorter side less 1 | shift per axis |
/// | `Rotate` | `max_degrees` | \[0, 180\] | angle |
/// | `Shear` | `max_x`, `max_y` | \[0, 1\], a slope | slope per axis |
/// | `ColorJitter` | `brightness`, `contrast`, `saturation` | finite, ≥ 0 | order and factors |
/// | | `hue` | \[0, 0.5\], of the colour circle | |
/// | `Grayscale` | `probability` | \[0, 1\] | grey or not |
/// | `Solarize` | `probability`, `threshold` | \[0, 1\] | solarised or not |
/// | `AutoContrast`, `Equalize` | `probability` | \[0, 1\] | applied or not |
/// | `Posterize` | `probability` | \[0, 1\] | posterised or not |
/// | | `bits` | 1 ≤ low ≤ high ≤ 8 | number of bits |
/// | `Sharpness` | `probability` | \[0, 1\] | changed or not |
/// | | `factor` | 0 ≤ low ≤ high, finite | factor |
/// | `RandAugment` | `ops` | 1 to 16 | which operations, with which values |
/// | | `pool` | 1 to 255 of them | |
/// | | `magnitudes` | see [`Magnitudes`] | |
/// | `GaussianBlur` | `std` | 0 ≤ low ≤ high, px | standard deviation |
/// | `Cutout` | `side` | ≥ 1 px | centre |
/// | `MaskPatches` | `share` | \[0, 1\], of the patches | which patches |
/// | | `patch` | 1 px to the shorter side | |
/// | | `fill` | finite; a std ≥ 0 | noise |
/// | `GaussianNoise` | `std` | finite, ≥ 0, in the units of the values before it | one value per pixel and channel |
/// | `Normalize` | `mean`, `std` per channel | finite; `std` > 0; equally many | nothing |
/// | `Standardize` | `epsilon` | finite, > 0 | nothing |
/// | `GlobalContrast` | `scale`, `min_norm` | finite, > 0 | nothing |
/// | `RandomApply` | `probability`, `operations` | \[0, 1\]; operations that keep the size | applied or not, and theirs |
///
/// Values are in \[0, 1\] (bytes divided by 255) until an operation changes them.
///
/// Each variant says which library's numbers it reproduces. Where torchvision computes 8-bit Pillow images and float tensors
/// differently, the crate's README lists both and the one matched here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Operation {
    /// Cut out a random box and resize it to `height`×`width`: "Inception-style" cropping (Szegedy et al.,
    /// arXiv 1409.4842), torchvision's `RandomResizedCrop`.
    ///
    /// The box has an area uniform in `scale`, as a share of the image, and a ratio width : height log-uniform in
    /// `ratio`, both sides rounded to pixels; ten boxes are tried, and if none fits into the image, the largest
    /// centred box with a ratio in the range is taken. The filter sees nothing outside the box.
    RandomResizedCrop {
        /// Height of the view, in pixels. ≥ 1.
        height: u32,
        /// Width of the view, in pixels. ≥ 1.
        width: u32,
        /// Least and greatest share of the image's area. In (0, 1].
        scale: [f32; 2],
        /// Least and greatest ratio width : height. Finite, > 0.
        ratio: [f32; 2],
        /// How the box is resized.
        filter: Filter,
    },
    /// Resize the whole image, antialiased.
    Resize {
        /// The new size.
        to: ResizeTo,
        /// How values between pixels are found.
        filter: Filter,
    },
    /// Cut out the middle. An odd remainder leaves the extra pixel where torchvision does (halves are rounded to
    /// even), but an image smaller than the crop is an error where torchvision pads with black.
    CenterCrop {
        /// Height of the crop, in pixels. At least 1, at most that of the image.
        height: u32,
        /// Width of the crop, in pixels. At least 1, at most that of the image.
        width: u32,
    },
    /// Mirror left and right.
    HorizontalFlip {
        /// Probability of a flip, in [0, 1].
        probability: f32,
    },
    /// Shift by a whole number of pixels, uniform in [−`max_pixels`, `max_pixels`] and independent per axis.
    ///
    /// The uncovered border is the reflection of the image at its edge, the edge itself not repeated
    /// (`… 2 1 | 0 1 2 …`; NumPy and PyTorch call it `reflect`). A crop of the original size out of an image
    /// padded by `max_pixels` on each side is the same distribution.
    Translate {
        /// Largest shift in pixels: at most the shorter side less 1, beyond which nothing is left to reflect.
        max_pixels: u32,
    },
    /// Rotate around the centre, counter-clockwise for positive angles, uniform in [−`max_degrees`, `max_degrees`];
    /// the size stays. Pillow's `rotate`, its 16-bit fixed-point steps with [`RotationFilter::Nearest`] included.
    Rotate {
        /// Largest angle, in degrees. In [0, 180].
        max_degrees: f32,
        /// How values between pixels are found.
        filter: RotationFilter,
        /// What the corners that come from outside the image show.
        border: Border,
    },
    /// Change brightness, contrast, saturation and hue by random amounts in random order: torchvision's
    /// `ColorJitter`, in real numbers (its tensor path).
    ///
    /// A strength s draws a factor f uniform in [max(0, 1 − s), 1 + s]; with luma Y = 0.299 R + 0.587 G + 0.114 B:
    /// brightness `f·x`, contrast `f·x + (1 − f)·mean(Y)`, saturation `f·x + (1 − f)·Y`, each clamped to \[0, 1\].
    /// Hue h turns the hue of HSV by a share of the circle uniform in [−h, h]. A strength of 0 is left out.
    /// Needs values in \[0, 1\]; saturation and hue need three channels.
    ColorJitter {
        /// Strength of the brightness change. Finite, ≥ 0.
        brightness: f32,
        /// Strength of the contrast change. Finite, ≥ 0.
        contrast: f32,
        /// Strength of the saturation change. Finite, ≥ 0.
        saturation: f32,
        /// Largest turn of the hue, as a share of the circle. In [0, 0.5].
        hue: f32,
    },
    /// Replace all three channels by the luma 0.299 R + 0.587 G + 0.114 B. An image of one channel stays as it is.
    Grayscale {
        /// Probability, in [0, 1].
        probability: f32,
    },
    /// Invert the values at or above the threshold: `1 − x` (BYOL, arXiv 2006.07733, appendix B). Needs values in
    /// \[0, 1\].
    Solarize {
        /// Probability, in [0, 1].
        probability: f32,
        /// Values from here on are inverted. In [0, 1]; the recipes' 128 of 255 is 128/255.
        threshold: f32,
    },
    /// Shift rows in proportion to their place, and columns to theirs: one affine map, nearest pixel, in Pillow's 16-bit
    /// fixed-point steps. The pixel at (x, y) shows (x + s·y, y + t·x), so the top left corner stays: AutoAugment's and
    /// RandAugment's shears (torchvision's own `affine` keeps the centre).
    Shear {
        /// Largest slope s of the rows, pixels per pixel. In [0, 1].
        max_x: f32,
        /// Largest slope t of the columns, pixels per pixel. In [0, 1].
        max_y: f32,
        /// What comes from outside the image.
        border: Border,
    },
    /// Stretch each channel to the whole range, `(x − min) / (max − min)`; a constant channel stays: Pillow's
    /// `ImageOps.autocontrast`, cut off to bytes in [`PixelArithmetic::Bytes`](crate::PixelArithmetic::Bytes). Needs values in
    /// \[0, 1\].
    AutoContrast {
        /// Probability, in [0, 1].
        probability: f32,
    },
    /// Make each channel's histogram even: Pillow's `ImageOps.equalize`, step and all, on the nearest bytes, whatever the
    /// arithmetic. Needs values in \[0, 1\].
    Equalize {
        /// Probability, in [0, 1].
        probability: f32,
    },
    /// Keep only the highest bits of each byte: Pillow's `ImageOps.posterize`, on the nearest bytes, whatever the arithmetic.
    /// Needs values in \[0, 1\].
    Posterize {
        /// Probability, in [0, 1].
        probability: f32,
        /// Fewest and most bits, each number between them as often. In 1 to 8; 8 change nothing.
        bits: [u32; 2],
    },
    /// Change the distance to a smoothed image by a factor: below 1 smooths, above 1 sharpens. `f·x + (1 − f)·s`, cut off to
    /// \[0, 1\], with s = \[1 1 1; 1 5 1; 1 1 1\]/13 around each pixel and the pixels of the edge as they are: Pillow's
    /// `ImageEnhance.Sharpness`. Needs values in \[0, 1\].
    Sharpness {
        /// Probability, in [0, 1].
        probability: f32,
        /// Least and greatest factor. Finite, ≥ 0; 1 changes nothing.
        factor: [f32; 2],
    },
    /// Apply `ops` operations one after the other, each chosen uniformly from `pool`, with replacement (Cubuk et al.,
    /// arXiv 1909.13719; FixMatch, arXiv 2001.07685). Each is **always** applied, as the papers and torchvision have it;
    /// FixMatch's code skips each with probability 1/2. Pixels from outside the image are black, as Pillow's and torchvision's.
    ///
    /// For images of one or three channels; on one channel [`Augment::Color`] changes nothing. Needs values in \[0, 1\].
    RandAugment {
        /// Number of operations. 1 to 16; both papers' best is 2.
        ops: u32,
        /// What is chosen from: 1 to 255 of them; one that is there twice comes twice as often.
        pool: Vec<Augment>,
        /// How strong they are.
        magnitudes: Magnitudes,
    },
    /// Blur by a Gaussian of a random standard deviation: **not** a kernel size.
    GaussianBlur {
        /// Least and greatest standard deviation, in pixels. Finite, ≥ 0; 0 leaves the image as it is.
        std: [f32; 2],
        /// Which filter approximates the Gaussian.
        kernel: BlurKernel,
    },
    /// Fill a square (DeVries & Taylor, arXiv 1708.04552): its centre is uniform over the pixels, and what lies
    /// outside the image is cut off.
    Cutout {
        /// Side of the square, in pixels. ≥ 1.
        side: u32,
        /// What it is filled with, in the units of the values before it. The paper's 0 comes after a normalisation.
        fill: f32,
    },
    /// Fill a share of the squares of a grid: of n patches exactly `share`·n, rounded, chosen uniformly without replacement.
    ///
    /// The grid begins at the top left; at the right and at the bottom, patches are cut off where the side is not a multiple
    /// of theirs. Behind a normalisation a value of 0 is the data set's mean, which leaves the least of an edge
    /// ([`presets::masked`](crate::presets::masked)).
    MaskPatches {
        /// Share of the patches, in [0, 1].
        share: f32,
        /// Side of a patch, in pixels. From 1 to the image's shorter side.
        patch: u32,
        /// What they are filled with, in the units of the values before it.
        fill: MaskFill,
    },
    /// Add independent normal values of mean 0 to every pixel and channel.
    GaussianNoise {
        /// Standard deviation, in the units of the values the operations before it leave: of [0, 1] at the start,
        /// of normalised units after a normalisation. Finite, ≥ 0.
        std: f32,
    },
    /// `(x − mean) / std` with one mean and standard deviation per channel, in units of [0, 1].
    Normalize {
        /// Mean per channel. Finite.
        mean: Vec<f32>,
        /// Standard deviation per channel. Finite, > 0, as many as means.
        std: Vec<f32>,
    },
    /// `(x − m) / √(v + ε)` with the image's own mean m and (biased) variance v over height, width and channels
    /// together: `slim.layer_norm` without its affine part, as Mean Teacher's original feeds SVHN.
    ///
    /// A constant image becomes 0 up to rounding (exactly 0 on the CPU path).
    Standardize {
        /// ε, added to the variance. Finite, > 0; the original has 1e-12.
        epsilon: f32,
    },
    /// Global contrast normalisation, `scale · (x − m) / ‖x − m‖`, with the image's own mean m and the Euclidean norm
    /// over height, width and channels together (Coates et al., AISTATS 2011; Mean Teacher's CIFAR-10 has scale 55).
    GlobalContrast {
        /// Norm of the result. Finite, > 0.
        scale: f32,
        /// An image whose norm is below this is only centred. Finite, > 0; the usual value is 1e-8.
        min_norm: f32,
    },
    /// Apply all of `operations`, in their order, or none.
    RandomApply {
        /// Probability, in [0, 1].
        probability: f32,
        /// What is applied. Operations that change the size are refused: views of one pipeline have one size.
        operations: Vec<Operation>,
    },
}

impl Operation {
    /// Name of the variant, for messages.
    pub fn name(&self) -> &'static str {
        match self {
            Self::RandomResizedCrop { .. } => "RandomResizedCrop",
            Self::Resize { .. } => "Resize",
            Self::CenterCrop { .. } => "CenterCrop",
            Self::HorizontalFlip { .. } => "HorizontalFlip",
            Self::Translate { .. } => "Translate",
            Self::Rotate { .. } => "Rotate",
            Self::ColorJitter { .. } => "ColorJitter",
            Self::Grayscale { .. } => "Grayscale",
            Self::Solarize { .. } => "Solarize",
            Self::Shear { .. } => "Shear",
            Self::AutoContrast { .. } => "AutoContrast",
            Self::Equalize { .. } => "Equalize",
            Self::Posterize { .. } => "Posterize",
            Self::Sharpness { .. } => "Sharpness",
            Self::RandAugment { .. } => "RandAugment",
            Self::MaskPatches { .. } => "MaskPatches",
            Self::GaussianBlur { .. } => "GaussianBlur",
            Self::Cutout { .. } => "Cutout",
            Self::GaussianNoise { .. } => "GaussianNoise",
            Self::Normalize { .. } => "Normalize",
            Self::Standardize { .. } => "Standardize",
            Self::GlobalContrast { .. } => "GlobalContrast",
            Self::RandomApply { .. } => "RandomApply",
        }
    }

    /// Whether two views of one image may differ in this operation.
    pub fn is_random(&self) -> bool {
        !matches!(
            self,
            Self::Resize { .. }
                | Self::CenterCrop { .. }
                | Self::Normalize { .. }
                | Self::Standardize { .. }
                | Self::GlobalContrast { .. }
        )
    }

    /// Size of the result on an image of size `input`.
    pub fn output_size(&self, input: ImageSize) -> ImageSize {
        match self {
            Self::RandomResizedCrop { height, width, .. } | Self::CenterCrop { height, width } => {
                ImageSize::new(*height as usize, *width as usize, input.channels)
            }
            Self::Resize { to, .. } => to.applied_to(input),
            _ => input,
        }
    }

    /// Whether the result can have another size than the image.
    pub(crate) fn changes_size(&self) -> bool {
        matches!(self, Self::RandomResizedCrop { .. } | Self::Resize { .. } | Self::CenterCrop { .. })
    }

    /// Whether the operation is defined for values in [0, 1] only.
    fn needs_unit_range(&self) -> bool {
        matches!(
            self,
            Self::ColorJitter { .. }
                | Self::Grayscale { .. }
                | Self::Solarize { .. }
                | Self::AutoContrast { .. }
                | Self::Equalize { .. }
                | Self::Posterize { .. }
                | Self::Sharpness { .. }
                | Self::RandAugment { .. }
        )
    }

    /// Whether values in [0, 1] may leave that range.
    pub(crate) fn leaves_unit_range(&self) -> bool {
        match self {
            Self::Normalize { .. } | Self::Standardize { .. } | Self::GlobalContrast { .. } => true,
            Self::GaussianNoise { std } => *std > 0.0,
            Self::MaskPatches { fill: MaskFill::Noise { std }, .. } => *std > 0.0,
            Self::Cutout { fill: value, .. }
            | Self::MaskPatches { fill: MaskFill::Value(value), .. }
            | Self::Rotate { border: Border::Fill(value), .. }
            | Self::Shear { border: Border::Fill(value), .. } => !(0.0..=1.0).contains(value),
            _ => false,
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RandomResizedCrop { height, width, scale: [least, most], ratio: [narrow, wide], filter } => write!(
                f,
                "crop {least} to {most} of the area (ratio {narrow:.3} to {wide:.3}) to {height}×{width} px, {filter}"
            ),
            Self::Resize { to, filter } => write!(f, "resize {to}, {filter}"),
            Self::CenterCrop { height, width } => write!(f, "crop the middle {height}×{width} px"),
            Self::HorizontalFlip { probability } => write!(f, "flip with probability {probability}"),
            Self::Translate { max_pixels } => write!(f, "translate by up to {max_pixels} px"),
            Self::Rotate { max_degrees, filter, border } => {
                write!(f, "rotate by up to {max_degrees}°, {filter}, {border}")
            }
            Self::ColorJitter { brightness, contrast, saturation, hue } => {
                write!(f, "jitter brightness {brightness}, contrast {contrast}, saturation {saturation}, hue {hue}")
            }
            Self::Grayscale { probability } => write!(f, "grey with probability {probability}"),
            Self::Solarize { probability, threshold } => {
                write!(f, "solarise from {threshold:.3} with probability {probability}")
            }
            Self::Shear { max_x, max_y, border } => {
                write!(f, "shear rows by up to {max_x} and columns by up to {max_y}, {border}")
            }
            Self::AutoContrast { probability } => write!(f, "stretch contrast with probability {probability}"),
            Self::Equalize { probability } => write!(f, "equalise with probability {probability}"),
            Self::Posterize { probability, bits: [least, most] } => {
                write!(f, "posterise to {least} to {most} bits with probability {probability}")
            }
            Self::Sharpness { probability, factor: [least, most] } => {
                write!(f, "sharpness ×{least} to ×{most} with probability {probability}")
            }
            Self::RandAugment { ops, pool, magnitudes } => {
                write_pool(f, *ops, pool)?;
                write!(f, " of RandAugment, {magnitudes}")
            }
            Self::MaskPatches { share, patch, fill } => {
                write!(f, "mask {share} of the patches of {patch}×{patch} px, {fill}")
            }
            Self::GaussianBlur { std: [least, most], kernel } => {
                write!(f, "blur by std {least} to {most} px, {kernel}")
            }
            Self::Cutout { side, fill } => write!(f, "cut out {side}×{side} px, filled with {fill}"),
            Self::GaussianNoise { std } => write!(f, "Gaussian noise of std {std}"),
            Self::Normalize { mean, std } => write!(f, "normalise by mean {mean:?}, std {std:?}"),
            Self::Standardize { epsilon } => write!(f, "standardise (ε {epsilon:e})"),
            Self::GlobalContrast { scale, .. } => write!(f, "normalise contrast to norm {scale}"),
            Self::RandomApply { probability, operations } => {
                write!(f, "with probability {probability} (")?;
                write_list(f, operations)?;
                write!(f, ")")
            }
        }
    }
}

/// The operations, separated by semicolons.
pub(crate) fn write_list(f: &mut fmt::Formatter<'_>, operations: &[Operation]) -> fmt::Result {
    for (position, operation) in operations.iter().enumerate() {
        let separator = if position == 0 { "" } else { "; " };
        write!(f, "{separator}{operation}")?;
    }
    Ok(())
}
