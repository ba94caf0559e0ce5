//! What is allowed. Conditions are in the positive form, so NaN fails.

use super::{Augment, BlurKernel, Border, Magnitudes, MaskFill, Operation, ResizeTo};
use crate::{AugmentError, ImageSize};

/// Sides beyond this are refused: no image of today is larger, and products of two sides stay far from overflow.
const LARGEST_SIDE: u32 = 1 << 16;

impl Operation {
    /// Checks the parameters of the operation at `position`.
    pub(crate) fn validate(&self, position: usize) -> Result<(), AugmentError> {
        let check = Check { position, operation: self.name() };
        match self {
            Self::RandomResizedCrop { height, width, scale, ratio, .. } => {
                check.side("height", *height)?;
                check.side("width", *width)?;
                check.range("scale", *scale, |x| x > 0.0 && x <= 1.0, "a share of the area in (0, 1]")?;
                check.range("ratio", *ratio, |x| x.is_finite() && x > 0.0, "a finite ratio > 0")
            }
            Self::Resize { to: ResizeTo::ShorterSide(side), .. } => check.side("to", *side),
            Self::Resize { to: ResizeTo::Exact { height, width }, .. } | Self::CenterCrop { height, width } => {
                check.side("height", *height)?;
                check.side("width", *width)
            }
            // Any number is allowed until the size of the image is known.
            Self::Translate { .. } => Ok(()),
            Self::Rotate { max_degrees, border, .. } => {
                check.value("max_degrees", *max_degrees, |x| (0.0..=180.0).contains(&x), "an angle in [0, 180]")?;
                check.border(*border)
            }
            Self::ColorJitter { brightness, contrast, saturation, hue } => {
                for (field, value) in [("brightness", brightness), ("contrast", contrast), ("saturation", saturation)] {
                    check.value(field, *value, |x| x.is_finite() && x >= 0.0, "a finite number ≥ 0")?;
                }
                check.value("hue", *hue, |x| (0.0..=0.5).contains(&x), "a share of the colour circle in [0, 0.5]")
            }
            Self::HorizontalFlip { probability }
            | Self::Grayscale { probability }
            | Self::AutoContrast { probability }
            | Self::Equalize { probability } => check.probability(*probability),
            Self::Solarize { probability, threshold } => {
                check.probability(*probability)?;
                check.value("threshold", *threshold, |x| (0.0..=1.0).contains(&x), "a value in [0, 1]")
            }
            Self::GaussianBlur { std, kernel } => check.blur(*std, *kernel),
            Self::Cutout { side, fill } => {
                check.side("side", *side)?;
                check.value("fill", *fill, f32::is_finite, "a finite number")
            }
            Self::GaussianNoise { std } => check.std("std", *std),
            Self::Normalize { mean, std } => check.normalization(mean, std),
            Self::Standardize { epsilon } => check.positive("epsilon", *epsilon),
            Self::GlobalContrast { scale, min_norm } => {
                check.positive("scale", *scale)?;
                check.positive("min_norm", *min_norm)
            }
            Self::Shear { .. }
            | Self::Posterize { .. }
            | Self::Sharpness { .. }
            | Self::RandAugment { .. }
            | Self::MaskPatches { .. } => self.validate_augment(&check),
            Self::RandomApply { probability, operations } => {
                check.probability(*probability)?;
                check.nested(operations)?;
                operations.iter().try_for_each(|operation| operation.validate(position))
            }
        }
    }

