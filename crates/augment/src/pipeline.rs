use std::fmt;

use serde::{Deserialize, Serialize};

use crate::operation::write_list;
use crate::{AugmentError, ImageSize, Operation, ResizeTo};

/// Operations in the order they are applied, under a name. Data, not code: it can be stored with a run, compared
/// and printed.
///
/// Its parameters are checked once, when it is made or read from a file; views only check that it fits their image.
///
/// [`draw`](Pipeline::draw) draws the parameters of a view, [`apply`](Pipeline::apply) applies it on the CPU,
/// [`apply_on_device`](Pipeline::apply_on_device) with tensor operations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Pipeline {
    name: String,
    operations: Vec<Operation>,
    arithmetic: PixelArithmetic,
}

/// A pipeline as a file has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    name: String,
    operations: Vec<Operation>,
    #[serde(default)]
    arithmetic: PixelArithmetic,
}

impl TryFrom<Unchecked> for Pipeline {
    type Error = AugmentError;

    fn try_from(Unchecked { name, operations, arithmetic }: Unchecked) -> Result<Self, AugmentError> {
        Ok(Self::new(name, operations)?.with_arithmetic(arithmetic))
    }
}

/// How the CPU path computes colour jitter, grayscale, solarise, stretched contrast, sharpness, `RandAugment`
/// and blurs of images of bytes.
///
/// The device path always computes in real numbers. In `Bytes` the two paths then differ by Pillow's rounding, most of
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
    /// A pipeline of `operations` in real numbers. It may be empty: bytes divided by 255.
    ///
    /// # Errors
    ///
    /// [`AugmentError::InvalidParameter`] for the first value outside its range; [`AugmentError::NeedsUnitRange`] for an operation
    /// on values in [0, 1] behind one that leaves this range.
    pub fn new(name: impl Into<String>, operations: Vec<Operation>) -> Result<Self, AugmentError> {
        let mut left_unit_range = None;
        for (position, operation) in operations.iter().enumerate() {
            operation.validate(position)?;
            operation.validate_units(position, &mut left_unit_range)?;
        }
        Ok(Self { name: name.into(), operations, arithmetic: PixelArithmetic::Real })
    }

    /// The same operations in other arithmetic.
    pub fn with_arithmetic(self, arithmetic: PixelArithmetic) -> Self {
        Self { arithmetic, ..self }
    }

    /// The same operations under another name.
    pub fn with_name(self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// Other operations in the same arithmetic, under the same name.
    ///
    /// # Errors
    ///
    /// Those of [`new`](Pipeline::new).
    pub fn with_operations(self, operations: Vec<Operation>) -> Result<Self, AugmentError> {
        Ok(Self::new(self.name, operations)?.with_arithmetic(self.arithmetic))
    }

    /// Name, for messages and logs.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The operations, in the order they are applied.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// How colours and blurs are rounded on the CPU.
    pub fn arithmetic(&self) -> PixelArithmetic {
        self.arithmetic
    }

    /// Checks that every operation fits an image of `size`.
    ///
    /// # Errors
    ///
    /// [`AugmentError::EmptyImage`]; [`AugmentError::TranslateTooFar`] if a shift could
    /// be as long as the shorter side; [`AugmentError::CropTooLarge`]; [`AugmentError::BlurTooWide`];
    /// [`AugmentError::PatchTooLarge`]; [`AugmentError::NeedsColor`] if an
    /// operation on colours meets other than its channels; [`AugmentError::Channels`] if a normalisation does.
    pub fn validate_for(&self, size: ImageSize) -> Result<(), AugmentError> {
        if size.values() == 0 {
            return Err(AugmentError::EmptyImage { size });
        }
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
    /// resized crop replaced by its deterministic counterpart, the shorter side resized and the middle cut out (which leaves
    /// an image of the view's size as it is).
    ///
    /// Recipes that evaluate differently have a preset for it, such as [`presets::imagenet_evaluation`](crate::presets).
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

    #[test]
    fn a_file_cannot_hold_what_new_refuses() {
        let noise = |std: &str| format!(r#"{{"name": "n", "operations": [{{"gaussian_noise": {{"std": {std}}}}}]}}"#);
        let read = |text: &str| serde_json::from_str::<Pipeline>(text);
        let expected = Pipeline::new("n", vec![Operation::GaussianNoise { std: 0.5 }]).unwrap();
        assert_eq!(read(&noise("0.5")).unwrap(), expected);
        let error = read(&noise("-0.5")).unwrap_err().to_string();
        assert!(error.starts_with("operation 0 (GaussianNoise)"), "{error}");
        let error = read(r#"{"name": "n", "operations": [{"horizontal_flip": {"probability": 2.0}}]}"#).unwrap_err();
        assert!(error.to_string().contains("probability is 2, allowed: a probability in [0, 1]"), "{error}");
        assert!(read(r#"{"name": "n", "operations": [], "more": 1}"#).is_err());
    }
}
