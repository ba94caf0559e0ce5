use std::fmt;

use serde::{Deserialize, Serialize};

use crate::operation::write_list;
use crate::{AugmentError, ImageSize, Operation, ResizeTo};

/// Operations in the order they are applied, under a name. Data, not code: it can be stored with a run, compared
/// and printed.
///
/// [`draw`](Pipeline::draw) draws the parameters of a view, [`apply`](Pipeline::apply) applies it on the CPU,
/// [`apply_on_device`](Pipeline::apply_on_device) with tensor operations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pipeline {
    /// Name, for messages and logs.
    pub name: String,
    /// The operations, in the order they are applied. None is allowed: bytes divided by 255.
    pub operations: Vec<Operation>,
    /// How colours and blurs are rounded on the CPU.
    #[serde(default)]
    pub arithmetic: PixelArithmetic,
}

/// How the CPU path computes colour jitter, grayscale and blurs of images of bytes.
///
/// The device path computes in real numbers whatever this says; the two then differ by Pillow's rounding, most of
/// all of the hue, which Pillow keeps in a byte.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PixelArithmetic {
    /// In real numbers (f32): torchvision's on float tensors.
    #[default]
    Real,
    /// Rounded to bytes within and after each operation: torchvision's on Pillow images, which the recipes were
    /// published with.
    Bytes,
}

impl Pipeline {
    /// A pipeline of `operations` in real numbers, checked by [`validate`](Pipeline::validate).
    ///
    /// # Errors
    ///
    /// Those of [`validate`](Pipeline::validate).
    pub fn new(name: impl Into<String>, operations: Vec<Operation>) -> Result<Self, AugmentError> {
        let pipeline = Self { name: name.into(), operations, arithmetic: PixelArithmetic::Real };
        pipeline.validate()?;
        Ok(pipeline)
    }

    /// The same operations in other arithmetic.
    pub fn with_arithmetic(self, arithmetic: PixelArithmetic) -> Self {
        Self { arithmetic, ..self }
    }

    /// Checks every parameter that can be checked without an image (a pipeline read from a file may hold anything).
    ///
    /// # Errors
    ///
    /// [`AugmentError::InvalidParameter`] for the first value outside its range; [`AugmentError::NeedsUnitRange`] for an operation
    /// on values in [0, 1] behind one that leaves this range.
    pub fn validate(&self) -> Result<(), AugmentError> {
        let mut left_unit_range = None;
        for (position, operation) in self.operations.iter().enumerate() {
            operation.validate(position)?;
            operation.validate_units(position, &mut left_unit_range)?;
        }
        Ok(())
    }

    /// Checks the parameters, and that every operation fits an image of `size`.
    ///
    /// # Errors
    ///
    /// Those of [`validate`](Pipeline::validate); [`AugmentError::EmptyImage`]; [`AugmentError::TranslateTooFar`] if a shift could
    /// be as long as the shorter side; [`AugmentError::CropTooLarge`]; [`AugmentError::BlurTooWide`]; [`AugmentError::NeedsColor`] if an
    /// operation on colours meets other than its channels; [`AugmentError::Channels`] if a normalisation does.
    pub fn validate_for(&self, size: ImageSize) -> Result<(), AugmentError> {
        if size.values() == 0 {
            return Err(AugmentError::EmptyImage { size });
        }
        self.validate()?;
        let mut size = size;
        for (position, operation) in self.operations.iter().enumerate() {
            operation.validate_for(position, size)?;
            size = operation.output_size(size);
        }
        Ok(())
    }

    /// Size of the view of an image of size `input`, in the order of the operations.
    pub fn output_size(&self, input: ImageSize) -> ImageSize {
        self.operations.iter().fold(input, |size, operation| operation.output_size(size))
    }

    /// What the images of an evaluation see: the operations that have nothing random, in their order, with a random
    /// resized crop replaced by its deterministic like, the shorter side resized and the middle cut out (which leaves
    /// an image of the view's size as it is).
    ///
    /// Recipes that evaluate otherwise have a preset for it, [`presets::imagenet_evaluation`](crate::presets) say.
    pub fn evaluation(&self) -> Self {
        let name = match self.name.strip_suffix(EVALUATION) {
            Some(_) => self.name.clone(),
            None => format!("{}{EVALUATION}", self.name),
        };
        let mut operations = Vec::new();
        for operation in &self.operations {
            match operation {
                Operation::RandomResizedCrop { height, width, filter, .. } => {
                    let side = (*height).max(*width);
                    operations.push(Operation::Resize { to: ResizeTo::ShorterSide(side), filter: *filter });
                    operations.push(Operation::CenterCrop { height: *height, width: *width });
                }
                operation if !operation.is_random() => operations.push(operation.clone()),
                _ => {}
            }
        }
        Self { name, operations, arithmetic: self.arithmetic }
    }
}

/// Ending of the name of [`Pipeline::evaluation`].
const EVALUATION: &str = "/evaluation";

impl fmt::Display for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.name)?;
        if self.operations.is_empty() {
            return write!(f, " no operations");
        }
        write!(f, " ")?;
        write_list(f, &self.operations)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presets;

    #[test]
    fn evaluation_keeps_what_is_fixed_and_is_idempotent() {
        let pipeline = presets::mean_teacher_cifar();
        let evaluation = pipeline.evaluation();
        assert_eq!(evaluation.name, "mean_teacher_cifar/evaluation");
        assert_eq!(evaluation.operations, pipeline.operations[2..]);
        assert_eq!(evaluation.evaluation(), evaluation);
    }

    #[test]
    fn a_pipeline_prints_as_one_line() {
        assert_eq!(
            presets::fashion().to_string(),
            "fashion: translate by up to 2 px; flip with probability 0.5; normalise by mean [0.286], std [0.353]"
        );
        let empty = Pipeline::new("bytes", vec![]).unwrap();
        assert_eq!(empty.to_string(), "bytes: no operations");
    }

    #[test]
    fn the_position_of_a_bad_operation_is_named() {
        let error = Pipeline::new(
            "bad",
            vec![Operation::HorizontalFlip { probability: 0.5 }, Operation::GaussianNoise { std: f32::NAN }],
        )
        .unwrap_err();
        assert!(matches!(error, AugmentError::InvalidParameter { position: 1, .. }), "{error}");
    }
}