    /// Checks the parameters of shears, `RandAugment`, its operations and masks.
    fn validate_augment(&self, check: &Check) -> Result<(), AugmentError> {
        match self {
            Self::Shear { max_x, max_y, border } => {
                for (field, value) in [("max_x", max_x), ("max_y", max_y)] {
                    check.value(field, *value, |x| (0.0..=1.0).contains(&x), "a slope in [0, 1]")?;
                }
                check.border(*border)
            }
            Self::Posterize { probability, bits } => {
                check.probability(*probability)?;
                check.bits(*bits)
            }
            Self::Sharpness { probability, factor } => {
                check.probability(*probability)?;
                check.range("factor", *factor, |x| x.is_finite() && x >= 0.0, "a finite number ≥ 0")
            }
            Self::RandAugment { ops, pool, magnitudes } => check.rand_augment(*ops, pool, *magnitudes),
            Self::MaskPatches { share, patch, fill } => {
                check.value("share", *share, |x| (0.0..=1.0).contains(&x), "a share of the patches in [0, 1]")?;
                check.side("patch", *patch)?;
                match fill {
                    MaskFill::Value(value) => check.value("fill", *value, f32::is_finite, "a finite number"),
                    MaskFill::Noise { std } => check.std("fill", *std),
                }
            }
            _ => Ok(()),
        }
    }

    /// Checks that the operation at `position` can be applied to an image of `size`.
    pub(crate) fn validate_for(&self, position: usize, size: ImageSize) -> Result<(), AugmentError> {
        match self {
            Self::CenterCrop { height, width } => check_crop(position, [*height, *width], size),
            Self::Translate { max_pixels } => check_shift(position, *max_pixels as usize, size),
            Self::ColorJitter { saturation, hue, .. } if *saturation > 0.0 || *hue > 0.0 => {
                check_color(position, "ColorJitter of saturation or hue", size, &[3])
            }
            Self::ColorJitter { .. } => check_color(position, "ColorJitter", size, &[1, 3]),
            Self::Grayscale { .. } | Self::RandAugment { .. } => check_color(position, self.name(), size, &[1, 3]),
            Self::MaskPatches { patch, .. } => {
                let allowed = size.height.min(size.width);
                if *patch as usize <= allowed {
                    return Ok(());
                }
                Err(AugmentError::PatchTooLarge { position, patch: *patch, size, allowed })
            }
            Self::GaussianBlur { kernel: BlurKernel::Truncated { radius }, .. } => {
                let shorter = size.height.min(size.width);
                if (*radius as usize) < shorter {
                    return Ok(());
                }
                Err(AugmentError::BlurTooWide { position, radius: *radius, size, allowed: shorter.saturating_sub(1) })
            }
            Self::Normalize { mean, .. } if mean.len() != size.channels => {
                Err(AugmentError::Channels { position, expected: mean.len(), size })
            }
            Self::RandomApply { operations, .. } => {
                operations.iter().try_for_each(|operation| operation.validate_for(position, size))
            }
            _ => Ok(()),
        }
    }

    /// Follows the units of the values: `left` is the operation that took them out of [0, 1], if any did.
    pub(crate) fn validate_units(&self, position: usize, left: &mut Option<String>) -> Result<(), AugmentError> {
        if let Self::RandomApply { operations, .. } = self {
            return operations.iter().try_for_each(|operation| operation.validate_units(position, left));
        }
        if let (true, Some(culprit)) = (self.needs_unit_range(), left.as_ref()) {
            return Err(AugmentError::NeedsUnitRange { position, operation: self.name(), culprit: culprit.clone() });
        }
        if left.is_none() && self.leaves_unit_range() {
            *left = Some(format!("operation {position} ({})", self.name()));
        }
        Ok(())
    }
}

/// A shift of `pixels` can be filled by reflection if it is shorter than the shorter side.
pub(crate) fn check_shift(position: usize, pixels: usize, size: ImageSize) -> Result<(), AugmentError> {
    let side = size.height.min(size.width);
    if pixels < side {
        return Ok(());
    }
    Err(AugmentError::TranslateTooFar { position, pixels, size, allowed: side.saturating_sub(1) })
}

/// A crop of `sides` (height, width) fits into the image.
pub(crate) fn check_crop(position: usize, [height, width]: [u32; 2], size: ImageSize) -> Result<(), AugmentError> {
    if height as usize <= size.height && width as usize <= size.width {
        return Ok(());
    }
    Err(AugmentError::CropTooLarge { position, height, width, size })
}

