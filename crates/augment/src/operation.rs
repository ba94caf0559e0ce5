use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Error, ImageSize};

/// One step of a [`Pipeline`](crate::Pipeline).
///
/// | Variant | Parameters | Range | Random |
/// |---|---|---|---|
/// | `HorizontalFlip` | `probability` | [0, 1] | flip or not |
/// | `Translate` | `max_pixels` | 0 to the shorter side less 1 | shift per axis |
/// | `GaussianNoise` | `std` | finite, ≥ 0, in the units of the values before it | one value per pixel and channel |
/// | `Normalize` | `mean`, `std` per channel | finite; `std` > 0; equally many | no |
/// | `Standardize` | `epsilon` | finite, > 0 | no |
///
/// Values are in [0, 1] (bytes divided by 255) until an operation changes them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Operation {
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
}

impl Operation {
    /// Name of the variant, for messages.
    pub fn name(&self) -> &'static str {
        match self {
            Self::HorizontalFlip { .. } => "HorizontalFlip",
            Self::Translate { .. } => "Translate",
            Self::GaussianNoise { .. } => "GaussianNoise",
            Self::Normalize { .. } => "Normalize",
            Self::Standardize { .. } => "Standardize",
        }
    }

    /// Whether two views of one image may differ in this operation.
    pub fn is_random(&self) -> bool {
        match self {
            Self::HorizontalFlip { .. } | Self::Translate { .. } | Self::GaussianNoise { .. } => true,
            Self::Normalize { .. } | Self::Standardize { .. } => false,
        }
    }

    /// Checks the parameters of the operation at `position`. Conditions are in the positive form, so NaN fails.
    pub(crate) fn validate(&self, position: usize) -> Result<(), Error> {
        let check = |valid: bool, field: String, value: String, allowed: String| {
            if valid {
                return Ok(());
            }
            Err(Error::InvalidParameter { position, operation: self.name(), field, value, allowed })
        };
        match self {
            Self::HorizontalFlip { probability } => check(
                (0.0..=1.0).contains(probability),
                "probability".into(),
                probability.to_string(),
                "a probability in [0, 1]".into(),
            ),
            // Any number is allowed until the size of the image is known.
            Self::Translate { .. } => Ok(()),
            Self::GaussianNoise { std } => {
                check(std.is_finite() && *std >= 0.0, "std".into(), std.to_string(), "a finite number ≥ 0".into())
            }
            Self::Normalize { mean, std } => {
                check(!mean.is_empty(), "mean".into(), "empty".into(), "one value per channel".into())?;
                check(
                    std.len() == mean.len(),
                    "std".into(),
                    format!("a list of {}", std.len()),
                    format!("as many values as mean has ({})", mean.len()),
                )?;
                for (channel, value) in mean.iter().enumerate() {
                    check(value.is_finite(), format!("mean[{channel}]"), value.to_string(), "a finite number".into())?;
                }
                for (channel, value) in std.iter().enumerate() {
                    check(
                        value.is_finite() && *value > 0.0,
                        format!("std[{channel}]"),
                        value.to_string(),
                        "a finite number > 0".into(),
                    )?;
                }
                Ok(())
            }
            Self::Standardize { epsilon } => check(
                epsilon.is_finite() && *epsilon > 0.0,
                "epsilon".into(),
                epsilon.to_string(),
                "a finite number > 0".into(),
            ),
        }
    }

    /// Checks that the operation at `position` can be applied to an image of `size`.
    pub(crate) fn validate_for(&self, position: usize, size: ImageSize) -> Result<(), Error> {
        self.validate(position)?;
        match self {
            Self::Translate { max_pixels } => check_shift(position, *max_pixels as usize, size),
            Self::Normalize { mean, .. } if mean.len() != size.channels => {
                Err(Error::Channels { position, expected: mean.len(), size })
            }
            _ => Ok(()),
        }
    }
}

/// A shift of `pixels` can be filled by reflection if it is shorter than the shorter side.
pub(crate) fn check_shift(position: usize, pixels: usize, size: ImageSize) -> Result<(), Error> {
    let side = size.height.min(size.width);
    if pixels < side {
        return Ok(());
    }
    Err(Error::TranslateTooFar { position, pixels, size, allowed: side.saturating_sub(1) })
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HorizontalFlip { probability } => {
                write!(f, "flip with probability {probability}")
            }
            Self::Translate { max_pixels } => write!(f, "translate by up to {max_pixels} px"),
            Self::GaussianNoise { std } => write!(f, "Gaussian noise of std {std}"),
            Self::Normalize { mean, std } => write!(f, "normalise by mean {mean:?}, std {std:?}"),
            Self::Standardize { epsilon } => write!(f, "standardise (ε {epsilon:e})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The field that is refused, or nothing.
    fn refused(operation: Operation) -> Option<String> {
        match operation.validate(3) {
            Ok(()) => None,
            Err(Error::InvalidParameter { position, field, .. }) => {
                assert_eq!(position, 3);
                Some(field)
            }
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn probabilities_are_in_the_unit_interval() {
        for probability in [0.0, 0.5, 1.0] {
            assert_eq!(refused(Operation::HorizontalFlip { probability }), None);
        }
        for probability in [-0.1, 1.1, f32::NAN, f32::INFINITY] {
            assert_eq!(refused(Operation::HorizontalFlip { probability }).as_deref(), Some("probability"));
        }
    }

    #[test]
    fn noise_and_epsilon_have_ranges() {
        assert_eq!(refused(Operation::GaussianNoise { std: 0.0 }), None);
        assert_eq!(refused(Operation::Standardize { epsilon: 1e-12 }), None);
        for value in [-0.1, f32::NAN, f32::INFINITY] {
            assert_eq!(refused(Operation::GaussianNoise { std: value }).as_deref(), Some("std"));
            assert_eq!(refused(Operation::Standardize { epsilon: value }).as_deref(), Some("epsilon"));
        }
        assert!(refused(Operation::Standardize { epsilon: 0.0 }).is_some());
    }

    #[test]
    fn normalisation_needs_equally_many_finite_means_and_positive_stds() {
        let field =
            |mean: &[f32], std: &[f32]| refused(Operation::Normalize { mean: mean.to_vec(), std: std.to_vec() });
        assert_eq!(field(&[0.5], &[0.2]), None);
        assert_eq!(field(&[], &[]).as_deref(), Some("mean"));
        assert_eq!(field(&[0.5], &[0.2, 0.2]).as_deref(), Some("std"));
        assert_eq!(field(&[0.5, f32::NAN], &[0.2, 0.2]).as_deref(), Some("mean[1]"));
        for std in [0.0, -0.2, f32::NAN, f32::INFINITY] {
            assert_eq!(field(&[0.5, 0.5], &[0.2, std]).as_deref(), Some("std[1]"));
        }
    }

    #[test]
    fn messages_name_value_and_range() {
        let error = Operation::HorizontalFlip { probability: 1.5 }.validate(0);
        assert_eq!(
            error.unwrap_err().to_string(),
            "operation 0 (HorizontalFlip) of the pipeline: probability is 1.5, allowed: a probability in [0, 1]"
        );
        let error = Operation::Translate { max_pixels: 4 }.validate_for(1, ImageSize::new(4, 32, 3));
        assert_eq!(
            error.unwrap_err().to_string(),
            "operation 1 (Translate): a shift of 4 pixels on an image of 4×32×3, allowed: up to 3 (the shorter side \
             less 1, for reflection)"
        );
    }
}
