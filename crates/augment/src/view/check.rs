//! Whether a view can be applied: it may come from a file.

use super::{Adjustment, Augmented, Drawn, View};
use crate::operation::{check_crop, check_shift};
use crate::plan::{self, PatchGrid};
use crate::{AugmentError, ImageSize, MaskFill, Operation, Pipeline};

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
        let wrong = || invalid(position, operation.name(), field, value.to_string(), allowed);
        if valid { Ok(true) } else { Err(wrong()) }
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
            adjustments.iter().try_for_each(|adjustment| check_adjustment(position, *adjustment))?;
            let colored = |a: &Adjustment| matches!(a, Adjustment::Hue(_) | Adjustment::Saturation(_));
            Ok(size.channels == 3 || !adjustments.iter().any(colored))
        }
        (
            Operation::Shear { .. }
            | Operation::Posterize { .. }
            | Operation::Sharpness { .. }
            | Operation::RandAugment { .. }
            | Operation::MaskPatches { .. },
            _,
        ) => check_augment(position, operation, drawn, size),
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
        | (Operation::AutoContrast { .. }, Drawn::AutoContrast { .. })
        | (Operation::Equalize { .. }, Drawn::Equalize { .. })
        | (Operation::Cutout { .. }, Drawn::Cutout { .. })
        | (Operation::GaussianNoise { .. }, Drawn::GaussianNoise { .. })
        | (Operation::RandomApply { .. }, Drawn::RandomApply { drawn: None }) => Ok(true),
        (operation, Drawn::Deterministic) => Ok(!operation.is_random()),
        _ => Ok(false),
    }
}

/// Of shears, `RandAugment`, its operations and masks, as [`check_drawn`].
fn check_augment(position: usize, operation: &Operation, drawn: &Drawn, size: ImageSize) -> Result<bool, AugmentError> {
    match (operation, drawn) {
        (Operation::Shear { .. }, Drawn::Shear { x, y }) => {
            check_augmented(position, operation, &Augmented::ShearX(*x))?;
            check_augmented(position, operation, &Augmented::ShearY(*y))
        }
        (Operation::Posterize { .. }, Drawn::Posterize { .. })
        | (Operation::Sharpness { .. }, Drawn::Sharpness { .. }) => {
            plan::augmented(drawn).map_or(Ok(true), |augmented| check_augmented(position, operation, &augmented))
        }
        (Operation::RandAugment { ops, .. }, Drawn::RandAugment { applied }) => {
            for augmented in applied {
                check_augmented(position, operation, augmented)?;
            }
            Ok(applied.len() == *ops as usize)
        }
        (Operation::MaskPatches { share, patch, fill }, Drawn::MaskPatches { patches, noise }) => {
            let grid = PatchGrid::new(*patch, size);
            check_patches(position, patches, &grid)?;
            let noisy = matches!(fill, MaskFill::Noise { .. });
            Ok(patches.len() == grid.masked(*share) && noise.is_some() == noisy)
        }
        _ => Ok(false),
    }
}

fn invalid(
    position: usize,
    operation: &'static str,
    field: &'static str,
    value: String,
    allowed: impl Into<String>,
) -> AugmentError {
    AugmentError::InvalidDraw { position, operation, field, value, allowed: allowed.into() }
}

fn check_adjustment(position: usize, adjustment: Adjustment) -> Result<(), AugmentError> {
    let (field, value, valid, allowed) = match adjustment {
        Adjustment::Hue(turn) => ("hue", turn, (-0.5..=0.5).contains(&turn), "a share of the circle in [-0.5, 0.5]"),
        Adjustment::Brightness(factor) | Adjustment::Contrast(factor) | Adjustment::Saturation(factor) => {
            ("factor", factor, factor.is_finite() && factor >= 0.0, "a finite number ≥ 0")
        }
    };
    if valid { Ok(()) } else { Err(invalid(position, "ColorJitter", field, value.to_string(), allowed)) }
}

/// Always true: an error otherwise.
fn check_augmented(position: usize, operation: &Operation, augmented: &Augmented) -> Result<bool, AugmentError> {
    match augmented.problem() {
        None => Ok(true),
        Some((field, value, allowed)) => Err(invalid(position, operation.name(), field, value, allowed)),
    }
}

/// Patches are in rising order and in the grid.
fn check_patches(position: usize, patches: &[u32], grid: &PatchGrid) -> Result<(), AugmentError> {
    let rising = patches.windows(2).all(|pair| pair[0] < pair[1]);
    let inside = patches.last().is_none_or(|last| (*last as usize) < grid.count());
    if rising && inside {
        return Ok(());
    }
    let allowed = format!("patches from 0 to {}, in rising order", grid.count() - 1);
    Err(invalid(position, "MaskPatches", "patches", format!("{patches:?}"), allowed))
}

/// Whether the box (top, left, height, width) lies inside the image.
fn check_box(position: usize, numbers: [u32; 4], size: ImageSize) -> Result<bool, AugmentError> {
    let [top, left, height, width] = numbers.map(|number| number as usize);
    let inside = |start: usize, length: usize, side: usize| length >= 1 && start < side && length <= side - start;
    if inside(top, height, size.height) && inside(left, width, size.width) {
        return Ok(true);
    }
    let value = format!("{height}×{width} at ({left}, {top})");
    let allowed = format!("a box of at least 1×1 inside the image of {size}");
    Err(invalid(position, "RandomResizedCrop", "box", value, allowed))
}