fn check_color(
    position: usize,
    operation: &'static str,
    size: ImageSize,
    allowed: &'static [usize],
) -> Result<(), AugmentError> {
    if allowed.contains(&size.channels) {
        return Ok(());
    }
    Err(AugmentError::NeedsColor { position, operation, size, allowed })
}

/// The checks of one operation, and what their messages need.
struct Check {
    position: usize,
    operation: &'static str,
}

impl Check {
    fn that(&self, valid: bool, field: String, value: String, allowed: &str) -> Result<(), AugmentError> {
        if valid {
            return Ok(());
        }
        let Self { position, operation } = *self;
        Err(AugmentError::InvalidParameter { position, operation, field, value, allowed: allowed.to_owned() })
    }

    fn value(&self, field: &str, value: f32, valid: impl Fn(f32) -> bool, allowed: &str) -> Result<(), AugmentError> {
        self.that(valid(value), field.to_owned(), value.to_string(), allowed)
    }

    fn positive(&self, field: &str, value: f32) -> Result<(), AugmentError> {
        self.value(field, value, |x| x.is_finite() && x > 0.0, "a finite number > 0")
    }

    fn std(&self, field: &str, value: f32) -> Result<(), AugmentError> {
        self.value(field, value, |x| x.is_finite() && x >= 0.0, "a finite number ≥ 0")
    }

    fn border(&self, border: Border) -> Result<(), AugmentError> {
        match border {
            Border::Fill(value) => self.value("border", value, f32::is_finite, "a finite number"),
            Border::Edge => Ok(()),
        }
    }

    fn blur(&self, std: [f32; 2], kernel: BlurKernel) -> Result<(), AugmentError> {
        self.range("std", std, |x| x.is_finite() && x >= 0.0, "a finite number of pixels ≥ 0")?;
        match kernel {
            BlurKernel::Truncated { radius } => self.side("kernel", radius),
            BlurKernel::Boxes => Ok(()),
        }
    }

    fn bits(&self, [fewest, most]: [u32; 2]) -> Result<(), AugmentError> {
        for (index, bits) in [fewest, most].into_iter().enumerate() {
            self.that((1..=8).contains(&bits), format!("bits[{index}]"), bits.to_string(), "1 to 8 bits")?;
        }
        self.that(fewest <= most, "bits".into(), format!("[{fewest}, {most}]"), "the lower end first")
    }

    fn rand_augment(&self, ops: u32, pool: &[Augment], magnitudes: Magnitudes) -> Result<(), AugmentError> {
        let allowed = format!("1 to {MOST_OPS}");
        self.that((1..=MOST_OPS).contains(&ops), "ops".into(), ops.to_string(), &allowed)?;
        let count = pool.len();
        self.that((1..=MOST_NESTED).contains(&count), "pool".into(), format!("{count} long"), "1 to 255 long")?;
        match magnitudes {
            Magnitudes::Fixmatch => Ok(()),
            Magnitudes::Torchvision { magnitude, bins } => {
                let allowed = format!("2 to {MOST_BINS} bins");
                self.that((2..=MOST_BINS).contains(&bins), "bins".into(), bins.to_string(), &allowed)?;
                let allowed = format!("0 to {}, as there are {bins} bins", bins - 1);
                self.that(magnitude < bins, "magnitude".into(), magnitude.to_string(), &allowed)
            }
        }
    }

    fn probability(&self, value: f32) -> Result<(), AugmentError> {
        self.value("probability", value, |x| (0.0..=1.0).contains(&x), "a probability in [0, 1]")
    }

    fn side(&self, field: &str, side: u32) -> Result<(), AugmentError> {
        let allowed = format!("1 to {LARGEST_SIDE} pixels");
        self.that((1..=LARGEST_SIDE).contains(&side), field.to_owned(), side.to_string(), &allowed)
    }

    /// Two valid values, the first not above the second.
    fn range(
        &self,
        field: &str,
        range: [f32; 2],
        valid: impl Fn(f32) -> bool,
        allowed: &str,
    ) -> Result<(), AugmentError> {
        for (index, value) in range.into_iter().enumerate() {
            self.value(&format!("{field}[{index}]"), value, &valid, allowed)?;
        }
        let [low, high] = range;
        self.that(low <= high, field.to_owned(), format!("{range:?}"), "the lower end first")
    }

