use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Error, ImageSize, Operation};

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
}

impl Pipeline {
    /// A pipeline of `operations`, checked by [`validate`](Pipeline::validate).
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] for the first value outside its range.
    pub fn new(name: impl Into<String>, operations: Vec<Operation>) -> Result<Self, Error> {
        let pipeline = Self { name: name.into(), operations };
        pipeline.validate()?;
        Ok(pipeline)
    }

    /// Checks every parameter that can be checked without an image (a pipeline read from a file may hold anything).
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] for the first value outside its range.
    pub fn validate(&self) -> Result<(), Error> {
        for (position, operation) in self.operations.iter().enumerate() {
            operation.validate(position)?;
        }
        Ok(())
    }

    /// Checks the parameters, and that every operation fits an image of `size`.
    ///
    /// # Errors
    ///
    /// Those of [`validate`](Pipeline::validate); [`Error::EmptyImage`]; [`Error::TranslateTooFar`] if a shift could
    /// be as long as the shorter side; [`Error::Channels`] if a normalisation has another number of channels.
    pub fn validate_for(&self, size: ImageSize) -> Result<(), Error> {
        if size.values() == 0 {
            return Err(Error::EmptyImage { size });
        }
        for (position, operation) in self.operations.iter().enumerate() {
            operation.validate_for(position, size)?;
        }
        Ok(())
    }

    /// Size of the view of an image of size `input`. No operation of today changes it; code that asks goes on
    /// working when one does.
    pub fn output_size(&self, input: ImageSize) -> ImageSize {
        input
    }

    /// What the images of an evaluation see: the operations that have nothing random, in their order.
    pub fn evaluation(&self) -> Self {
        let name = match self.name.strip_suffix(EVALUATION) {
            Some(_) => self.name.clone(),
            None => format!("{}{EVALUATION}", self.name),
        };
        let operations = self.operations.iter().filter(|operation| !operation.is_random()).cloned().collect();
        Self { name, operations }
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
        for (position, operation) in self.operations.iter().enumerate() {
            let separator = if position == 0 { " " } else { "; " };
            write!(f, "{separator}{operation}")?;
        }
        Ok(())
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
        assert!(matches!(error, Error::InvalidParameter { position: 1, .. }), "{error}");
    }
}