    fn normalization(&self, mean: &[f32], std: &[f32]) -> Result<(), AugmentError> {
        self.that(!mean.is_empty(), "mean".into(), "empty".into(), "one value per channel")?;
        let allowed = format!("as many values as mean has ({})", mean.len());
        self.that(std.len() == mean.len(), "std".into(), format!("a list of {}", std.len()), &allowed)?;
        for (channel, value) in mean.iter().enumerate() {
            self.value(&format!("mean[{channel}]"), *value, f32::is_finite, "a finite number")?;
        }
        std.iter().enumerate().try_for_each(|(channel, value)| self.positive(&format!("std[{channel}]"), *value))
    }

    /// Operations of a `RandomApply`: not too many for the streams of the generator, and none that changes the size.
    fn nested(&self, operations: &[Operation]) -> Result<(), AugmentError> {
        let count = operations.len();
        self.that((1..=MOST_NESTED).contains(&count), "operations".into(), format!("{count} long"), "1 to 255 long")?;
        for (index, operation) in operations.iter().enumerate() {
            let fits = !operation.changes_size() && !matches!(operation, Operation::RandomApply { .. });
            self.that(
                fits,
                format!("operations[{index}]"),
                operation.name().into(),
                "operations that keep the size, no RandomApply",
            )?;
        }
        Ok(())
    }
}

/// Length of the longest list in a `RandomApply`; their slots have eight bits (`Slot::nested`).
const MOST_NESTED: usize = 255;

/// More operations of a `RandAugment` than anybody has asked for.
const MOST_OPS: u32 = 16;

/// More bins of a `RandAugment` than differ in a byte.
const MOST_BINS: u32 = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Filter, RotationFilter};

    /// The field that is refused, or `None`.
    fn refused(operation: Operation) -> Option<String> {
        match operation.validate(3) {
            Ok(()) => None,
            Err(AugmentError::InvalidParameter { position, field, .. }) => {
                assert_eq!(position, 3);
                Some(field)
            }
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn probabilities_are_in_the_unit_interval() {
        let with: [fn(f32) -> Operation; 8] = [
            |probability| Operation::AutoContrast { probability },
            |probability| Operation::Equalize { probability },
            |probability| Operation::Posterize { probability, bits: [4, 8] },
            |probability| Operation::Sharpness { probability, factor: [0.0, 2.0] },
            |probability| Operation::HorizontalFlip { probability },
            |probability| Operation::Grayscale { probability },
            |probability| Operation::Solarize { probability, threshold: 0.5 },
            |probability| Operation::RandomApply {
                probability,
                operations: vec![Operation::Grayscale { probability: 1.0 }],
            },
        ];
        for operation in with {
            for probability in [0.0, 0.5, 1.0] {
                assert_eq!(refused(operation(probability)), None);
            }
            for probability in [-0.1, 1.1, f32::NAN, f32::INFINITY] {
                assert_eq!(refused(operation(probability)).as_deref(), Some("probability"));
            }
        }
    }

    #[test]
    fn crops_have_boxes_that_exist() {
        let crop = |height, scale, ratio| {
            refused(Operation::RandomResizedCrop { height, width: 8, scale, ratio, filter: Filter::Bilinear })
        };
        assert_eq!(crop(8, [0.08, 1.0], [0.75, 1.33]), None);
        assert_eq!(crop(0, [0.08, 1.0], [0.75, 1.33]).as_deref(), Some("height"));
        assert_eq!(crop(1 << 17, [0.08, 1.0], [0.75, 1.33]).as_deref(), Some("height"));
        assert_eq!(crop(8, [0.5, 0.2], [0.75, 1.33]).as_deref(), Some("scale"));
        for value in [0.0, -0.5, 1.1, f32::NAN] {
            assert_eq!(crop(8, [value, 1.0], [0.75, 1.33]).as_deref(), Some("scale[0]"));
        }
        assert_eq!(crop(8, [0.2, 1.0], [2.0, 1.0]).as_deref(), Some("ratio"));
        assert_eq!(crop(8, [0.2, 1.0], [1.0, f32::INFINITY]).as_deref(), Some("ratio[1]"));
        assert_eq!(refused(Operation::CenterCrop { height: 1, width: 0 }).as_deref(), Some("width"));
        let to = ResizeTo::ShorterSide(0);
        assert_eq!(refused(Operation::Resize { to, filter: Filter::Bicubic }).as_deref(), Some("to"));
    }

    #[test]
    fn colours_angles_and_blurs_have_ranges() {
        let jitter =
            |brightness, hue| refused(Operation::ColorJitter { brightness, contrast: 0.0, saturation: 0.4, hue });
        assert_eq!(jitter(0.4, 0.5), None);
        assert_eq!(jitter(-0.1, 0.5).as_deref(), Some("brightness"));
        for hue in [-0.1, 0.51, f32::NAN] {
            assert_eq!(jitter(0.4, hue).as_deref(), Some("hue"));
        }
        let rotate =
            |max_degrees, border| refused(Operation::Rotate { max_degrees, filter: RotationFilter::Nearest, border });
        assert_eq!(rotate(180.0, Border::Edge), None);
        assert_eq!(rotate(-1.0, Border::Edge).as_deref(), Some("max_degrees"));
        assert_eq!(rotate(1.0, Border::Fill(f32::NAN)).as_deref(), Some("border"));
        let blur = |std, kernel| refused(Operation::GaussianBlur { std, kernel });
        assert_eq!(blur([0.1, 2.0], BlurKernel::Boxes), None);
        assert_eq!(blur([2.0, 0.1], BlurKernel::Boxes).as_deref(), Some("std"));
        assert_eq!(blur([f32::NAN, 0.1], BlurKernel::Boxes).as_deref(), Some("std[0]"));
        assert_eq!(blur([0.0, 0.1], BlurKernel::Truncated { radius: 0 }).as_deref(), Some("kernel"));
        assert_eq!(refused(Operation::Solarize { probability: 1.0, threshold: 1.1 }).as_deref(), Some("threshold"));
        assert_eq!(refused(Operation::Cutout { side: 0, fill: 0.0 }).as_deref(), Some("side"));
        assert_eq!(refused(Operation::Cutout { side: 2, fill: f32::NAN }).as_deref(), Some("fill"));
    }

    #[test]
    fn noise_and_epsilon_have_ranges() {
        assert_eq!(refused(Operation::GaussianNoise { std: 0.0 }), None);
        assert_eq!(refused(Operation::Standardize { epsilon: 1e-12 }), None);
        for value in [-0.1, f32::NAN, f32::INFINITY] {
            assert_eq!(refused(Operation::GaussianNoise { std: value }).as_deref(), Some("std"));
            assert_eq!(refused(Operation::Standardize { epsilon: value }).as_deref(), Some("epsilon"));
            let contrast = Operation::GlobalContrast { scale: value, min_norm: 1e-8 };
            assert_eq!(refused(contrast).as_deref(), Some("scale"));
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
    fn random_apply_holds_what_keeps_the_size() {
        let apply = |operations| refused(Operation::RandomApply { probability: 0.5, operations });
        let grey = Operation::Grayscale { probability: 1.0 };
        assert_eq!(apply(vec![grey.clone()]), None);
        assert_eq!(apply(vec![]).as_deref(), Some("operations"));
        assert_eq!(
            apply(vec![grey.clone(), Operation::CenterCrop { height: 1, width: 1 }]).as_deref(),
            Some("operations[1]")
        );
        let nested = Operation::RandomApply { probability: 0.5, operations: vec![grey] };
        assert_eq!(apply(vec![nested]).as_deref(), Some("operations[0]"));
        assert_eq!(apply(vec![Operation::HorizontalFlip { probability: 7.0 }]).as_deref(), Some("probability"));
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
